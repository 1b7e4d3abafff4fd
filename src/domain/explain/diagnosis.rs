//! What `doctor` checks: verdicts, the hosts of an environment, the clock.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use url::Url;

use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::corti::request::Response;
use crate::domain::corti::websocket::upgrade_url;
use crate::domain::text::page::Tone;

/// A larger difference of the clocks is a warning: tokens seem older or younger than they are.
const NOTICEABLE: SignedDuration = SignedDuration::from_secs(5);

/// A larger difference of the clocks is a failure: tokens of five minutes are judged wrongly.
const INTOLERABLE: SignedDuration = SignedDuration::from_secs(60);

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, but something about it is unusual.
    Warning,
    /// It does not work.
    Failed,
    /// Not tried: something before it failed, or it does not apply.
    Skipped,
}

impl Verdict {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// The mark for a person. What needs attention stands out without colours.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Warning => "WARNING",
            Self::Failed => "FAILED",
            Self::Ok | Self::Skipped => self.as_str(),
        }
    }

    /// The tone in which it is shown.
    pub fn tone(self) -> Tone {
        match self {
            Self::Ok => Tone::Good,
            Self::Warning => Tone::Caution,
            Self::Failed => Tone::Bad,
            Self::Skipped => Tone::Dim,
        }
    }
}

/// A host of an environment, and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The address of an unauthenticated GET.
    pub url: Url,
    /// `auth`, `api`, `sockets`.
    pub purposes: Vec<&'static str>,
}

impl Target {
    /// The host and what it is for.
    pub fn label(&self) -> String {
        format!("{} ({})", self.url.host_str().unwrap_or_default(), self.purposes.join(", "))
    }
}

/// The hosts of an environment, each once. The first is the realm's, with the URL of its discovery document.
pub fn targets(environment: &Environment, tenant: &Tenant) -> Vec<Target> {
    let addresses = [
        ("auth", Url::parse(&environment.discovery_url(tenant)).ok()),
        ("api", Url::parse(&format!("{}/languages/", environment.api_url())).ok()),
        ("sockets", upgrade_url(&environment.socket_url())),
    ];
    let mut targets: Vec<Target> = Vec::new();
    for (purpose, address) in addresses {
        let Some(url) = address else { continue };
        match targets.iter_mut().find(|target| target.url.origin() == url.origin()) {
            Some(target) => target.purposes.push(purpose),
            None => targets.push(Target { url, purposes: vec![purpose] }),
        }
    }
    targets
}

/// The difference between this machine's clock and a server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skew {
    /// How far the server's clock is ahead; negative where it is behind.
    ahead: SignedDuration,
    /// How wrong that may be: half the time that the answer took.
    doubt: SignedDuration,
}

impl Skew {
    /// From the `Date` of an answer and this machine's time before and after; `None` without a date. The answer of a cache
    /// is older by its `Age` (RFC 9111, section 5.1).
    pub fn of(response: &Response, sent: Timestamp, received: Timestamp) -> Option<Self> {
        let date = jiff::fmt::rfc2822::parse(response.header("date")?.trim()).ok()?.timestamp();
        let age = response.header("age").and_then(|age| age.trim().parse::<u32>().ok()).unwrap_or_default();
        let doubt = received.duration_since(sent).abs() / 2;
        let middle = sent.checked_add(doubt).ok()?;
        // The date is cut to whole seconds, which takes half a second on average.
        let served = SignedDuration::from_secs(age.into()) + SignedDuration::from_millis(500);
        Some(Self { ahead: date.duration_since(middle) + served, doubt })
    }

    /// [`Verdict::Ok`], [`Verdict::Warning`] or [`Verdict::Failed`].
    pub fn verdict(self) -> Verdict {
        match self.ahead.abs() - self.doubt {
            off if off > INTOLERABLE => Verdict::Failed,
            off if off > NOTICEABLE => Verdict::Warning,
            _ => Verdict::Ok,
        }
    }
}

impl fmt::Display for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = (self.ahead.abs() + SignedDuration::from_millis(500)).as_secs();
        // A smaller difference may be the measurement's.
        if self.ahead.abs() - self.doubt < SignedDuration::from_secs(1) {
            return f.write_str("this machine's clock agrees with the server's");
        }
        let side = if self.ahead.is_negative() { "ahead of" } else { "behind" };
        write!(f, "this machine's clock is {seconds} s {side} the server's")
    }
}

#[cfg(test)]
mod tests;

//! What `doctor` judges: a check and its verdict, the hosts of an environment, a realm's discovery document, a clock.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};
use url::Url;

pub use realm::{RealmError, keys_url, realm};

use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::corti::request::Response;
use crate::domain::text::page::{Page, Tone};

mod realm;

/// A clock that is off by more than this gets a warning: tokens seem to be older or younger than they are.
const NOTICEABLE: SignedDuration = SignedDuration::from_secs(5);

/// A clock that is off by more than this has failed: a token of five minutes is judged wrongly.
const INTOLERABLE: SignedDuration = SignedDuration::from_secs(60);

/// The width of the longest check's name.
const NAME_WIDTH: usize = 13;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and something about it may surprise.
    Warning,
    /// It does not work.
    Failed,
    /// Not tried, since something before it failed or it has no meaning here.
    Skipped,
}

impl Verdict {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    fn tone(self) -> Tone {
        match self {
            Self::Ok => Tone::Good,
            Self::Warning => Tone::Caution,
            Self::Failed => Tone::Bad,
            Self::Skipped => Tone::Dim,
        }
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One line of the diagnosis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at; `dns`, `tcp` and `tls` come once per host.
    pub name: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// What was seen. It may have a server's words in it.
    pub detail: String,
    /// What to run next; one per line.
    pub hint: Option<String>,
}

impl Check {
    /// The check for a person, aligned with its neighbours.
    pub fn page(&self) -> Page {
        let text = format!("{}: {}", self.verdict.as_str(), self.detail);
        let name = format!("{:NAME_WIDTH$}", self.name);
        let page = Page::new().toned_field(name, self.verdict.tone(), text);
        let hints = self.hint.iter().flat_map(|hint| hint.lines());
        hints.fold(page, |page, hint| page.field("", format!("hint: {hint}")))
    }
}

/// A host of an environment, and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What an unauthenticated GET is sent to.
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

/// The hosts of an environment, each once. The first is the realm's, asked for its discovery document.
pub fn targets(environment: &Environment, tenant: &Tenant) -> Vec<Target> {
    let socket = environment.socket_url();
    let addresses = [
        ("auth", environment.discovery_url(tenant)),
        ("api", format!("{}/languages/", environment.api_url())),
        // A WebSocket opens by an HTTP request: ws is http, wss is https.
        ("sockets", format!("http{}", socket.strip_prefix("ws").unwrap_or(&socket))),
    ];
    let mut targets: Vec<Target> = Vec::new();
    for (purpose, address) in addresses {
        let Ok(url) = Url::parse(&address) else { continue };
        match targets.iter_mut().find(|target| target.url.origin() == url.origin()) {
            Some(target) => target.purposes.push(purpose),
            None => targets.push(Target { url, purposes: vec![purpose] }),
        }
    }
    targets
}

/// How this machine's clock stands to a server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skew {
    /// How far the server's is ahead; negative where it is behind.
    ahead: SignedDuration,
    /// How far that may be wrong, since the answer took its time.
    doubt: SignedDuration,
}

impl Skew {
    /// From the `Date` of an answer and this machine's time around it; `None` where it has no date. A cache's answer is
    /// older than it looks by its `Age` (RFC 9111, section 5.1).
    pub fn of(response: &Response, sent: Timestamp, received: Timestamp) -> Option<Self> {
        let date = jiff::fmt::rfc2822::parse(response.header("date")?.trim()).ok()?.timestamp();
        let age = response.header("age").and_then(|age| age.trim().parse::<u32>().ok()).unwrap_or_default();
        let doubt = received.duration_since(sent).abs() / 2;
        let middle = sent.checked_add(doubt).ok()?;
        // The date is cut to whole seconds: on average half a second is gone.
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
        if seconds == 0 {
            return f.write_str("this machine's clock agrees with the server's");
        }
        let side = if self.ahead.is_negative() { "ahead of" } else { "behind" };
        write!(f, "this machine's clock is {seconds} s {side} the server's")
    }
}

#[cfg(test)]
mod tests;

//! Whether a stored secret is good: asked of the server, and noted in the profile when it was.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::app::context::Context;
use crate::domain::client::config::Config;
use crate::domain::client::identity::Client;
use crate::domain::client::resolve::Plan;
use crate::domain::client::store_kind::StoreKind;
use crate::domain::text::page::Tone;
use crate::domain::token::inspection::span;
use crate::failure::Failure;

/// What the server said of a secret.
#[derive(Clone)]
pub(crate) enum Verdict {
    /// It gave a token for it.
    Good,
    /// It did not, or did not answer.
    Bad {
        /// The failure's `code`.
        code: &'static str,
        /// Its message and causes.
        message: String,
    },
}

impl Verdict {
    /// The verdict on what a mint gave.
    pub(crate) fn of<T>(minted: &Result<T, Failure>) -> Self {
        match minted {
            Ok(_) => Self::Good,
            Err(failure) => Self::Bad { code: failure.kind().code(), message: failure.in_one_line() },
        }
    }

    /// As a JSON object.
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Good => json!({ "verified": true }),
            Self::Bad { code, message } => json!({ "verified": false, "code": code, "message": message }),
        }
    }

    /// In words.
    pub(crate) fn words(&self) -> (Tone, String) {
        match self {
            Self::Good => (Tone::Good, "the authorization server took the secret".to_owned()),
            Self::Bad { message, .. } => (Tone::Bad, message.clone()),
        }
    }
}

/// The time now, to the second: nobody needs more, and the file stays readable.
pub(crate) fn now(context: &Context<'_>) -> Timestamp {
    let now = context.host.clock.now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// Notes that the server took the secret of `client` in `store` just now, in the profiles that use it. Where the file cannot be
/// written, that is a warning.
pub(crate) async fn record(context: &Context<'_>, client: &Client, store: &StoreKind) {
    let now = now(context);
    let change = |config: &mut Config| config.set_verified(client, store, Some(now));
    let recorded = match context.config_file() {
        Ok(file) => file.update(change).await.map_err(Failure::from),
        Err(failure) => Err(failure),
    };
    if let Err(failure) = recorded {
        warn_not_updated(context, &failure);
    }
}

/// Warns that what this command learned of a secret is not in the configuration.
pub(crate) fn warn_not_updated(context: &Context<'_>, failure: &Failure) {
    context.warn(format!("config.toml was not updated: {}", failure.in_one_line()), None);
}

/// `3 min 5 s ago (2026-01-02T03:04:05Z)`; the time alone where it is in the future, by another clock.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    match u64::try_from(now.as_second() - at.as_second()) {
        Ok(seconds) => format!("{} ago ({at})", span(seconds)),
        Err(_) => at.to_string(),
    }
}

/// Whether two plans use one stored secret, which then is asked for once.
pub(crate) fn same_secret(one: &Plan, other: &Plan) -> bool {
    one.stored().is_some_and(|stored| other.stored() == Some(stored))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_by_its_distance() {
        let at: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let later = at + jiff::SignedDuration::from_secs(185);
        assert_eq!(ago(at, later), "3 min 5 s ago (2026-01-02T03:04:05Z)");
        assert_eq!(ago(later, at), "2026-01-02T03:07:10Z");
    }
}

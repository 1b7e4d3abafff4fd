//! Why a request failed: what is known of it (a status, a saved answer, the token in use, whose client is configured)
//! compared with a table of rules. Every cause says what speaks for it and what to run next.
//!
//! Causes are ranked by how much speaks for them: a server's own words count more than what a token or a request
//! shows, and that more than a status which merely fits.

use jiff::Timestamp;

use crate::domain::client::environment::Environment;
use crate::domain::client::identity::{ClientId, Tenant};
use crate::domain::client::secret::Secret;

mod exchange;
mod redaction;
mod rule;
mod shape;
mod token_in_use;

pub use exchange::{Asked, Exchange, Presented};
pub use redaction::Redaction;
use rule::Signs;
use shape::Challenge;
pub use shape::Shape;
pub use token_in_use::TokenInUse;

/// By how much the clocks may differ before it is worth a word, in seconds.
const LEEWAY: i64 = 60;

/// What tells one refusal of the API from another, in lower case: a server that uses none of these words leaves it open.
const TELLING: [&str; 12] = [
    "expired",
    "not active",
    "bearer",
    "malformed",
    "access token",
    "signature",
    "key of the token",
    "issuer",
    "scope",
    "tenant",
    "interaction",
    "path",
];

/// What is configured here, where anything is.
#[derive(Clone, Debug, Default)]
pub struct Configured {
    /// The environment and the tenant.
    pub place: Option<(Environment, Tenant)>,
    /// The client.
    pub client: Option<ClientId>,
}

/// All that is known of a failure.
#[derive(Debug)]
pub struct Evidence {
    status: Option<u16>,
    asked: Option<Asked>,
    shape: Shape,
    challenge: Option<Challenge>,
    retry_after: Option<String>,
    /// The schemes that a proxy asks for, where one asks.
    proxy: Option<Vec<&'static str>>,
    /// Where a redirect leads, without the parts that may hold a secret.
    location: Option<String>,
    /// The server's clock when it answered.
    date: Option<Timestamp>,
    token: Option<TokenInUse>,
    configured: Configured,
    now: Timestamp,
}

impl Evidence {
    /// Gathers it. `status` counts where the saved exchange has none, and what the body says of itself
    /// where neither is there; `secret` is the client's, where it is known, and is
    /// only looked for, to take it out.
    pub fn new(
        status: Option<u16>,
        exchange: &Exchange,
        token: Option<TokenInUse>,
        configured: Configured,
        secret: Option<&Secret>,
        now: Timestamp,
    ) -> Self {
        let known = token.as_ref().map(TokenInUse::secret).into_iter().chain(secret);
        let known = known.chain(&exchange.credentials).collect();
        let redaction = Redaction { known };
        let date = exchange.header("date").and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
        let challenge =
            exchange.each_header("www-authenticate").find_map(|header| Challenge::read(header, &redaction));
        let shape = Shape::of(exchange, &redaction);
        let stated = match &shape {
            Shape::Problem(problem) => problem.status,
            _ => None,
        };
        Self {
            status: exchange.status.or(status).or(stated),
            asked: exchange.asked.clone().map(|asked| Asked {
                path: redaction.apply(&asked.path),
                tenant: asked.tenant.as_deref().map(|tenant| redaction.apply(tenant)),
                ..asked
            }),
            shape,
            challenge,
            retry_after: exchange.header("retry-after").map(|text| redaction.apply(text)),
            proxy: exchange.asked_by_a_proxy(),
            location: exchange.header("location").map(|text| redaction.apply(&exchange::bare_address(text))),
            date: date.map(|date| date.timestamp()),
            token,
            configured,
            now,
        }
    }

    /// The HTTP status, or the close code of a WebSocket.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// What the answer's body is, if there was an answer.
    pub fn shape(&self) -> Option<&'static str> {
        let answered = self.shape != Shape::Empty || self.challenge.is_some();
        answered.then(|| self.shape.as_str())
    }

    /// The id that the server gave the request, which Corti's support asks for.
    pub fn request_id(&self) -> Option<&str> {
        self.shape.request()
    }

    /// The token in use.
    pub fn token(&self) -> Option<&TokenInUse> {
        self.token.as_ref()
    }

    fn is_status(&self, statuses: &[u16]) -> bool {
        self.status.is_some_and(|status| statuses.contains(&status))
    }

    /// Whether the status alone has to be enough: the server has no words for it, or none that tell anything.
    fn is_bare(&self, statuses: &[u16]) -> bool {
        let is_told = self.said(&TELLING).is_some() || !self.is_of_a_resource();
        self.is_status(statuses) && !(self.words().is_some() && is_told)
    }

    /// The server's own words, be they in a body or in a challenge.
    fn words(&self) -> Option<String> {
        let challenge = self.challenge.as_ref();
        let challenged = challenge.and_then(|it| it.description.clone().or_else(|| it.error.clone()));
        challenged.or_else(|| self.shape.words())
    }

    /// The server's words, if one of `parts` (in lower case) is in them.
    fn said(&self, parts: &[&str]) -> Option<String> {
        self.words().filter(|words| {
            let words = words.to_lowercase();
            parts.iter().any(|part| words.contains(part))
        })
    }

    /// The type of a v2 problem, if that is what the answer is.
    fn problem(&self) -> Option<&str> {
        match &self.shape {
            Shape::Problem(problem) => Some(problem.kind.as_deref().unwrap_or_default()),
            _ => None,
        }
    }

    /// The `error` of an OAuth error, if that is what the answer is.
    fn oauth(&self) -> Option<&str> {
        match &self.shape {
            Shape::OAuth { error, .. } => Some(error),
            _ => None,
        }
    }

    /// The type of a WebSocket's message, if that is what the answer is.
    fn frame(&self) -> Option<&str> {
        match &self.shape {
            Shape::Frame { kind, .. } => Some(kind),
            _ => None,
        }
    }

    /// Whether a token was refused, or may have been: not where the token endpoint refused a client.
    fn refuses_a_token(&self) -> bool {
        self.is_status(&[401, 403]) && self.is_of_a_resource()
    }

    /// Whether it is about a token: one was refused, or the token is all there is.
    fn concerns_a_token(&self) -> bool {
        self.refuses_a_token() || (self.status.is_none() && self.shape == Shape::Empty)
    }

    /// Whether it is a resource that answers, be it with an OAuth error: those of RFC 6750, section 3.1, are about tokens.
    fn is_of_a_resource(&self) -> bool {
        match &self.shape {
            Shape::Empty | Shape::Problem(_) => true,
            Shape::OAuth { error, .. } => ["invalid_token", "insufficient_scope"].contains(&error.as_str()),
            _ => false,
        }
    }

    /// When the server judged the token: by its own clock, where it told the time.
    fn moment(&self) -> Timestamp {
        self.date.unwrap_or(self.now)
    }

    /// The part of the path that tells a WebSocket: `transcribe` or `streams`.
    fn socket(&self) -> Option<&str> {
        let path = self.asked.as_ref()?.path.trim_end_matches('/');
        path.contains("/audio-bridge/").then(|| path.rsplit('/').next().unwrap_or_default())
    }
}

/// How much speaks for a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// It merely fits.
    Low,
    /// The token or the request shows it.
    Medium,
    /// The server says so.
    High,
}

impl Confidence {
    /// `low`, `medium` or `high`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// One cause that the evidence allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Its name, which does not change between versions.
    pub id: &'static str,
    /// What it is, in words.
    pub cause: &'static str,
    /// How much speaks for it.
    pub confidence: Confidence,
    /// What speaks for it. The server's words in it are to be escaped before they are shown.
    pub evidence: Vec<String>,
    /// What to do; it ends with a command, where one helps.
    pub remedy: String,
}

/// The causes, the likeliest first. Those that merely fit are left out where one is certain.
pub fn explain(evidence: &Evidence) -> Vec<Cause> {
    let mut found: Vec<(u8, Cause)> = rule::all()
        .filter_map(|rule| {
            let Signs { weight, evidence: signs } = (rule.signs)(evidence);
            let confidence = match weight {
                0 => return None,
                1 => Confidence::Low,
                2 => Confidence::Medium,
                _ => Confidence::High,
            };
            let remedy = (rule.remedy)(evidence);
            Some((weight, Cause { id: rule.id, cause: rule.cause, confidence, evidence: signs, remedy }))
        })
        .collect();
    // Stable: what weighs the same stays in the table's order.
    found.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    let is_certain = found.first().is_some_and(|(_, cause)| cause.confidence == Confidence::High);
    let causes = found.into_iter().map(|(_, cause)| cause);
    causes.filter(|cause| !is_certain || cause.confidence > Confidence::Low).collect()
}

#[cfg(test)]
mod tests;

//! Compares what a token opens with what its scopes promise. `check` does the requests.

use std::fmt;

use serde::Serialize;

use crate::domain::token::inspection::Inspection;
use crate::domain::token::scope::TokenClass;

use super::request::Response;
use super::websocket::SocketKind;

/// The reads that are tried: paths below the API's address.
pub const READS: [&str; 3] = ["/languages/", "/factgroups/", "/interactions/?pageSize=1"];

/// What is tried with the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One of [`READS`].
    Read(&'static str),
    /// One of the WebSockets.
    Socket(SocketKind),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path) => write!(f, "GET {}", path.split('?').next().unwrap_or_default()),
            Self::Socket(kind) => write!(f, "WebSocket /{}", kind.as_str()),
        }
    }
}

/// Whether a token reaches a target: what its scopes promise, or what was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It is allowed.
    Allowed,
    /// It is denied.
    Denied,
    /// Corti does not document what these scopes do.
    Unknown,
    /// The answer shows neither.
    Inconclusive,
}

impl Access {
    /// What the scopes of a token promise of `target`.
    pub fn promised(token: &Inspection, target: Target) -> Self {
        let has_scope = matches!(target, Target::Socket(kind) if token.scopes.contains(kind.as_str()));
        match token.class {
            Some(TokenClass::Full) => Self::Allowed,
            Some(_) if has_scope => Self::Allowed,
            Some(TokenClass::Limited) => Self::Denied,
            Some(TokenClass::Mixed) | None => Self::Unknown,
        }
    }

    /// What the answer to a read shows. An HTML page does not come from the API.
    pub fn observed(response: &Response) -> Self {
        let start = response.body.trim_ascii_start();
        let is_json = start.starts_with(b"{") || start.starts_with(b"[");
        match response.status {
            200..=299 if is_json => Self::Allowed,
            401 | 403 if !response.is_html() => Self::Denied,
            _ => Self::Inconclusive,
        }
    }

    /// What a refused handshake shows. If the interaction does not exist (`is_real` is false), the server may have refused
    /// because of that, without checking the token.
    pub fn of_handshake(status: u16, is_real: bool, promise: Self) -> Self {
        match status {
            401 => Self::Denied,
            403 if is_real || promise != Self::Allowed => Self::Denied,
            _ => Self::Inconclusive,
        }
    }

    /// `allowed`, `denied`, `unknown` or `inconclusive`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Unknown => "unknown",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// The result of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The token opens what its scopes promise.
    AsPromised,
    /// The token opens more.
    More,
    /// The token opens less.
    Less,
    /// One of the two is not known.
    #[serde(rename = "untold")]
    Unknown,
}

/// A target that was tried.
#[derive(Clone, Debug)]
pub struct Row {
    /// The target.
    pub target: Target,
    /// What the scopes promise.
    pub promise: Access,
    /// What was observed.
    pub observed: Access,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// What came back. May hold a server's words: escape them before they are shown.
    pub detail: String,
}

impl Row {
    /// The result of the comparison.
    pub fn finding(&self) -> Finding {
        match (self.promise, self.observed) {
            (Access::Denied, Access::Allowed) => Finding::More,
            (Access::Allowed, Access::Denied) => Finding::Less,
            (Access::Allowed, Access::Allowed) | (Access::Denied, Access::Denied) => Finding::AsPromised,
            _ => Finding::Unknown,
        }
    }
}

/// The worst result of all rows; `More` is worse than `Less`.
pub fn overall(rows: &[Row]) -> Finding {
    let has = |finding| rows.iter().any(|row| row.finding() == finding);
    let ranked = [Finding::More, Finding::Less, Finding::AsPromised];
    ranked.into_iter().find(|finding| has(*finding)).unwrap_or(Finding::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateways_answer_tells_nothing() {
        let of = |status, body: &str| {
            Access::observed(&Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() })
        };
        let table = [
            (200, r#"{"languages":[]}"#, Access::Allowed),
            (200, "<html>sign in</html>", Access::Inconclusive),
            (204, "", Access::Inconclusive),
            (403, "{}", Access::Denied),
            (401, "", Access::Denied),
            (403, "<html>", Access::Inconclusive),
            (404, "{}", Access::Inconclusive),
            (429, "{}", Access::Inconclusive),
            (503, "", Access::Inconclusive),
            (302, "", Access::Inconclusive),
        ];
        for (status, body, observed) in table {
            assert_eq!(of(status, body), observed, "{status} {body}");
        }
    }

    #[test]
    fn an_interaction_that_does_not_exist_tells_little() {
        let table = [
            (401, false, Access::Allowed, Access::Denied),
            (403, false, Access::Allowed, Access::Inconclusive),
            (403, false, Access::Denied, Access::Denied),
            (403, true, Access::Allowed, Access::Denied),
            (404, false, Access::Denied, Access::Inconclusive),
            (500, true, Access::Allowed, Access::Inconclusive),
        ];
        for (status, is_real, promise, observed) in table {
            assert_eq!(Access::of_handshake(status, is_real, promise), observed, "{status} {is_real}");
        }
    }

    #[test]
    fn more_outranks_less() {
        let row = |promise, observed| Row {
            target: Target::Read("/languages/"),
            promise,
            observed,
            status: None,
            detail: String::new(),
        };
        let less = row(Access::Allowed, Access::Denied);
        let more = row(Access::Denied, Access::Allowed);
        let unknown = row(Access::Unknown, Access::Allowed);
        assert_eq!(overall(&[less.clone(), more, unknown.clone()]), Finding::More);
        assert_eq!(overall(&[unknown.clone(), less]), Finding::Less);
        assert_eq!(overall(&[unknown, row(Access::Allowed, Access::Inconclusive)]), Finding::Unknown);
        assert_eq!(overall(&[row(Access::Denied, Access::Denied)]), Finding::AsPromised);
    }
}

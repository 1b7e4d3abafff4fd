//! What a token can reach, compared with what its scopes promise. `check` looks; here is judged.

use crate::domain::token::inspection::Inspection;
use crate::domain::token::scope::TokenClass;

use super::message;
use super::request::Response;
use super::websocket::SocketKind;

/// What is looked at: three reads that change nothing, and the two WebSockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// `GET /languages/`.
    Languages,
    /// `GET /factgroups/`.
    FactGroups,
    /// `GET /interactions/?pageSize=1`.
    Interactions,
    /// `/transcribe`.
    Transcribe,
    /// `/interactions/{id}/streams`.
    Streams,
}

impl Target {
    /// The reads.
    pub const READS: [Self; 3] = [Self::Languages, Self::FactGroups, Self::Interactions];

    /// How it is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Languages => "GET /languages/",
            Self::FactGroups => "GET /factgroups/",
            Self::Interactions => "GET /interactions/",
            Self::Transcribe => "WebSocket /transcribe",
            Self::Streams => "WebSocket /streams",
        }
    }

    /// Its path under the API's address, of a read.
    pub fn path(self) -> Option<&'static str> {
        match self {
            Self::Languages => Some("/languages/"),
            Self::FactGroups => Some("/factgroups/"),
            Self::Interactions => Some("/interactions/?pageSize=1"),
            Self::Transcribe | Self::Streams => None,
        }
    }

    /// Which WebSocket it is, if it is one. Its name is the scope that opens it, beside a full token.
    fn socket(self) -> Option<SocketKind> {
        match self {
            Self::Languages | Self::FactGroups | Self::Interactions => None,
            Self::Transcribe => Some(SocketKind::Transcribe),
            Self::Streams => Some(SocketKind::Streams),
        }
    }

    /// The smallest message that opens a session, of a WebSocket.
    pub fn configuration(self, language: &str) -> Option<String> {
        self.socket().map(|kind| message::config(&message::smallest(kind, language)))
    }
}

/// What a token's scopes promise of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// It is open.
    Open,
    /// It is closed.
    Closed,
    /// Corti does not document what these scopes do.
    Unknown,
}

impl Promise {
    /// What the token promises of `target`.
    pub fn of(token: &Inspection, target: Target) -> Self {
        let names_it = target.socket().is_some_and(|kind| token.scopes.contains(kind.as_str()));
        match token.class {
            Some(TokenClass::Full) => Self::Open,
            Some(_) if names_it => Self::Open,
            Some(TokenClass::Limited) => Self::Closed,
            Some(TokenClass::Mixed) | None => Self::Unknown,
        }
    }

    /// `allowed`, `denied` or `unknown`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "allowed",
            Self::Closed => "denied",
            Self::Unknown => "unknown",
        }
    }
}

/// What was seen of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// The token was let in.
    Allowed,
    /// The token was refused.
    Denied,
    /// Neither is certain.
    Inconclusive,
}

impl Observed {
    /// What a read's answer tells. A page of HTML comes from somebody else than the API.
    pub fn of(response: &Response) -> Self {
        let start = response.body.trim_ascii_start();
        let is_json = start.starts_with(b"{") || start.starts_with(b"[");
        match response.status {
            200..=299 if is_json => Self::Allowed,
            401 | 403 if !response.is_html() => Self::Denied,
            _ => Self::Inconclusive,
        }
    }

    /// What a refused handshake tells. Of an interaction that does not exist (`is_real` is false) a refusal may be about
    /// that, and a server that looks for it first never comes to the token.
    pub fn of_handshake(status: u16, is_real: bool, promise: Promise) -> Self {
        match status {
            401 => Self::Denied,
            403 if is_real || promise != Promise::Open => Self::Denied,
            _ => Self::Inconclusive,
        }
    }

    /// `allowed`, `denied` or `inconclusive`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// What was seen against what was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The same.
    AsPromised,
    /// The token can do more.
    More,
    /// The token can do less.
    Less,
    /// One of the two is not known.
    Untold,
}

impl Finding {
    /// `as_promised`, `more`, `less` or `untold`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AsPromised => "as_promised",
            Self::More => "more",
            Self::Less => "less",
            Self::Untold => "untold",
        }
    }
}

/// One target, looked at.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which.
    pub target: Target,
    /// What the scopes promise.
    pub promise: Promise,
    /// What was seen.
    pub observed: Observed,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// What came, in few words. A server's words in it are to be escaped before they are shown.
    pub detail: String,
}

impl Row {
    /// What comes of both.
    pub fn finding(&self) -> Finding {
        match (self.promise, self.observed) {
            (Promise::Open, Observed::Allowed) | (Promise::Closed, Observed::Denied) => Finding::AsPromised,
            (Promise::Closed, Observed::Allowed) => Finding::More,
            (Promise::Open, Observed::Denied) => Finding::Less,
            (Promise::Unknown, _) | (_, Observed::Inconclusive) => Finding::Untold,
        }
    }
}

/// What comes of all of them: more outranks less, and less what is untold.
pub fn overall(rows: &[Row]) -> Finding {
    let has = |finding| rows.iter().any(|row| row.finding() == finding);
    let ranked = [Finding::More, Finding::Less, Finding::AsPromised];
    ranked.into_iter().find(|finding| has(*finding)).unwrap_or(Finding::Untold)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateways_answer_tells_nothing() {
        let of = |status, body: &str| {
            Observed::of(&Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() })
        };
        let table = [
            (200, r#"{"languages":[]}"#, Observed::Allowed),
            (200, "<html>sign in</html>", Observed::Inconclusive),
            (204, "", Observed::Inconclusive),
            (403, "{}", Observed::Denied),
            (401, "", Observed::Denied),
            (403, "<html>", Observed::Inconclusive),
            (404, "{}", Observed::Inconclusive),
            (429, "{}", Observed::Inconclusive),
            (503, "", Observed::Inconclusive),
            (302, "", Observed::Inconclusive),
        ];
        for (status, body, observed) in table {
            assert_eq!(of(status, body), observed, "{status} {body}");
        }
    }

    #[test]
    fn an_interaction_that_does_not_exist_tells_little() {
        let table = [
            (401, false, Promise::Open, Observed::Denied),
            (403, false, Promise::Open, Observed::Inconclusive),
            (403, false, Promise::Closed, Observed::Denied),
            (403, true, Promise::Open, Observed::Denied),
            (404, false, Promise::Closed, Observed::Inconclusive),
            (500, true, Promise::Open, Observed::Inconclusive),
        ];
        for (status, is_real, promise, observed) in table {
            assert_eq!(Observed::of_handshake(status, is_real, promise), observed, "{status} {is_real}");
        }
    }

    #[test]
    fn more_outranks_less() {
        let row = |promise, observed| Row {
            target: Target::Languages,
            promise,
            observed,
            status: None,
            detail: String::new(),
        };
        let less = row(Promise::Open, Observed::Denied);
        let more = row(Promise::Closed, Observed::Allowed);
        let untold = row(Promise::Unknown, Observed::Allowed);
        assert_eq!(overall(&[less.clone(), more, untold.clone()]), Finding::More);
        assert_eq!(overall(&[untold.clone(), less]), Finding::Less);
        assert_eq!(overall(&[untold, row(Promise::Open, Observed::Inconclusive)]), Finding::Untold);
        assert_eq!(overall(&[row(Promise::Closed, Observed::Denied)]), Finding::AsPromised);
    }
}

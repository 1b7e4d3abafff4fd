//! Checks that a token may be given to a frontend: it opens a WebSocket and nothing else, as the server and the token itself
//! say.

use crate::domain::corti::websocket::SocketKind;

use super::grant::Token;
use super::jwt::claimed_scope;
use super::scope::{ScopeSet, TokenClass};

/// Why a token may not be given to a frontend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotForFrontend {
    /// It is opaque, or has no `scope` claim.
    #[error("the token does not say itself what it may do, so it is not handed over")]
    Untold,
    /// It may do more, or something else; `0` says who says so.
    #[error("by {0} the token's scopes are `{1}`, which is not a limited token for this WebSocket")]
    NotLimited(&'static str, ScopeSet),
}

/// Checks a token for the WebSocket `kind`.
///
/// # Errors
/// [`NotForFrontend`].
pub fn check(token: &Token, kind: SocketKind) -> Result<(), NotForFrontend> {
    let claimed = claimed_scope(token.access_token.secret().expose());
    let claimed = claimed.ok().flatten().ok_or(NotForFrontend::Untold)?;
    let words =
        [("the server's answer", token.granted.clone()), ("its own claim", ScopeSet::from_wire(&claimed))];
    for (whose, scopes) in words {
        if scopes.class() != TokenClass::Limited || !scopes.contains(kind.as_str()) {
            return Err(NotForFrontend::NotLimited(whose, scopes));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jiff::Timestamp;

    use super::*;
    use crate::domain::client::secret::AccessToken;

    fn verdict(granted: &str, claims: &str) -> Result<(), NotForFrontend> {
        let text = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        let token = Token {
            access_token: AccessToken::parse(&text).unwrap(),
            expires_at: Timestamp::UNIX_EPOCH,
            expires_in: 300,
            granted: ScopeSet::from_wire(granted),
            cached: false,
        };
        check(&token, SocketKind::Streams)
    }

    #[test]
    fn both_words_must_be_limited() {
        let limited = r#"{"scope":"openid streams"}"#;
        assert_eq!(verdict("openid streams email", limited), Ok(()));
        for (granted, claims) in [
            ("openid", limited),
            ("openid transcribe", limited),
            ("openid streams interactions:read", limited),
            ("openid streams", r#"{"scope":"openid"}"#),
            ("openid streams", r#"{"scope":"openid streams admin:read"}"#),
            ("openid streams", r#"{"scope":"openid transcribe"}"#),
        ] {
            let verdict = verdict(granted, claims);
            assert!(matches!(verdict, Err(NotForFrontend::NotLimited(..))), "{granted} {claims}");
        }
        for claims in ["{}", "no JSON", r#"{"scope":["streams"]}"#] {
            assert_eq!(verdict("openid streams", claims), Err(NotForFrontend::Untold), "{claims}");
        }
    }
}

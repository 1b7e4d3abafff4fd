//! Whether a token may be handed to a frontend: only one that opens a WebSocket and nothing else, by the word of the
//! server and by the token's own.

use crate::domain::corti::websocket::SocketKind;

use super::grant::Token;
use super::jwt::claimed_scope;
use super::scope::{Reach, ScopeSet};

/// Why a token may not be handed over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandoverError {
    /// What it may do cannot be told: an opaque token, or one without a `scope` claim.
    #[error("the token does not say itself what it may do, so it is not handed over")]
    Untold,
    /// It may do more, or something else; `0` is whose word that is.
    #[error("by {0} the token's scopes are `{1}`, which is not a limited token for this WebSocket")]
    NotLimited(&'static str, ScopeSet),
}

/// Holds a token against what a frontend may have.
///
/// # Errors
/// [`HandoverError`], see its variants.
pub fn check(token: &Token, kind: SocketKind) -> Result<(), HandoverError> {
    let claimed = claimed_scope(token.access_token.secret().expose());
    let claimed = claimed.ok().flatten().ok_or(HandoverError::Untold)?;
    let words =
        [("the server's answer", token.granted.clone()), ("its own claim", ScopeSet::from_wire(&claimed))];
    for (whose, scopes) in words {
        if scopes.reach() != Reach::Limited || !scopes.contains(kind.as_str()) {
            return Err(HandoverError::NotLimited(whose, scopes));
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

    fn verdict(granted: &str, claims: &str) -> Result<(), HandoverError> {
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
            assert!(matches!(verdict, Err(HandoverError::NotLimited(..))), "{granted} {claims}");
        }
        for claims in ["{}", "no JSON", r#"{"scope":["streams"]}"#] {
            assert_eq!(verdict("openid streams", claims), Err(HandoverError::Untold), "{claims}");
        }
    }
}

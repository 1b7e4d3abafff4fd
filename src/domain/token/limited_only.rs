//! Checks that a token may be given to a frontend: it opens one WebSocket and nothing else, according to the server and to
//! the token's own claim.

use crate::domain::client::invalid::Invalid;
use crate::domain::corti::websocket::SocketKind;

use super::grant::Token;
use super::jwt::claimed;
use super::scope::{ScopeSet, TokenClass};

/// Refuses a token that opens more or less than the WebSocket `kind`, or that has no readable `scope` claim.
pub fn check(token: &Token, kind: SocketKind) -> Result<(), Invalid> {
    let claim = claimed(token.access_token.secret().expose()).ok().and_then(|claimed| claimed.scope);
    let claim = claim.ok_or_else(|| Invalid::new("the token has no readable scope claim"))?;
    let both =
        [("the server's answer", token.granted.clone()), ("its own claim", ScopeSet::from_wire(&claim))];
    for (origin, scopes) in both {
        if scopes.class() != TokenClass::Limited || !scopes.contains(kind.as_str()) {
            return Err(Invalid::new(format!(
                "the token is not limited to /{}: according to {origin} its scopes are `{scopes}`",
                kind.as_str()
            )));
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

    fn verdict(granted: &str, claims: &str) -> Result<(), Invalid> {
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
    fn the_answer_and_the_claim_must_be_limited() {
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
            let message = verdict.unwrap_err().to_string();
            assert!(message.starts_with("the token is not limited to /streams: "), "{granted} {claims}");
        }
        for claims in ["{}", "no JSON", r#"{"scope":["streams"]}"#] {
            let message = verdict("openid streams", claims).unwrap_err().to_string();
            assert!(message.starts_with("the token has no readable scope claim"), "{claims}");
        }
    }
}

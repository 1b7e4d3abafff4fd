//! Checks whether one of an issuer's keys signed a token (RFC 7515, section 5.2). The token's header only selects among those
//! keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;

use super::jwks::{Key, KeySet, RefusedKey};
use super::jwt::{self, JwtError};

/// The most keys that are tried for one token.
const MAX_TRIES: usize = 8;

/// Why a signature is not good. The texts contain words of the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The text is no JWS.
    #[error(transparent)]
    Unreadable(#[from] JwtError),
    /// The algorithm is refused. The signature was not checked.
    #[error("{0}")]
    Algorithm(String),
    /// The issuer's key is too weak.
    #[error("the issuer's key is refused: {0}")]
    WeakKey(RefusedKey),
    /// The issuer has no such key.
    #[error("the issuer has no key `{0}`")]
    UnknownKey(String),
    /// The signature is another key's or another text's.
    #[error("the issuer's key did not make this signature, or the token was modified")]
    Wrong,
}

/// Checks only the signature of `token`. Gives the id of the key that made it.
pub fn check(token: &str, keys: &KeySet) -> Result<Option<String>, SignatureError> {
    let header = jwt::header(token)?;
    let (name, key_id) = (header.alg.as_str(), header.kid.as_deref());
    let refused = |reason: String| Err(SignatureError::Algorithm(reason));
    if name.trim().eq_ignore_ascii_case("none") {
        return refused(format!("the token is not signed (`{name}`)"));
    }
    if name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("HS")) {
        return refused(format!("`{name}` is refused: it uses a shared secret, not a public key"));
    }
    let Ok(algorithm) = name.parse::<Algorithm>() else {
        return refused(format!(
            "unsupported algorithm `{name}`; supported: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA"
        ));
    };
    // `crit` demands extensions, and `b64` (RFC 7797) changes the signed text.
    if let Some(extension) = ["crit", "b64"].into_iter().find(|extension| header.has(extension)) {
        return refused(format!("unsupported header extension `{extension}`"));
    }
    let candidates = keys.candidates(key_id);
    if candidates.is_empty() {
        return Err(match keys.refused_of(key_id) {
            Some(key) => SignatureError::WeakKey(key.clone()),
            None => SignatureError::UnknownKey(key_id.unwrap_or_default().to_owned()),
        });
    }
    let is_for_it = |key: &&Key| key.algorithms.contains(&algorithm);
    let able: Vec<&Key> = candidates.into_iter().filter(is_for_it).take(MAX_TRIES).collect();
    if able.is_empty() {
        return refused(format!("the algorithm `{name}` does not fit the issuer's key"));
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(SignatureError::Wrong)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| SignatureError::Wrong)?;
    let made_it = |key: &&Key| key.public.verifies(algorithm, signed.as_bytes(), &signature);
    able.into_iter().find(made_it).map(|key| key.id.clone()).ok_or(SignatureError::Wrong)
}

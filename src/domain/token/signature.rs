//! Whether one of an issuer's keys signed a token (RFC 7515, section 5.2). What the token says of itself chooses among
//! those keys and decides nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;

use super::jwks::{Key, KeySet, RefusedKey};
use super::jwt::{self, JwtError};

/// The most keys that are tried for one token.
const MAX_TRIES: usize = 8;

/// A good signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The algorithm, which is one that the key allows.
    pub algorithm: Algorithm,
    /// The id of the key that made it.
    pub key_id: Option<String>,
}

/// Why a signature does not count. The texts are the token's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The text is no JWS.
    #[error(transparent)]
    Unreadable(#[from] JwtError),
    /// `none`, in whatever spelling.
    #[error("it is not signed (`{0}`)")]
    Unsigned(String),
    /// An HMAC.
    #[error("`{0}` is symmetric: only its issuer can check it, and whoever can check it can forge it")]
    Symmetric(String),
    /// An algorithm that is not known here.
    #[error(
        "unsupported algorithm: the algorithm `{0}` is not one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA"
    )]
    UnknownAlgorithm(String),
    /// `crit` or `b64`: the signature means something else than it seems to.
    #[error("its header asks for extensions (`{0}`), and this tool knows none")]
    Extension(&'static str),
    /// The issuer's key is too weak to prove anything.
    #[error("the issuer's key is refused: {0}")]
    WeakKey(RefusedKey),
    /// The issuer has no such key.
    #[error("the issuer has no key `{0}`")]
    UnknownKey(String),
    /// The key is for other algorithms.
    #[error("the algorithm `{0}` is not one that the issuer's key is for")]
    OtherAlgorithm(String),
    /// The key did not make it.
    #[error("the signature was not made by the issuer's key, or the token was changed since")]
    Wrong,
}

impl SignatureError {
    /// Whether it is the algorithm that is refused: the signature was then not looked at.
    pub fn is_about_the_algorithm(&self) -> bool {
        matches!(
            self,
            Self::Unsigned(_)
                | Self::Symmetric(_)
                | Self::UnknownAlgorithm(_)
                | Self::OtherAlgorithm(_)
                | Self::Extension(_)
        )
    }
}

/// Checks the signature of `token`, and nothing else about it.
///
/// # Errors
/// [`SignatureError`], see its variants.
pub fn check(token: &str, keys: &KeySet) -> Result<Signed, SignatureError> {
    let header = jwt::header(token)?;
    let name = header.alg.as_str();
    if name.trim().eq_ignore_ascii_case("none") {
        return Err(SignatureError::Unsigned(header.alg));
    }
    if name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("HS")) {
        return Err(SignatureError::Symmetric(header.alg));
    }
    let Ok(algorithm) = name.parse::<Algorithm>() else {
        return Err(SignatureError::UnknownAlgorithm(header.alg));
    };
    for (is_there, extension) in [(header.crit, "crit"), (header.b64, "b64")] {
        if is_there {
            return Err(SignatureError::Extension(extension));
        }
    }
    let candidates = keys.candidates(header.kid.as_deref());
    if candidates.is_empty() {
        if let Some(refused) = keys.refused_of(header.kid.as_deref()) {
            return Err(SignatureError::WeakKey(refused.clone()));
        }
        return Err(SignatureError::UnknownKey(header.kid.unwrap_or_default()));
    }
    let able = |key: &&&Key| key.algorithms.contains(&algorithm);
    let mut able = candidates.iter().filter(able).take(MAX_TRIES).peekable();
    if able.peek().is_none() {
        return Err(SignatureError::OtherAlgorithm(header.alg));
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(JwtError::Parts(1))?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| SignatureError::Wrong)?;
    let made_it = |key: &&&Key| key.public.verifies(algorithm, signed.as_bytes(), &signature);
    let key = able.find(made_it).ok_or(SignatureError::Wrong)?;
    Ok(Signed { algorithm, key_id: key.id.clone() })
}

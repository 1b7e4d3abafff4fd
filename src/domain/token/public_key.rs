//! A public key of an issuer, and how it checks a signature: by ring, which TLS has in the program anyway.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk};
use ring::signature::{
    self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

/// The shortest RSA modulus, in bits (RFC 7518, section 3.3).
pub(super) const MIN_MODULUS: usize = 2048;

/// A public key, decoded once for all the signatures that it checks.
#[derive(Clone, Debug)]
pub enum PublicKey {
    /// RSA.
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// An uncompressed point of P-256.
    P256(Vec<u8>),
    /// An uncompressed point of P-384.
    P384(Vec<u8>),
    /// A point of Ed25519.
    Ed25519(Vec<u8>),
    /// P-521, which is not supported. It is kept so that a token of it is told from one of an unknown key.
    P521,
}

/// Why a JWK is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// It is symmetric, damaged or of a kind that is not known.
    Unusable,
    /// It is RSA with this many bits, so that others may have found its private key.
    Short(usize),
}

impl PublicKey {
    /// Reads the key out of a JWK (RFC 7518, section 6).
    ///
    /// # Errors
    /// [`KeyError`], see its variants.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        use EllipticCurve::{Ed25519, P256, P384, P521};
        match &jwk.algorithm {
            AlgorithmParameters::RSA(key) => {
                let key = RsaPublicKeyComponents { n: number(&key.n)?, e: number(&key.e)? };
                match bits(&key.n) {
                    short if short < MIN_MODULUS => Err(KeyError::Short(short)),
                    _ => Ok(Self::Rsa(key)),
                }
            }
            AlgorithmParameters::EllipticCurve(key) => {
                let point = |size| Ok([vec![4], sized(&key.x, size)?, sized(&key.y, size)?].concat());
                match key.curve {
                    P256 => point(32).map(Self::P256),
                    P384 => point(48).map(Self::P384),
                    P521 => point(66).map(|_| Self::P521),
                    _ => Err(KeyError::Unusable),
                }
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == Ed25519 => {
                sized(&key.x, 32).map(Self::Ed25519)
            }
            _ => Err(KeyError::Unusable),
        }
    }

    /// The algorithms that such a key may be used with.
    pub fn algorithms(&self) -> &'static [Algorithm] {
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        match self {
            Self::Rsa(_) => &[RS256, RS384, RS512, PS256, PS384, PS512],
            Self::P256(_) => &[ES256],
            Self::P384(_) => &[ES384],
            Self::Ed25519(_) => &[EdDSA],
            Self::P521 => &[],
        }
    }

    /// Whether this key made `signature` for `message` by `algorithm`, which is one of [`PublicKey::algorithms`].
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let by = |scheme: &'static dyn VerificationAlgorithm, point: &Vec<u8>| {
            UnparsedPublicKey::new(scheme, point).verify(message, signature).is_ok()
        };
        match self {
            Self::Rsa(key) => {
                rsa(algorithm).is_some_and(|scheme| key.verify(scheme, message, signature).is_ok())
            }
            Self::P256(point) => by(&signature::ECDSA_P256_SHA256_FIXED, point),
            Self::P384(point) => by(&signature::ECDSA_P384_SHA384_FIXED, point),
            Self::Ed25519(point) => by(&signature::ED25519, point),
            Self::P521 => false,
        }
    }
}

fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::RS256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

fn bytes(text: &str) -> Result<Vec<u8>, KeyError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::Unusable)
}

/// Bytes of which there must be `size`.
fn sized(text: &str, size: usize) -> Result<Vec<u8>, KeyError> {
    bytes(text).and_then(|bytes| if bytes.len() == size { Ok(bytes) } else { Err(KeyError::Unusable) })
}

/// A number without the zeros in front, which ring refuses.
fn number(text: &str) -> Result<Vec<u8>, KeyError> {
    Ok(bytes(text)?.into_iter().skip_while(|byte| *byte == 0).collect())
}

/// How many bits a number without zeros in front has.
fn bits(number: &[u8]) -> usize {
    number.len() * 8 - number.first().map_or(0, |byte| byte.leading_zeros() as usize)
}

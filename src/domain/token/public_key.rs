//! A public key of an issuer. It checks signatures by ring, which is in the program for TLS anyway.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk};
use ring::signature::{
    self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

/// The shortest RSA modulus, in bits (RFC 7518, section 3.3).
const MIN_MODULUS: usize = 2048;

/// A public key, decoded once for many signatures.
#[derive(Clone, Debug)]
pub enum PublicKey {
    /// RSA.
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// A point of P-256, P-384 (both uncompressed) or Ed25519, with the only algorithm of the curve.
    Point(&'static dyn VerificationAlgorithm, Algorithm, Vec<u8>),
    /// P-521, which is not supported. With it a token of such a key is refused for its algorithm, not for an unknown key.
    P521,
}

impl PublicKey {
    /// Reads a JWK (RFC 7518, section 6); `None` if it is symmetric, damaged or of an unknown kind.
    pub fn from_jwk(jwk: &Jwk) -> Option<Self> {
        use EllipticCurve::{Ed25519, P256, P384, P521};
        match &jwk.algorithm {
            AlgorithmParameters::RSA(key) => {
                Some(Self::Rsa(RsaPublicKeyComponents { n: number(&key.n)?, e: number(&key.e)? }))
            }
            AlgorithmParameters::EllipticCurve(key) => {
                let point = |size| Some([vec![4], sized(&key.x, size)?, sized(&key.y, size)?].concat());
                Some(match key.curve {
                    P256 => Self::Point(&signature::ECDSA_P256_SHA256_FIXED, Algorithm::ES256, point(32)?),
                    P384 => Self::Point(&signature::ECDSA_P384_SHA384_FIXED, Algorithm::ES384, point(48)?),
                    P521 => point(66).map(|_| Self::P521)?,
                    _ => return None,
                })
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == Ed25519 => {
                Some(Self::Point(&signature::ED25519, Algorithm::EdDSA, sized(&key.x, 32)?))
            }
            _ => None,
        }
    }

    /// Why the key proves nothing: others may be able to find the private key.
    pub fn weakness(&self) -> Option<String> {
        let Self::Rsa(key) = self else { return None };
        let bits = key.n.len() * 8 - key.n.first().map_or(0, |byte| byte.leading_zeros() as usize);
        (bits < MIN_MODULUS).then(|| format!("RSA with {bits} bits; at least {MIN_MODULUS} are needed"))
    }

    /// The algorithms of such a key.
    pub fn algorithms(&self) -> &[Algorithm] {
        use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
        match self {
            Self::Rsa(_) => &[RS256, RS384, RS512, PS256, PS384, PS512],
            Self::Point(_, algorithm, _) => std::slice::from_ref(algorithm),
            Self::P521 => &[],
        }
    }

    /// Whether this key made `signature` for `message` by `algorithm`, which is one of [`PublicKey::algorithms`].
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa(key) => {
                rsa(algorithm).is_some_and(|scheme| key.verify(scheme, message, signature).is_ok())
            }
            Self::Point(scheme, _, point) => {
                UnparsedPublicKey::new(*scheme, point).verify(message, signature).is_ok()
            }
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

/// Decodes exactly `size` bytes.
fn sized(text: &str, size: usize) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == size)
}

/// Decodes a number without leading zeros, which ring refuses.
fn number(text: &str) -> Option<Vec<u8>> {
    Some(URL_SAFE_NO_PAD.decode(text).ok()?.into_iter().skip_while(|byte| *byte == 0).collect())
}

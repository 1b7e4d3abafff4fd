//! One RSA key of the realm. It lives as long as the process and is never written anywhere.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::rand_core::OsRng;
use rsa::traits::PublicKeyParts;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The size of the key, in bits. Keycloak's default.
const KEY_BITS: usize = 2048;

/// A key that signs tokens, and verifies them.
#[derive(Clone)]
pub(super) struct SigningKey {
    id: String,
    modulus: String,
    exponent: String,
    signing: EncodingKey,
    verifying: DecodingKey,
}

impl SigningKey {
    /// Makes a key. Takes a while: call it where blocking is fine.
    pub(super) fn new() -> Result<Self, rsa::Error> {
        let key = rsa::RsaPrivateKey::new(&mut OsRng, KEY_BITS)?;
        let der = key.to_pkcs1_der()?;
        let (n, e) = (key.n().to_bytes_be(), key.e().to_bytes_be());
        let (modulus, exponent) = (URL_SAFE_NO_PAD.encode(&n), URL_SAFE_NO_PAD.encode(&e));
        // RFC 7638: the members that matter, in this order, without spaces.
        let thumbprint = Sha256::digest(format!(r#"{{"e":"{exponent}","kty":"RSA","n":"{modulus}"}}"#));
        Ok(Self {
            id: URL_SAFE_NO_PAD.encode(thumbprint),
            modulus,
            exponent,
            signing: EncodingKey::from_rsa_der(der.as_bytes()),
            verifying: DecodingKey::from_rsa_raw_components(&n, &e),
        })
    }

    /// The key id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The key as a JWK (RFC 7517).
    pub(super) fn jwk(&self) -> Value {
        json!({
            "kid": self.id, "kty": "RSA", "alg": "RS256", "use": "sig", "n": self.modulus, "e": self.exponent,
        })
    }

    /// The verifying half.
    pub(super) fn verifying(&self) -> &DecodingKey {
        &self.verifying
    }

    /// Signs `claims`.
    pub(super) fn sign(&self, claims: &Value) -> jsonwebtoken::errors::Result<String> {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, claims, &self.signing)
    }
}

//! One RSA key of the realm. It lives as long as the process and is never written anywhere.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::error::Unspecified;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::rand_core::OsRng;
use rsa::traits::PublicKeyParts;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The size of the key, in bits. Keycloak's default.
const KEY_BITS: usize = 2048;

/// A key that signs tokens.
#[derive(Clone)]
pub(super) struct SigningKey {
    id: String,
    modulus: String,
    exponent: String,
    signing: Arc<RsaKeyPair>,
}

impl SigningKey {
    /// Makes a key, which ring cannot do. Takes a while: call it where blocking is fine.
    pub(super) fn new() -> Result<Self, rsa::Error> {
        let key = rsa::RsaPrivateKey::new(&mut OsRng, KEY_BITS)?;
        let signing =
            RsaKeyPair::from_der(key.to_pkcs1_der()?.as_bytes()).map_err(|_| rsa::Error::Internal)?;
        let [modulus, exponent] =
            [key.n(), key.e()].map(|number| URL_SAFE_NO_PAD.encode(number.to_bytes_be()));
        // RFC 7638: the members that matter, in this order, without spaces.
        let thumbprint = Sha256::digest(format!(r#"{{"e":"{exponent}","kty":"RSA","n":"{modulus}"}}"#));
        Ok(Self { id: URL_SAFE_NO_PAD.encode(thumbprint), modulus, exponent, signing: Arc::new(signing) })
    }

    /// The key as a JWK (RFC 7517).
    pub(super) fn jwk(&self) -> Value {
        json!({
            "kid": self.id, "kty": "RSA", "alg": "RS256", "use": "sig", "n": self.modulus, "e": self.exponent,
        })
    }

    /// Signs `claims` by RS256.
    pub(super) fn sign(&self, claims: &Value) -> Result<String, Unspecified> {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.id });
        let [header, claims] = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let mut signature = vec![0; self.signing.public().modulus_len()];
        self.signing.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

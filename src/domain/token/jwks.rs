//! A JSON Web Key set (RFC 7517) as the keys that may check a signature, each with the algorithms it may check.
//!
//! Which algorithm is used is the key's business: a token that names another one is refused. Symmetric keys are left out,
//! since whoever can check with one can also sign.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::VerifyingKey;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest key set that is read, in bytes. Keycloak's are about 3 KB.
pub const MAX_KEY_SET_BYTES: usize = 1024 * 1024;

/// The most keys that are read.
const MAX_KEYS: usize = 100;

/// The shortest RSA modulus, in bits (RFC 7518, section 3.3).
const MIN_MODULUS: usize = 2048;

/// The longest RSA modulus, in bits: what the verifying library takes.
const MAX_MODULUS: usize = 4096;

/// How long keys are used without a look at whether they still are the issuer's.
const KEYS_LIVE: SignedDuration = SignedDuration::from_mins(10);

/// The shortest time between two fetches for unknown keys.
const KEYS_REST: SignedDuration = SignedDuration::from_mins(1);

/// Why a text is no key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Not `{"keys": […]}`.
    #[error("it is not a JSON Web Key set: an object with a list `keys`")]
    NotAKeySet,
    /// No key that checks signatures.
    #[error("it has no public key that checks signatures by RS, PS, ES or EdDSA")]
    NoKey,
}

/// A public key.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its `kid`.
    pub id: Option<String>,
    /// What it may check; nothing where it is of a curve that is not supported, so that a token of it is told from one
    /// of an unknown key.
    pub algorithms: Vec<Algorithm>,
    /// The key itself.
    pub key: DecodingKey,
}

/// A key that is not used, since others than its owner can sign with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedKey {
    /// Its `kid`.
    pub id: Option<String>,
    /// Why it proves nothing.
    #[serde(serialize_with = "in_words")]
    pub reason: Weakness,
}

/// Why a key proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Its modulus can be factored.
    #[error("RSA with {0} bits; at least {MIN_MODULUS} are needed")]
    ShortModulus(usize),
    /// One signature fits many texts, without a private key.
    #[error("an Ed25519 point of small order, for which anybody can sign")]
    SmallOrder,
}

impl fmt::Display for RefusedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(f, "`{id}`: {}", self.reason),
            None => write!(f, "without id: {}", self.reason),
        }
    }
}

fn in_words<S: serde::Serializer>(reason: &Weakness, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(reason)
}

/// The public keys of an issuer.
#[derive(Clone, Debug)]
pub struct KeySet {
    keys: Vec<Key>,
    refused: Vec<RefusedKey>,
}

/// When keys were fetched, and whether they may be fetched again: however many tokens name keys that nobody knows, the
/// issuer is asked once in a while.
#[derive(Clone, Copy, Debug)]
pub struct Freshness {
    fetched: Timestamp,
    /// When a token with an unknown key last had them fetched.
    asked: Option<Timestamp>,
}

impl Freshness {
    /// Keys that were fetched at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self { fetched: now, asked: None }
    }

    /// Whether they are so old that one of them may have been withdrawn.
    pub fn is_over(self, now: Timestamp) -> bool {
        now.duration_since(self.fetched) >= KEYS_LIVE
    }

    /// Whether an unknown key is a reason to fetch them again: once at any time, then once in [`KEYS_REST`].
    pub fn may_ask(self, now: Timestamp) -> bool {
        self.asked.is_none_or(|asked| now.duration_since(asked) >= KEYS_REST)
    }

    /// The same after the realm was asked because of an unknown key, whatever it said.
    #[must_use]
    pub fn asked(self, now: Timestamp) -> Self {
        Self { asked: Some(now), ..self }
    }
}

/// The members of a JWK that matter here.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a key set. A key of a kind that is not known is left out, as RFC 7517, section 5, wants it. One that is too weak
    /// is refused.
    ///
    /// # Errors
    /// [`KeySetError`], see its variants.
    pub fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        #[derive(Deserialize)]
        struct Wire {
            keys: Vec<Value>,
        }
        let wire: Wire = serde_json::from_slice(json).map_err(|_| KeySetError::NotAKeySet)?;
        let jwks = wire.keys.into_iter().take(MAX_KEYS).filter_map(|key| serde_json::from_value(key).ok());
        let mut set = Self { keys: Vec::new(), refused: Vec::new() };
        for found in jwks.filter_map(|jwk: Jwk| jwk.key()) {
            match found {
                Ok(key) => set.keys.push(key),
                Err(refused) => set.refused.push(refused),
            }
        }
        if set.keys.is_empty() && set.refused.is_empty() { Err(KeySetError::NoKey) } else { Ok(set) }
    }

    /// The keys that are too weak to be used.
    pub fn refused(&self) -> &[RefusedKey] {
        &self.refused
    }

    /// The refused key that the `kid` of a header names; the first one where it names none.
    pub fn refused_of(&self, id: Option<&str>) -> Option<&RefusedKey> {
        self.refused.iter().find(|key| id.is_none() || key.id.as_deref() == id)
    }

    /// The keys that may have signed a token whose header names `id`: those of that id, else those without one.
    pub fn candidates(&self, id: Option<&str>) -> Vec<&Key> {
        let Some(id) = id else { return self.keys.iter().collect() };
        let named: Vec<&Key> = self.keys.iter().filter(|key| key.id.as_deref() == Some(id)).collect();
        if named.is_empty() { self.keys.iter().filter(|key| key.id.is_none()).collect() } else { named }
    }
}

impl Jwk {
    fn key(self) -> Option<Result<Key, RefusedKey>> {
        let signs = self.purpose.as_deref().is_none_or(|purpose| purpose == "sig");
        let verifies = self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !signs || !verifies {
            return None;
        }
        let (key, able) = match self.material()? {
            Ok(material) => material,
            Err(reason) => return Some(Err(RefusedKey { id: self.kid, reason })),
        };
        let algorithms = match &self.alg {
            None => able.to_vec(),
            Some(name) => able.iter().copied().filter(|known| algorithm(name) == Some(*known)).collect(),
        };
        (able.is_empty() || !algorithms.is_empty()).then_some(Ok(Key { id: self.kid, algorithms, key }))
    }

    fn material(&self) -> Option<Result<Material, Weakness>> {
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        let bytes = |field: &Option<String>| URL_SAFE_NO_PAD.decode(field.as_deref()?).ok();
        let point = |size: usize| {
            let (x, y) = (bytes(&self.x)?, bytes(&self.y)?);
            (x.len() == size && y.len() == size)
                .then(|| DecodingKey::from_ec_der(&[&[4], x.as_slice(), y.as_slice()].concat()))
        };
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => {
                let (n, e) = (bytes(&self.n)?, bytes(&self.e)?);
                match bits(&n) {
                    short if short < MIN_MODULUS => Some(Err(Weakness::ShortModulus(short))),
                    long if long > MAX_MODULUS => None,
                    _ => {
                        let key = DecodingKey::from_rsa_raw_components(&n, &e);
                        Some(Ok((key, &[RS256, RS384, RS512, PS256, PS384, PS512])))
                    }
                }
            }
            ("EC", Some("P-256")) => Some(Ok((point(32)?, &[ES256]))),
            ("EC", Some("P-384")) => Some(Ok((point(48)?, &[ES384]))),
            ("EC", Some("P-521")) => Some(Ok((point(66)?, &[]))),
            ("EC", Some("secp256k1")) => Some(Ok((point(32)?, &[]))),
            ("OKP", Some("Ed25519")) => {
                let x: [u8; 32] = bytes(&self.x)?.try_into().ok()?;
                if VerifyingKey::from_bytes(&x).ok()?.is_weak() {
                    return Some(Err(Weakness::SmallOrder));
                }
                Some(Ok((DecodingKey::from_ed_der(&x), &[EdDSA])))
            }
            _ => None,
        }
    }
}

/// A key, and what a key of its kind is able to check.
type Material = (DecodingKey, &'static [Algorithm]);

/// How many bits a number has; the zeros in front do not count.
fn bits(bytes: &[u8]) -> usize {
    let digits =
        bytes.iter().position(|byte| *byte != 0).and_then(|first| bytes.get(first..)).unwrap_or_default();
    let unused = digits.first().map_or(0, |byte| byte.leading_zeros() as usize);
    digits.len() * 8 - unused
}

/// The asymmetric algorithm of this name (RFC 7518, section 3.1), in this very spelling.
pub fn algorithm(name: &str) -> Option<Algorithm> {
    Some(match name {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        "EdDSA" => Algorithm::EdDSA,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;

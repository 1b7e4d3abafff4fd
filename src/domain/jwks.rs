//! A JSON Web Key set (RFC 7517) as the keys that may check a signature, each with the algorithms it may check.
//!
//! Which algorithm is used is the key's business: a token that names another one is refused. Symmetric keys are left out,
//! since whoever can check with one can also sign.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// The longest key set that is read, in bytes. Keycloak's are about 3 KB.
pub const MAX_KEY_SET_BYTES: usize = 1024 * 1024;

/// The most keys that are read.
const MAX_KEYS: usize = 100;

/// The shortest RSA modulus, in bytes: RFC 7518, section 3.3, asks for 2048 bits.
const MIN_MODULUS: usize = 256;

/// The longest RSA modulus, in bytes: what the verifying library takes.
const MAX_MODULUS: usize = 512;

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

/// The public keys of an issuer.
#[derive(Clone, Debug)]
pub struct KeySet(Vec<Key>);

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
    /// Reads a key set. A key of a kind that is not known is left out, as RFC 7517, section 5, wants it.
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
        let keys: Vec<Key> = jwks.filter_map(|jwk: Jwk| jwk.key()).collect();
        if keys.is_empty() { Err(KeySetError::NoKey) } else { Ok(Self(keys)) }
    }

    /// The keys that may have signed a token whose header names `id`: those of that id, else those without one.
    pub fn candidates(&self, id: Option<&str>) -> Vec<&Key> {
        let Some(id) = id else { return self.0.iter().collect() };
        let named: Vec<&Key> = self.0.iter().filter(|key| key.id.as_deref() == Some(id)).collect();
        if named.is_empty() { self.0.iter().filter(|key| key.id.is_none()).collect() } else { named }
    }
}

impl Jwk {
    fn key(self) -> Option<Key> {
        let signs = self.purpose.as_deref().is_none_or(|purpose| purpose == "sig");
        let verifies = self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !signs || !verifies {
            return None;
        }
        let (key, able) = self.material()?;
        let algorithms = match &self.alg {
            None => able.to_vec(),
            Some(name) => able.iter().copied().filter(|known| algorithm(name) == Some(*known)).collect(),
        };
        (able.is_empty() || !algorithms.is_empty()).then_some(Key { id: self.kid, algorithms, key })
    }

    /// The key, and what a key of its kind is able to check.
    fn material(&self) -> Option<(DecodingKey, &'static [Algorithm])> {
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
                let is_sound = (MIN_MODULUS..=MAX_MODULUS).contains(&n.len());
                let key = is_sound.then(|| DecodingKey::from_rsa_raw_components(&n, &e))?;
                Some((key, &[RS256, RS384, RS512, PS256, PS384, PS512]))
            }
            ("EC", Some("P-256")) => Some((point(32)?, &[ES256])),
            ("EC", Some("P-384")) => Some((point(48)?, &[ES384])),
            ("EC", Some("P-521")) => Some((point(66)?, &[])),
            ("EC", Some("secp256k1")) => Some((point(32)?, &[])),
            ("OKP", Some("Ed25519")) => {
                let x = bytes(&self.x).filter(|x| x.len() == 32)?;
                Some((DecodingKey::from_ed_der(&x), &[EdDSA]))
            }
            _ => None,
        }
    }
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

//! A JSON Web Key set (RFC 7517) as the keys that may check a signature, each with the algorithms it may check.
//!
//! Which algorithm is used is the key's business: a token that names another one is refused. Symmetric keys are left out,
//! since whoever can check with one can also sign.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{Jwk, KeyOperations, PublicKeyUse};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::public_key::{KeyError, MIN_MODULUS, PublicKey};

/// The longest key set that is read, in bytes. Keycloak's are about 3 KB.
pub const MAX_KEY_SET_BYTES: usize = 1024 * 1024;

/// The most keys that are read.
const MAX_KEYS: usize = 100;

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

/// A public key that the issuer lists.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its `kid`.
    pub id: Option<String>,
    /// The algorithms that it may be used with.
    pub algorithms: Vec<Algorithm>,
    /// The key itself.
    pub public: PublicKey,
}

/// A key that is not used, since others than its owner may be able to sign with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedKey {
    /// Its `kid`.
    pub id: Option<String>,
    /// Why it proves nothing.
    pub reason: String,
}

impl fmt::Display for RefusedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(f, "`{id}`: {}", self.reason),
            None => write!(f, "without id: {}", self.reason),
        }
    }
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
        let mut set = Self { keys: Vec::new(), refused: Vec::new() };
        // One by one: a key that cannot be read does not spoil the others.
        for jwk in wire.keys.into_iter().take(MAX_KEYS).filter_map(|key| serde_json::from_value(key).ok()) {
            set.add(&jwk);
        }
        if set.keys.is_empty() && set.refused.is_empty() { Err(KeySetError::NoKey) } else { Ok(set) }
    }

    fn add(&mut self, jwk: &Jwk) {
        let id = jwk.common.key_id.clone();
        let signs =
            jwk.common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
        let ops = jwk.common.key_operations.as_ref();
        if !signs || !ops.is_none_or(|ops| ops.contains(&KeyOperations::Verify)) {
            return;
        }
        match PublicKey::from_jwk(jwk) {
            Ok(public) => {
                let able = public.algorithms();
                let is_allowed =
                    |known: &&Algorithm| jwk.common.key_algorithm.is_none_or(|only| only == (**known).into());
                let algorithms: Vec<Algorithm> = able.iter().filter(is_allowed).copied().collect();
                if able.is_empty() || !algorithms.is_empty() {
                    self.keys.push(Key { id, algorithms, public });
                }
            }
            Err(KeyError::Short(bits)) => {
                let reason = format!("RSA with {bits} bits; at least {MIN_MODULUS} are needed");
                self.refused.push(RefusedKey { id, reason });
            }
            Err(KeyError::Unusable) => {}
        }
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

#[cfg(test)]
mod tests;

//! Reads a JSON Web Key set (RFC 7517): the keys that may check signatures, each with its algorithms.
//!
//! The key decides about the algorithm: a token with another one is refused. Symmetric keys are ignored, because whoever can
//! check a signature with such a key can also sign.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{Jwk, KeyOperations, PublicKeyUse};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::client::invalid::Invalid;

use super::public_key::PublicKey;

/// The longest key set that is read, in bytes. Keycloak's are about 3 KB.
pub const MAX_KEY_SET_BYTES: usize = 1024 * 1024;

/// The most keys that are read.
const MAX_KEYS: usize = 100;

/// How long fetched keys are used before they are fetched again.
const KEYS_LIVE: SignedDuration = SignedDuration::from_mins(10);

/// The shortest time between two fetches for unknown keys.
const KEYS_REST: SignedDuration = SignedDuration::from_mins(1);

/// A public key of the issuer.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its `kid`.
    pub id: Option<String>,
    /// Its algorithms.
    pub algorithms: Vec<Algorithm>,
    /// The key itself.
    pub public: PublicKey,
}

/// A weak key. It is not used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedKey {
    /// Its `kid`.
    pub id: Option<String>,
    /// Why it is refused.
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
    /// The weak keys.
    pub refused: Vec<RefusedKey>,
}

/// When keys were fetched, and whether they may be fetched again. This limits the requests if many tokens name unknown keys.
#[derive(Clone, Copy, Debug)]
pub struct Freshness {
    fetched: Timestamp,
    /// When they were last fetched because of an unknown key.
    asked: Option<Timestamp>,
}

impl Freshness {
    /// Keys that were fetched at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self { fetched: now, asked: None }
    }

    /// Whether they are too old, because the issuer may have withdrawn one.
    pub fn is_over(self, now: Timestamp) -> bool {
        now.duration_since(self.fetched) >= KEYS_LIVE
    }

    /// Whether to fetch them again because of an unknown key: the first time at once, later once in [`KEYS_REST`].
    pub fn may_ask(self, now: Timestamp) -> bool {
        self.asked.is_none_or(|asked| now.duration_since(asked) >= KEYS_REST)
    }

    /// Notes that they were fetched because of an unknown key, with or without success.
    #[must_use]
    pub fn asked(self, now: Timestamp) -> Self {
        Self { asked: Some(now), ..self }
    }
}

impl KeySet {
    /// Reads a key set. Keys of an unknown kind are ignored, as RFC 7517, section 5, demands. Weak keys are refused.
    pub fn parse(json: &[u8]) -> Result<Self, Invalid> {
        #[derive(Deserialize)]
        struct Wire {
            keys: Vec<Value>,
        }
        let not_a_set = |_| Invalid::new("it is not a JSON Web Key set: an object with a list `keys`");
        let wire: Wire = serde_json::from_slice(json).map_err(not_a_set)?;
        let mut set = Self { keys: Vec::new(), refused: Vec::new() };
        // One by one, so that the others are read if one is malformed.
        for jwk in wire.keys.into_iter().take(MAX_KEYS).filter_map(|key| serde_json::from_value(key).ok()) {
            set.add(&jwk);
        }
        if set.keys.is_empty() && set.refused.is_empty() {
            return Err(Invalid::new("it has no public key that checks signatures by RS, PS, ES or EdDSA"));
        }
        Ok(set)
    }

    fn add(&mut self, jwk: &Jwk) {
        let Jwk { common, .. } = jwk;
        let signs = common.public_key_use.as_ref().is_none_or(|it| *it == PublicKeyUse::Signature)
            && common.key_operations.as_ref().is_none_or(|it| it.contains(&KeyOperations::Verify));
        let Some(public) = PublicKey::from_jwk(jwk).filter(|_| signs) else { return };
        let id = common.key_id.clone();
        if let Some(reason) = public.weakness() {
            self.refused.push(RefusedKey { id, reason });
            return;
        }
        let is_allowed =
            |known: &&Algorithm| common.key_algorithm.is_none_or(|only| only == (**known).into());
        let algorithms: Vec<Algorithm> = public.algorithms().iter().filter(is_allowed).copied().collect();
        if public.algorithms().is_empty() || !algorithms.is_empty() {
            self.keys.push(Key { id, algorithms, public });
        }
    }

    /// The refused key with this id; the first one if the header has no `kid`.
    pub fn refused_of(&self, id: Option<&str>) -> Option<&RefusedKey> {
        self.refused.iter().find(|key| id.is_none() || key.id.as_deref() == id)
    }

    /// The keys that may have signed a token with the `kid` `id`: those with that id, else those without one.
    pub fn candidates(&self, id: Option<&str>) -> Vec<&Key> {
        let Some(id) = id else { return self.keys.iter().collect() };
        let named: Vec<&Key> = self.keys.iter().filter(|key| key.id.as_deref() == Some(id)).collect();
        if named.is_empty() { self.keys.iter().filter(|key| key.id.is_none()).collect() } else { named }
    }
}

#[cfg(test)]
mod tests;

//! Decides whether a cached token may be used.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::domain::client::secret::AccessToken;

use super::cache_key::CacheKey;
use super::grant::{self, Token};
use super::jwt;
use super::scope::{ScopeRequest, ScopeSet};

/// The default remaining lifetime that a cached token must have; for short-lived tokens it is a third of their lifetime.
const MARGIN: SignedDuration = SignedDuration::from_secs(30);

/// Which tokens a command accepts from the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CachePolicy {
    /// Whether the cache is used at all.
    pub mode: CacheMode,
    /// `--min-ttl`: the remaining lifetime that every token must have, cached or new.
    pub min_ttl: Option<Duration>,
    /// The remaining lifetime that a cached token must have. A new token may live shorter.
    pub preferred_ttl: Option<Duration>,
}

/// Whether the cache is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheMode {
    /// Take a good token from the cache, else mint one and cache it.
    Use,
    /// Mint a token and cache it.
    Refresh,
    /// Mint a token; neither read nor write the cache.
    Bypass,
}

impl CachePolicy {
    /// Mints a token that is not cached.
    pub const BYPASS: Self = Self::new(CacheMode::Bypass);

    /// This mode, without a required lifetime.
    pub const fn new(mode: CacheMode) -> Self {
        Self { mode, min_ttl: None, preferred_ttl: None }
    }

    /// The same policy, but mints a new token.
    #[must_use]
    pub fn with_refresh(self) -> Self {
        let mode = if self.mode == CacheMode::Bypass { CacheMode::Bypass } else { CacheMode::Refresh };
        Self { mode, ..self }
    }

    /// The remaining lifetime that a cached token must have. `life` is its whole lifetime.
    fn margin(self, life: SignedDuration) -> SignedDuration {
        match self.min_ttl.max(self.preferred_ttl) {
            Some(asked) => SignedDuration::try_from(asked).unwrap_or(SignedDuration::MAX),
            None => MARGIN.min(life / 3),
        }
    }

    /// The required lifetime, if this new token lives shorter.
    pub fn unmet_min_ttl(self, token: &Token) -> Option<Duration> {
        let life = Duration::from_secs(u64::try_from(token.expires_in).unwrap_or_default());
        self.min_ttl.filter(|asked| *asked > life)
    }
}

/// A token as the cache stores it.
#[derive(Serialize, Deserialize)]
pub struct CachedToken {
    /// The name of its key: an entry that was moved to another key is not used.
    key: String,
    access_token: Zeroizing<String>,
    granted: Vec<String>,
    /// Its lifetime in seconds, counted from `minted`.
    expires_in: i64,
    /// When it was requested, in milliseconds of Unix time.
    minted: i64,
}

impl CachedToken {
    /// `token`, requested at `minted`, for the entry of `key`.
    pub fn new(token: &Token, minted: Timestamp, key: &CacheKey) -> Self {
        Self {
            key: key.name().to_owned(),
            access_token: Zeroizing::new(token.access_token.secret().expose().to_owned()),
            granted: token.granted.to_strings(),
            expires_in: token.expires_in,
            minted: minted.as_millisecond(),
        }
    }

    /// The entry's content.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Texts and numbers always become JSON.
        Zeroizing::new(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads the entry of `key`; `None` if it is damaged or belongs to another key.
    pub fn from_bytes(bytes: &[u8], key: &CacheKey) -> Option<Self> {
        let cached: Self = serde_json::from_slice(bytes).ok()?;
        (cached.key == key.name()).then_some(cached)
    }

    /// When the token expires: by the server's answer or by its own claim, whichever is sooner. `None` if one of them is not a
    /// date.
    pub fn expires_at(&self) -> Option<Timestamp> {
        let minted = Timestamp::from_second(self.minted.div_euclid(1000)).ok()?;
        let stated = minted.checked_add(SignedDuration::from_secs(self.expires_in)).ok()?;
        let claimed = jwt::claimed(&self.access_token).ok()?.expires_at;
        Some(claimed.map_or(stated, |claimed| claimed.min(stated)))
    }

    /// The token, if it grants exactly what is requested and lives long enough. Not used if `now` is before it was minted: the
    /// clock was set back.
    pub fn usable(&self, requested: &ScopeRequest, now: Timestamp, policy: CachePolicy) -> Option<Token> {
        let (life, expires_at) = (SignedDuration::from_secs(self.expires_in), self.expires_at()?);
        let left = expires_at.duration_since(now);
        if now.as_millisecond() < self.minted || !left.is_positive() || left < policy.margin(life) {
            return None;
        }
        let access_token = AccessToken::parse(&self.access_token)?;
        let granted = ScopeSet::from_wire(&self.granted.join(" "));
        grant::recheck(requested, &granted, &access_token).then(|| Token {
            access_token,
            expires_at,
            expires_in: left.as_secs(),
            granted,
            cached: true,
        })
    }
}

#[cfg(test)]
mod tests;

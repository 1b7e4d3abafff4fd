//! Whether a token that was minted before will do. No clock is trusted by itself: the wall clock is set by people and
//! servers, and the machine's own stand still in one way or another while it sleeps. Where they tell different stories,
//! the token counts as old.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::domain::client::secret::AccessToken;

use super::cache_key::CacheKey;
use super::grant::{self, Token};
use super::jwt;
use super::scope::{Ask, ScopeSet};

/// The life that a token must have left, where nothing else is asked for, unless a third of its life is less.
const MARGIN: SignedDuration = SignedDuration::from_secs(30);

/// How far the clocks may differ over the life of a token. A clock that is being corrected runs at most 0.5 ms in a second
/// fast or slow (adjtimex(2)): 0.15 s in Corti's 300.
const DRIFT: SignedDuration = SignedDuration::from_secs(1);

/// How much of a token that was minted before will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reuse {
    /// `--min-ttl`: how long a token must live at least; one that lives less is not handed out.
    pub min_ttl: Option<Duration>,
    /// How long a cached token should live at least: else a new one takes its place, however long that lives.
    pub preferred_ttl: Option<Duration>,
    /// Whether the cache is used.
    pub mode: Mode,
}

/// Whether the cache is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A cached token, if it will do; else a new one, which is cached.
    Cached,
    /// A new token, which is cached.
    Refresh,
    /// A new token, and the cache is neither read nor written.
    NoCache,
}

impl Reuse {
    /// How long a cached token must still live, of the `life` that it had when it was minted.
    fn margin(self, life: SignedDuration) -> SignedDuration {
        match self.min_ttl.max(self.preferred_ttl) {
            Some(asked) => SignedDuration::try_from(asked).unwrap_or(SignedDuration::MAX),
            None => MARGIN.min(life / 3),
        }
    }

    /// The required lifetime, where this new token's is shorter.
    pub fn missing_lifetime(self, token: &Token) -> Option<Duration> {
        let life = Duration::from_secs(u64::try_from(token.expires_in).unwrap_or_default());
        self.min_ttl.filter(|asked| *asked > life)
    }
}

/// A moment by all the clocks of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// The wall clock, in milliseconds of Unix time.
    pub wall: i64,
    /// Milliseconds since the machine started, those of its sleep included.
    pub since_boot: i64,
    /// The same without its sleep.
    pub awake: i64,
    /// Which start of the machine that was; empty where that cannot be told.
    pub boot: String,
}

impl Moment {
    /// How long ago `earlier` was: the longest that any clock says. `None` where they disagree, or time ran backwards.
    fn since(&self, earlier: &Self) -> Option<SignedDuration> {
        let apart = |now: i64, then: i64| {
            now.checked_sub(then).filter(|it| *it >= 0).map(SignedDuration::from_millis)
        };
        let all = [
            apart(self.wall, earlier.wall)?,
            apart(self.since_boot, earlier.since_boot)?,
            apart(self.awake, earlier.awake)?,
        ];
        let (least, most) = (all.into_iter().min()?, all.into_iter().max()?);
        (self.boot == earlier.boot && most.checked_sub(least)? <= DRIFT).then_some(most)
    }
}

/// A token in the cache.
#[derive(Clone, Debug)]
pub struct Entry {
    access_token: AccessToken,
    granted: ScopeSet,
    /// Seconds that it lives from `minted` on.
    expires_in: i64,
    minted: Moment,
}

/// How an entry is written. It says which key it is for, so that one that got into another's place is told.
#[derive(Serialize, Deserialize)]
struct Written {
    key: String,
    access_token: Zeroizing<String>,
    granted: Vec<String>,
    expires_in: i64,
    minted: Moment,
}

impl Entry {
    /// `token`, which was asked for at `minted`: no clock of a server's is earlier.
    pub fn new(token: &Token, minted: Moment) -> Self {
        let Token { access_token, granted, expires_in, .. } = token;
        Self { access_token: access_token.clone(), granted: granted.clone(), expires_in: *expires_in, minted }
    }

    /// The entry as it is stored under `key`.
    pub fn to_bytes(&self, key: &CacheKey) -> Zeroizing<Vec<u8>> {
        let written = Written {
            key: key.name().to_owned(),
            access_token: Zeroizing::new(self.access_token.secret().expose().to_owned()),
            granted: self.granted.to_strings(),
            expires_in: self.expires_in,
            minted: self.minted.clone(),
        };
        // Texts and numbers always become JSON.
        Zeroizing::new(serde_json::to_vec(&written).unwrap_or_default())
    }

    /// Reads what was found under `key`; `None` where that is damaged, or is another key's.
    pub fn from_bytes(bytes: &[u8], key: &CacheKey) -> Option<Self> {
        let written: Written = serde_json::from_slice(bytes).ok()?;
        if written.key != key.name() {
            return None;
        }
        Some(Self {
            access_token: AccessToken::parse(&written.access_token)?,
            granted: ScopeSet::from_wire(&written.granted.join(" ")),
            expires_in: written.expires_in,
            minted: written.minted,
        })
    }

    /// When the token stops working, by the wall clock: as the server said or as the token itself says, whichever is
    /// sooner. `None` where one of them is no date.
    pub fn expires_at(&self) -> Option<Timestamp> {
        let minted = Timestamp::from_second(self.minted.wall.div_euclid(1000)).ok()?;
        let stated = minted.checked_add(SignedDuration::from_secs(self.expires_in)).ok()?;
        let claimed = jwt::claimed_expiry(self.access_token.secret().expose()).ok()?;
        Some(claimed.map_or(stated, |claimed| claimed.min(stated)))
    }

    /// The token, if it will do: it does what is asked and no more, and has enough of its life left.
    pub fn decide(&self, ask: &Ask, now: &Moment, reuse: Reuse) -> Option<Token> {
        let (life, age) = (SignedDuration::from_secs(self.expires_in), now.since(&self.minted)?);
        let expires_at = self.expires_at()?;
        let by_wall = expires_at.duration_since(Timestamp::from_millisecond(now.wall).ok()?);
        let left = by_wall.min(life.checked_sub(age)?);
        if !left.is_positive() || left < reuse.margin(life) {
            return None;
        }
        grant::recheck(ask, &self.granted, &self.access_token).then(|| Token {
            access_token: self.access_token.clone(),
            expires_at,
            expires_in: left.as_secs(),
            granted: self.granted.clone(),
            cached: true,
        })
    }
}

#[cfg(test)]
mod tests;

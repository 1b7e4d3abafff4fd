//! The limits of a caller, and how they are written in `serve.toml`.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de};

use crate::domain::client::invalid::Invalid;

/// How often something may happen: `20/s`, `10/min`, `100/h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Rate {
    /// How many times.
    pub count: NonZeroU32,
    /// In which time.
    pub per: Duration,
}

const UNITS: [(&str, u64); 3] = [("s", 1), ("min", 60), ("h", 3600)];

impl TryFrom<String> for Rate {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        let read = || {
            let (count, unit) = text.split_once('/')?;
            let (_, seconds) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
            Some(Self { count: count.parse().ok()?, per: Duration::from_secs(seconds) })
        };
        read().ok_or_else(|| Invalid::new(format!("`{text}` is not a rate such as 20/s, 10/min or 100/h")))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.into_iter().find(|(_, seconds)| Duration::from_secs(*seconds) == self.per);
        write!(f, "{}/{}", self.count, unit.map_or("", |(name, _)| name))
    }
}

/// A number of bytes: `512MiB`, `64KiB`, `1GiB`, `100`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Bytes(pub u64);

const SIZES: [(&str, u32); 4] = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("", 0)];

impl TryFrom<String> for Bytes {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        let read = || {
            let (number, shift) =
                SIZES.into_iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)))?;
            let bytes = number.parse::<u64>().ok()?.checked_mul(1 << shift)?;
            (bytes > 0).then_some(Self(bytes))
        };
        read().ok_or_else(|| Invalid::new(format!("`{text}` is not a size such as 512MiB, 64KiB or 1GiB")))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, shift): &(&str, u32)| self.0.trailing_zeros() >= *shift && self.0 >> shift > 0;
        let (unit, shift) = SIZES.into_iter().find(fits).unwrap_or_default();
        write!(f, "{}{unit}", self.0 >> shift)
    }
}

/// Limits as they are written: each may be missing.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenLimits {
    /// Requests.
    pub rate: Option<Rate>,
    /// Requests that may come at once.
    pub burst: Option<NonZeroU32>,
    /// Requests that are answered at once.
    pub requests: Option<u32>,
    /// WebSockets that are open at once.
    pub sockets: Option<u32>,
    /// How long a WebSocket may stay open.
    #[serde(default, deserialize_with = "session")]
    pub session: Option<Duration>,
    /// The longest body of a request.
    pub body: Option<Bytes>,
    /// Tokens and sessions from the broker.
    pub tokens: Option<Rate>,
}

/// The limits of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests.
    pub rate: Rate,
    /// Requests that may come at once.
    pub burst: NonZeroU32,
    /// Requests that are answered at once.
    pub requests: u32,
    /// WebSockets that are open at once.
    pub sockets: u32,
    /// How long a WebSocket may stay open.
    pub session: Duration,
    /// The longest body of a request.
    pub body: Bytes,
    /// Tokens and sessions from the broker.
    pub tokens: Rate,
}

const fn rate(count: u32, seconds: u64) -> Rate {
    Rate { count: at_least_one(count), per: Duration::from_secs(seconds) }
}

const fn at_least_one(count: u32) -> NonZeroU32 {
    match NonZeroU32::new(count) {
        Some(count) => count,
        None => NonZeroU32::MIN,
    }
}

impl Limits {
    /// Where `serve.toml` says nothing. A recording may have 150 MB (Corti's documents).
    pub const DEFAULT: Self = Self {
        rate: rate(20, 1),
        burst: at_least_one(40),
        requests: 50,
        sockets: 2,
        session: Duration::from_secs(7200),
        body: Bytes(512 << 20),
        tokens: rate(10, 60),
    };

    /// These limits, where `given` does not say otherwise.
    #[must_use]
    pub fn with(self, given: &GivenLimits) -> Self {
        Self {
            rate: given.rate.unwrap_or(self.rate),
            burst: given.burst.unwrap_or(self.burst),
            requests: given.requests.unwrap_or(self.requests),
            sockets: given.sockets.unwrap_or(self.sockets),
            session: given.session.unwrap_or(self.session),
            body: given.body.unwrap_or(self.body),
            tokens: given.tokens.unwrap_or(self.tokens),
        }
    }

    /// How long a WebSocket may stay open, as `2h` when shown by `{:#}`.
    pub fn session(&self) -> SignedDuration {
        SignedDuration::try_from(self.session).unwrap_or(SignedDuration::MAX)
    }

    /// The wider of each: several rules apply to one caller.
    #[must_use]
    pub fn wider(self, other: Self) -> Self {
        let faster = |one: Rate, two: Rate| {
            let times = |it: Rate, per: Duration| u128::from(it.count.get()) * per.as_millis();
            if times(two, one.per) > times(one, two.per) { two } else { one }
        };
        Self {
            rate: faster(self.rate, other.rate),
            burst: self.burst.max(other.burst),
            requests: self.requests.max(other.requests),
            sockets: self.sockets.max(other.sockets),
            session: self.session.max(other.session),
            body: self.body.max(other.body),
            tokens: faster(self.tokens, other.tokens),
        }
    }
}

/// The longest session.
const LONGEST_SESSION: Duration = Duration::from_secs(86_400);

/// Reads a duration such as `2h`.
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let duration = text.parse::<SignedDuration>().ok().and_then(|it| Duration::try_from(it).ok());
    duration.ok_or_else(|| de::Error::custom(format!("`{text}` is not a duration such as 2h, 30m or 5s")))
}

fn session<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let given = Some(duration(deserializer)?).filter(|it| !it.is_zero() && *it <= LONGEST_SESSION);
    given.map(Some).ok_or_else(|| de::Error::custom("session must be more than 0 and at most 24h"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_sizes_are_read_and_shown() {
        for text in ["20/s", "10/min", "100/h"] {
            assert_eq!(Rate::try_from(text.to_owned()).unwrap().to_string(), text);
        }
        for text in ["512MiB", "1GiB", "3KiB", "1000"] {
            assert_eq!(Bytes::try_from(text.to_owned()).unwrap().to_string(), text);
        }
        for text in ["", "0/s", "-1/s", "20", "20/day", "20 / s", "4294967296/s"] {
            assert!(Rate::try_from(text.to_owned()).is_err(), "{text}");
        }
        for text in ["", "0", "0MiB", "MiB", "1MB", "-1", "18446744073709551615KiB"] {
            assert!(Bytes::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn the_wider_limit_holds() {
        let limits = |rate: &str, sockets| Limits {
            rate: Rate::try_from(rate.to_owned()).unwrap(),
            sockets,
            ..Limits::DEFAULT
        };
        let wider = limits("1/s", 5).wider(limits("70/min", 0));
        assert_eq!((wider.rate.to_string().as_str(), wider.sockets), ("70/min", 5));
        assert_eq!(limits("2/s", 1).wider(limits("70/min", 1)).rate.to_string(), "2/s");
    }
}

//! What the sandbox does wrong on purpose, for users who test their own retries and for this project's tests.
//!
//! Set by flags at start and by the control endpoint while it runs. Pure: what a knob does to a request is elsewhere.

use std::ops::RangeInclusive;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::realm::LIFETIME;

/// The knobs, by the names of the control endpoint's JSON. The defaults do nothing wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// Milliseconds that every answer waits.
    pub latency_ms: u64,
    /// The HTTP status of the next token requests that fail, 400 to 599.
    pub fail_status: u16,
    /// How many token requests fail.
    pub fail_count: u32,
    /// Seconds that a failing answer says to wait in `Retry-After`; it says nothing where this is null.
    pub retry_after: Option<u32>,
    /// How many of the next connections are closed without an answer; those to the control endpoint do not count.
    pub drop_connections: u32,
    /// How many of the next token answers break off in the middle of the body.
    pub truncate_answers: u32,
    /// What the next requests to the API and its WebSockets that fail are answered with.
    pub api_fault: ApiFault,
    /// How many of them fail.
    pub api_fail_count: u32,
    /// Whether a token's scopes count for nothing: each that is valid opens everything.
    pub ignore_scopes: bool,
    /// Whether the API's refusals say no more than their status does.
    pub terse: bool,
    /// Seconds that new tokens live.
    pub token_lifetime: i64,
    /// Seconds that the server's clock is ahead; behind where negative.
    pub clock_skew: i64,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            fail_status: 503,
            fail_count: 0,
            retry_after: None,
            drop_connections: 0,
            truncate_answers: 0,
            api_fault: ApiFault::default(),
            api_fail_count: 0,
            ignore_scopes: false,
            terse: false,
            token_lifetime: LIFETIME,
            clock_skew: 0,
        }
    }
}

/// What goes wrong with one request to the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApiFault {
    /// 502 with a page of HTML, from a gateway in front of the API.
    #[default]
    Gateway,
    /// 429: too many requests.
    RateLimit,
    /// 429: the credits are used up.
    Quota,
    /// 500.
    Breakdown,
    /// 504.
    Timeout,
}

impl ApiFault {
    /// All of them, by the names of the flag and of the control endpoint.
    pub const ALL: [(&'static str, Self); 5] = [
        ("gateway", Self::Gateway),
        ("rate-limit", Self::RateLimit),
        ("quota", Self::Quota),
        ("breakdown", Self::Breakdown),
        ("timeout", Self::Timeout),
    ];
}

/// Why knobs cannot be set like this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KnobError {
    /// Not a status that fails.
    #[error("fail_status is {0}, and must be from 400 to 599")]
    Status(u16),
    /// A token that is never valid.
    #[error("token_lifetime is {0}, and must be from 1 to 86400")]
    Lifetime(i64),
    /// A clock that no calendar has.
    #[error("clock_skew is {0}, and must be at most a year either way")]
    Skew(i64),
    /// An answer that nobody waits for.
    #[error("latency_ms is {0}, and must be at most 600000")]
    Latency(u64),
}

/// What goes wrong with one token request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is answered with this status.
    Status(u16, Option<u32>),
    /// Its answer breaks off.
    Truncated,
}

impl Knobs {
    /// The statuses that a failing token request may have.
    pub const STATUSES: RangeInclusive<u16> = 400..=599;
    /// The seconds that a token may live.
    pub const LIFETIMES: RangeInclusive<i64> = 1..=86_400;
    /// The seconds that the clock may be off, either way: a year.
    pub const MAX_SKEW: i64 = 366 * 86_400;
    /// The milliseconds that an answer may wait.
    pub const MAX_LATENCY_MS: u64 = 600_000;

    /// Checks the values.
    ///
    /// # Errors
    /// [`KnobError`] for the first that cannot be.
    pub fn check(&self) -> Result<(), KnobError> {
        if !Self::STATUSES.contains(&self.fail_status) {
            return Err(KnobError::Status(self.fail_status));
        }
        if !Self::LIFETIMES.contains(&self.token_lifetime) {
            return Err(KnobError::Lifetime(self.token_lifetime));
        }
        if self.clock_skew.unsigned_abs() > Self::MAX_SKEW.unsigned_abs() {
            return Err(KnobError::Skew(self.clock_skew));
        }
        if self.latency_ms > Self::MAX_LATENCY_MS {
            return Err(KnobError::Latency(self.latency_ms));
        }
        Ok(())
    }

    /// How far the server's clock is off.
    pub(super) fn skew(&self) -> SignedDuration {
        SignedDuration::from_secs(self.clock_skew)
    }

    /// Takes the fault of the next token request, which is then one less to come.
    pub(super) fn take_fault(&mut self) -> Option<Fault> {
        if self.fail_count > 0 {
            self.fail_count -= 1;
            return Some(Fault::Status(self.fail_status, self.retry_after));
        }
        take(&mut self.truncate_answers).then_some(Fault::Truncated)
    }

    /// Takes the fault of the next request to the API, which is then one less to come, and what it says of waiting.
    pub(super) fn take_api_fault(&mut self) -> Option<(ApiFault, Option<u32>)> {
        take(&mut self.api_fail_count).then_some((self.api_fault, self.retry_after))
    }

    /// Whether the next connection is dropped, which is then one less to come.
    pub(super) fn take_drop(&mut self) -> bool {
        take(&mut self.drop_connections)
    }
}

fn take(count: &mut u32) -> bool {
    let some = *count > 0;
    *count = count.saturating_sub(1);
    some
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_used_up() {
        let mut knobs = Knobs {
            fail_count: 2,
            fail_status: 429,
            truncate_answers: 1,
            drop_connections: 1,
            ..Knobs::default()
        };
        let taken: Vec<_> = std::iter::repeat_with(|| knobs.take_fault()).take(4).collect();
        let status = Some(Fault::Status(429, None));
        assert_eq!(taken, [status, status, Some(Fault::Truncated), None]);
        assert_eq!((knobs.take_drop(), knobs.take_drop()), (true, false));
    }

    #[test]
    fn an_api_fault_has_one_name() {
        for (name, fault) in ApiFault::ALL {
            assert_eq!(serde_json::to_value(fault).unwrap(), name);
        }
        let mut knobs = Knobs { api_fail_count: 1, api_fault: ApiFault::Quota, ..Knobs::default() };
        assert_eq!((knobs.take_api_fault(), knobs.take_api_fault()), (Some((ApiFault::Quota, None)), None));
    }

    #[test]
    fn values_that_cannot_be_are_refused() {
        assert_eq!(Knobs::default().check(), Ok(()));
        for clock_skew in [366 * 86_400, -366 * 86_400] {
            assert_eq!(Knobs { clock_skew, ..Knobs::default() }.check(), Ok(()));
        }
        for wrong in [
            Knobs { fail_status: 200, ..Knobs::default() },
            Knobs { token_lifetime: 0, ..Knobs::default() },
            Knobs { clock_skew: i64::MAX, ..Knobs::default() },
            Knobs { clock_skew: i64::MIN, ..Knobs::default() },
            Knobs { clock_skew: 366 * 86_400 + 1, ..Knobs::default() },
            Knobs { clock_skew: -366 * 86_400 - 1, ..Knobs::default() },
            Knobs { latency_ms: u64::MAX, ..Knobs::default() },
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
    }
}

//! What a user can set: the faults of the sandbox, how long tokens live and what its clock shows. For users who test their
//! own retries, and for this project's tests.

use std::ops::RangeInclusive;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::realm::LIFETIME;

/// The settings, by their names in the control endpoint's JSON. With the defaults nothing goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Milliseconds that every answer waits.
    pub latency_ms: u64,
    /// The HTTP status of failing token requests.
    pub fail_status: u16,
    /// How many of the next token requests fail.
    pub fail_count: u32,
    /// Seconds in the `Retry-After` of failing answers; null leaves the header out.
    pub retry_after: Option<u32>,
    /// How many of the next requests get no answer: their connection is closed. Control requests do not count.
    pub drop_connections: u32,
    /// How many of the next token answers end in the middle of the body.
    pub truncate_answers: u32,
    /// How requests to the API and its WebSockets fail.
    pub api_fault: ApiFault,
    /// How many of the next of them fail.
    pub api_fail_count: u32,
    /// Whether every valid token opens everything, whatever its scopes.
    pub ignore_scopes: bool,
    /// Whether the API's refusals leave out their reason.
    pub terse: bool,
    /// Seconds that new tokens live.
    pub token_lifetime: i64,
    /// Seconds that the server's clock is ahead; behind where negative.
    pub clock_skew: i64,
}

impl Default for Settings {
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

/// How a request to the API fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApiFault {
    /// 502 with an HTML page, from a gateway in front of the API.
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
    /// All of them, by the names of the option and of the control endpoint.
    pub const ALL: [(&'static str, Self); 5] = [
        ("gateway", Self::Gateway),
        ("rate-limit", Self::RateLimit),
        ("quota", Self::Quota),
        ("breakdown", Self::Breakdown),
        ("timeout", Self::Timeout),
    ];
}

/// A value that a setting cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} must be from {least} to {most}")]
pub(super) struct OutOfRange {
    name: &'static str,
    least: i64,
    most: i64,
}

/// What happens to one token request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenFault {
    /// It is answered with this status and `Retry-After`.
    Status(u16, Option<u32>),
    /// Its answer ends in the middle.
    Truncated,
}

impl Settings {
    /// What `fail_status` may be.
    pub const FAIL_STATUS: RangeInclusive<i64> = 400..=599;
    /// What `token_lifetime` may be.
    pub const TOKEN_LIFETIME: RangeInclusive<i64> = 1..=86_400;
    /// What `clock_skew` may be: a year either way.
    pub const CLOCK_SKEW: RangeInclusive<i64> = -366 * 86_400..=366 * 86_400;
    /// What `latency_ms` may be.
    pub const LATENCY_MS: RangeInclusive<i64> = 0..=600_000;

    /// Checks the numbers.
    pub(super) fn check(&self) -> Result<(), OutOfRange> {
        for (name, value, range) in [
            ("fail_status", i64::from(self.fail_status), Self::FAIL_STATUS),
            ("token_lifetime", self.token_lifetime, Self::TOKEN_LIFETIME),
            ("clock_skew", self.clock_skew, Self::CLOCK_SKEW),
            ("latency_ms", i64::try_from(self.latency_ms).unwrap_or(i64::MAX), Self::LATENCY_MS),
        ] {
            if !range.contains(&value) {
                return Err(OutOfRange { name, least: *range.start(), most: *range.end() });
            }
        }
        Ok(())
    }

    /// How far the server's clock is off.
    pub(super) fn skew(&self) -> SignedDuration {
        SignedDuration::from_secs(self.clock_skew)
    }

    /// Takes the fault of the next token request.
    pub(super) fn take_token_fault(&mut self) -> Option<TokenFault> {
        if take(&mut self.fail_count) {
            return Some(TokenFault::Status(self.fail_status, self.retry_after));
        }
        take(&mut self.truncate_answers).then_some(TokenFault::Truncated)
    }

    /// Takes the fault of the next request to the API, and its `Retry-After`.
    pub(super) fn take_api_fault(&mut self) -> Option<(ApiFault, Option<u32>)> {
        take(&mut self.api_fail_count).then_some((self.api_fault, self.retry_after))
    }

    /// Whether the next request gets no answer.
    pub(super) fn take_drop(&mut self) -> bool {
        take(&mut self.drop_connections)
    }
}

/// Counts down, and says whether there was one left.
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
        let mut settings = Settings {
            fail_count: 2,
            fail_status: 429,
            truncate_answers: 1,
            drop_connections: 1,
            ..Settings::default()
        };
        let taken: Vec<_> = std::iter::repeat_with(|| settings.take_token_fault()).take(4).collect();
        let status = Some(TokenFault::Status(429, None));
        assert_eq!(taken, [status, status, Some(TokenFault::Truncated), None]);
        assert_eq!((settings.take_drop(), settings.take_drop()), (true, false));
    }

    #[test]
    fn an_api_fault_has_one_name() {
        for (name, fault) in ApiFault::ALL {
            assert_eq!(serde_json::to_value(fault).unwrap(), name);
        }
        let mut settings = Settings { api_fail_count: 1, api_fault: ApiFault::Quota, ..Settings::default() };
        let taken = (settings.take_api_fault(), settings.take_api_fault());
        assert_eq!(taken, (Some((ApiFault::Quota, None)), None));
    }

    #[test]
    fn values_out_of_range_are_refused() {
        assert_eq!(Settings::default().check(), Ok(()));
        for clock_skew in [366 * 86_400, -366 * 86_400] {
            assert_eq!(Settings { clock_skew, ..Settings::default() }.check(), Ok(()));
        }
        for wrong in [
            Settings { fail_status: 200, ..Settings::default() },
            Settings { token_lifetime: 0, ..Settings::default() },
            Settings { clock_skew: i64::MAX, ..Settings::default() },
            Settings { clock_skew: i64::MIN, ..Settings::default() },
            Settings { clock_skew: 366 * 86_400 + 1, ..Settings::default() },
            Settings { clock_skew: -366 * 86_400 - 1, ..Settings::default() },
            Settings { latency_ms: u64::MAX, ..Settings::default() },
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
    }
}

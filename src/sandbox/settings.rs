//! The settings of the sandbox: its faults, the lifetime of its tokens and its clock. For users who test their own retries, and
//! for this project's tests.

use std::ops::RangeInclusive;

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
    /// Seconds that the server's clock is ahead. Negative if it is behind.
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

impl Settings {
    /// The allowed values of `fail_status`.
    pub const FAIL_STATUS: RangeInclusive<i64> = 400..=599;
    /// The allowed values of `token_lifetime`, in seconds.
    pub const TOKEN_LIFETIME: RangeInclusive<i64> = 1..=86_400;
    /// The allowed values of `clock_skew`, in seconds: a year either way.
    pub const CLOCK_SKEW: RangeInclusive<i64> = -366 * 86_400..=366 * 86_400;
    /// The allowed values of `latency_ms`.
    pub const LATENCY_MS: RangeInclusive<i64> = 0..=600_000;

    /// Checks the numbers, and returns what is wrong with one.
    pub(super) fn check(&self) -> Result<(), String> {
        for (name, value, range) in [
            ("fail_status", i64::from(self.fail_status), Self::FAIL_STATUS),
            ("token_lifetime", self.token_lifetime, Self::TOKEN_LIFETIME),
            ("clock_skew", self.clock_skew, Self::CLOCK_SKEW),
            ("latency_ms", i64::try_from(self.latency_ms).unwrap_or(i64::MAX), Self::LATENCY_MS),
        ] {
            if !range.contains(&value) {
                return Err(format!("{name} must be from {} to {}", range.start(), range.end()));
            }
        }
        Ok(())
    }
}

/// Counts down, and returns whether there was one left.
pub(super) fn take(count: &mut u32) -> bool {
    let some = *count > 0;
    *count = count.saturating_sub(1);
    some
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_used_up() {
        let mut count = 2;
        assert_eq!([(); 3].map(|()| take(&mut count)), [true, true, false]);
    }

    #[test]
    fn an_api_fault_has_one_name() {
        for (name, fault) in ApiFault::ALL {
            assert_eq!(serde_json::to_value(fault).unwrap(), name);
        }
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

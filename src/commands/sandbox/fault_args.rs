//! The options that make the sandbox fail on purpose.

use std::time::Duration;

use clap::{ArgGroup, Args};

use crate::cli::argument;
use crate::sandbox::{ApiFault, Settings};

/// The faults at the start. The control endpoint can change them later.
#[derive(Debug, Args)]
#[command(
    next_help_heading = "Faults, for testing your own retries",
    group = ArgGroup::new("failing").args(["fail_count", "api_fail_count"]).multiple(true)
)]
pub(super) struct FaultArgs {
    /// Wait this long before each answer
    #[arg(long, hide_short_help = true, value_name = "DURATION", value_parser = latency)]
    latency: Option<Duration>,
    /// Answer failing token requests with this HTTP status [default: 503]
    #[arg(long, hide_short_help = true, value_name = "STATUS", requires = "fail_count", value_parser = statuses())]
    fail_status: Option<u16>,
    /// Fail the first N token requests
    #[arg(long, hide_short_help = true, value_name = "N", default_value_t = 0)]
    fail_count: u32,
    /// Send Retry-After with failing answers, of the token endpoint and of the API
    #[arg(long, hide_short_help = true, value_name = "SECONDS", requires = "failing")]
    retry_after: Option<u32>,
    /// Close the connection of the first N requests instead of answering
    #[arg(long, hide_short_help = true, value_name = "N", default_value_t = 0)]
    drop_connections: u32,
    /// Cut the first N token answers in half
    #[arg(long, hide_short_help = true, value_name = "N", default_value_t = 0)]
    truncate_answers: u32,
    /// Answer failing requests to the API like this: gateway, rate-limit, quota, breakdown, timeout [default: gateway]
    #[arg(long, hide_short_help = true, value_name = "KIND", requires = "api_fail_count", value_parser = api_fault)]
    api_fault: Option<ApiFault>,
    /// Fail the first N requests to the API and its WebSockets
    #[arg(long, hide_short_help = true, value_name = "N", default_value_t = 0)]
    api_fail_count: u32,
    /// Ignore scopes: every valid token opens everything
    #[arg(long, hide_short_help = true)]
    ignore_scopes: bool,
    /// Leave the reason out of the API's refusals
    #[arg(long, hide_short_help = true)]
    terse: bool,
    /// Set the tokens' lifetime, in whole seconds [default: 300s]
    #[arg(long, hide_short_help = true, value_name = "DURATION", value_parser = lifetime)]
    token_lifetime: Option<i64>,
    /// Set the server's clock ahead by this many seconds, or behind by a negative number
    #[arg(
        long, hide_short_help = true, value_name = "SECONDS", default_value_t = 0, allow_negative_numbers = true,
        value_parser = clap::value_parser!(i64).range(Settings::CLOCK_SKEW)
    )]
    clock_skew: i64,
}

impl FaultArgs {
    /// The sandbox's settings at the start.
    pub(super) fn to_settings(&self) -> Settings {
        let default = Settings::default();
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Settings {
            latency_ms: self.latency.map_or(default.latency_ms, milliseconds),
            fail_status: self.fail_status.unwrap_or(default.fail_status),
            fail_count: self.fail_count,
            retry_after: self.retry_after,
            drop_connections: self.drop_connections,
            truncate_answers: self.truncate_answers,
            api_fault: self.api_fault.unwrap_or_default(),
            api_fail_count: self.api_fail_count,
            ignore_scopes: self.ignore_scopes,
            terse: self.terse,
            token_lifetime: self.token_lifetime.unwrap_or(default.token_lifetime),
            clock_skew: self.clock_skew,
        }
    }
}

fn api_fault(text: &str) -> Result<ApiFault, String> {
    let found = ApiFault::ALL.into_iter().find(|(name, _)| *name == text);
    let names = || ApiFault::ALL.map(|(name, _)| name).join(", ");
    found.map(|(_, fault)| fault).ok_or_else(|| format!("it must be one of {}", names()))
}

// The same limits as in `Settings::check`, so that an error names the option.

fn statuses() -> impl clap::builder::TypedValueParser<Value = u16> {
    clap::value_parser!(u16).range(Settings::FAIL_STATUS)
}

fn latency(text: &str) -> Result<Duration, String> {
    let latency = argument::duration(text)?;
    if !i64::try_from(latency.as_millis()).is_ok_and(|it| Settings::LATENCY_MS.contains(&it)) {
        return Err(format!("it must be at most {}s", Settings::LATENCY_MS.end() / 1000));
    }
    Ok(latency)
}

fn lifetime(text: &str) -> Result<i64, String> {
    let duration = argument::duration(text)?;
    let seconds = i64::try_from(duration.as_secs()).ok().filter(|_| duration.subsec_nanos() == 0);
    let seconds = seconds.ok_or("a token's lifetime is in whole seconds")?;
    if !Settings::TOKEN_LIFETIME.contains(&seconds) {
        return Err(format!("it must be at most {}s", Settings::TOKEN_LIFETIME.end()));
    }
    Ok(seconds)
}

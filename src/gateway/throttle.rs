//! Counts what each caller does, and refuses what is over the caller's limits.

use std::collections::HashMap;
use std::fmt::Display;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::domain::gateway::limits::{Limits, Rate};
use crate::domain::gateway::refusal::{Code, Refusal};
use crate::edge::thread::lock;

type Limiter = RateLimiter<String, HashMapStateStore<String>, DefaultClock>;

/// When a caller with too many open requests may try again.
const SOON: Duration = Duration::from_secs(1);

/// The counters of all callers.
#[derive(Default)]
pub(super) struct Throttle {
    /// One limiter for each rate that some rule has.
    limiters: Mutex<HashMap<(Rate, NonZeroU32), Arc<Limiter>>>,
    open: Arc<Mutex<HashMap<String, u32>>>,
}

/// Counts as one open request or WebSocket of a caller until it is dropped.
pub(super) struct Open {
    all: Arc<Mutex<HashMap<String, u32>>>,
    key: String,
}

impl Throttle {
    /// Counts a request of `caller`.
    pub(super) fn request(&self, caller: &str, limits: &Limits) -> Result<(), Refusal> {
        self.count(caller, limits.rate, limits.burst, "requests")
    }

    /// Counts a token or a session for `caller`.
    pub(super) fn token(&self, caller: &str, limits: &Limits) -> Result<(), Refusal> {
        self.count(caller, limits.tokens, limits.tokens.count, "tokens and sessions")
    }

    fn count(&self, caller: &str, rate: Rate, burst: NonZeroU32, what: &str) -> Result<(), Refusal> {
        // One limiter for each rate; `what` keeps tokens and requests apart.
        let key = (rate, burst);
        let limiter = Arc::clone(lock(&self.limiters).entry(key).or_insert_with(|| {
            let interval = rate.per / rate.count.get();
            let quota = Quota::with_period(interval).unwrap_or_else(|| Quota::per_second(rate.count));
            Arc::new(RateLimiter::hashmap(quota.allow_burst(burst)))
        }));
        limiter.check_key(&format!("{what} {caller}")).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            Refusal::later(Code::RATE_LIMITED, reached(what, rate), wait)
        })
    }

    /// Counts a request of `caller` for as long as it is being answered.
    pub(super) fn open_request(&self, caller: &str, limits: &Limits) -> Result<Open, Refusal> {
        let refused =
            || Refusal::later(Code::RATE_LIMITED, reached("requests at once", limits.requests), SOON);
        self.open(format!("requests {caller}"), limits.requests).ok_or_else(refused)
    }

    /// Counts a WebSocket of `caller`.
    pub(super) fn socket(&self, caller: &str, limits: &Limits) -> Result<Open, Refusal> {
        let refused = || Refusal::new(Code::TOO_MANY_SOCKETS, reached("WebSockets at once", limits.sockets));
        self.open(format!("sockets {caller}"), limits.sockets).ok_or_else(refused)
    }

    fn open(&self, key: String, most: u32) -> Option<Open> {
        let mut all = lock(&self.open);
        if all.get(&key).copied().unwrap_or_default() >= most {
            return None;
        }
        *all.entry(key.clone()).or_default() += 1;
        Some(Open { all: Arc::clone(&self.open), key })
    }

    /// Forgets callers who have done nothing for a while.
    pub(super) fn shrink(&self) {
        for limiter in lock(&self.limiters).values() {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut all = lock(&self.all);
        if let Some(open) = all.get_mut(&self.key) {
            *open -= 1;
            if *open == 0 {
                all.remove(&self.key);
            }
        }
    }
}

fn reached(what: &str, limit: impl Display) -> String {
    format!("your limit of {what} is reached: {limit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_has_limits_of_its_own() {
        let throttle = Throttle::default();
        let limits = Limits {
            rate: Rate::try_from("1/h".to_owned()).unwrap(),
            burst: NonZeroU32::MIN,
            tokens: Rate::try_from("1/h".to_owned()).unwrap(),
            sockets: 1,
            ..Limits::DEFAULT
        };
        for caller in ["a", "b"] {
            assert_eq!(throttle.request(caller, &limits), Ok(()));
            assert_eq!(throttle.token(caller, &limits), Ok(()));
            let refusal = throttle.request(caller, &limits).unwrap_err();
            assert!(refusal.retry_after.is_some_and(|it| (3590..=3600).contains(&it)), "{refusal:?}");
            let open = throttle.socket(caller, &limits).unwrap();
            assert_eq!(throttle.socket(caller, &limits).err().unwrap().code, Code::TOO_MANY_SOCKETS);
            drop(open);
            assert!(throttle.socket(caller, &limits).is_ok());
            let open: Vec<_> =
                (0..limits.requests).map(|_| throttle.open_request(caller, &limits).unwrap()).collect();
            assert_eq!(throttle.open_request(caller, &limits).err().unwrap().code, Code::RATE_LIMITED);
            drop(open);
            assert!(throttle.open_request(caller, &limits).is_ok());
        }
    }
}

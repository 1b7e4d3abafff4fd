//! Counts what each caller does, and refuses what is over the caller's limits.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::recent::lock;
use crate::domain::gateway::limits::{Limits, Rate};
use crate::domain::gateway::refusal::{Code, Refusal};

type Limiter = RateLimiter<String, HashMapStateStore<String>, DefaultClock>;

/// The counters of all callers.
#[derive(Default)]
pub(super) struct Throttle {
    /// One limiter for each rate that some rule has.
    limiters: Mutex<HashMap<(Rate, NonZeroU32), Arc<Limiter>>>,
    sockets: Arc<Mutex<HashMap<String, u32>>>,
}

/// Counts as one WebSocket of a caller until it is dropped.
pub(super) struct OpenSocket {
    sockets: Arc<Mutex<HashMap<String, u32>>>,
    caller: String,
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
        // Nothing else has this rate, or it counts apart: tokens are requests, too.
        let key = (rate, burst);
        let limiter = Arc::clone(lock(&self.limiters).entry(key).or_insert_with(|| {
            let interval = rate.per / rate.count.get();
            let quota = Quota::with_period(interval).unwrap_or_else(|| Quota::per_second(rate.count));
            Arc::new(RateLimiter::hashmap(quota.allow_burst(burst)))
        }));
        limiter.check_key(&format!("{what} {caller}")).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            Refusal::later(Code::RATE_LIMITED, format!("more {what} than {rate} allows"), wait)
        })
    }

    /// Counts a WebSocket of `caller`.
    pub(super) fn socket(&self, caller: &str, limits: &Limits) -> Result<OpenSocket, Refusal> {
        let mut sockets = lock(&self.sockets);
        if sockets.get(caller).copied().unwrap_or_default() >= limits.sockets {
            let detail = format!("more than {} WebSockets at once", limits.sockets);
            return Err(Refusal::new(Code::TOO_MANY_SOCKETS, detail));
        }
        *sockets.entry(caller.to_owned()).or_default() += 1;
        Ok(OpenSocket { sockets: Arc::clone(&self.sockets), caller: caller.to_owned() })
    }

    /// Forgets callers who have done nothing for a while.
    pub(super) fn shrink(&self) {
        for limiter in lock(&self.limiters).values() {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        let mut sockets = lock(&self.sockets);
        if let Some(open) = sockets.get_mut(&self.caller) {
            *open -= 1;
            if *open == 0 {
                sockets.remove(&self.caller);
            }
        }
    }
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
        }
    }
}

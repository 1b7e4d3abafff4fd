//! A value that is fetched ahead of its use, one fetch at a time: a token for Corti, or the keys of an identity provider.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::edge::clock::Clock;

/// The pause after the first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The shortest time between two fetches that callers cause: somebody may send bad tokens on purpose.
const FETCH_INTERVAL: Duration = Duration::from_secs(30);

/// How long a request waits for a value. The SDK gives up a WebSocket after 4 s.
const WAIT: Duration = Duration::from_secs(3);

/// How long before its value expires a gateway that cannot renew it is no longer ready: an engine in front needs that long to notice.
const NOTICE: SignedDuration = SignedDuration::from_secs(5);

/// A fetched value.
pub(super) struct Fetched<T> {
    pub(super) value: T,
    /// From then on it must not be used.
    pub(super) expires_at: Option<Timestamp>,
    /// When to fetch the next one.
    pub(super) renew_after: Duration,
}

/// The value, if there is a good one.
struct State<T> {
    value: Option<Arc<T>>,
    expires_at: Option<Timestamp>,
    /// Counts the fetched values.
    generation: u64,
    /// The last fetch failed, and the next one comes then.
    next_try: Option<Instant>,
    /// When a caller last caused a fetch, and the generation at that time.
    asked: Option<(Instant, u64)>,
}

pub(super) struct Kept<T> {
    state: watch::Sender<State<T>>,
    renew: Notify,
    clock: Clock,
}

/// There is no value for as long as this.
pub(super) struct Missing(pub(super) Duration);

impl<T> Kept<T> {
    pub(super) fn new(clock: Clock) -> Self {
        let state = State { value: None, expires_at: None, generation: 0, next_try: None, asked: None };
        Self { state: watch::Sender::new(state), renew: Notify::new(), clock }
    }

    /// The value and its generation. Waits for one that is being fetched.
    pub(super) async fn get(&self) -> Result<(Arc<T>, u64), Missing> {
        self.newer_than(0).await
    }

    /// Whether there is a value now, and will be in a moment.
    pub(super) fn is_ready(&self) -> bool {
        let state = self.state.borrow();
        let left = state.expires_at.map(|end| end.duration_since(self.clock.now()));
        let is_lost = state.next_try.is_some() && left.is_some_and(|left| left <= NOTICE);
        self.good(&state).is_some() && !is_lost
    }

    /// For how many seconds the value is still good, if it expires.
    pub(super) fn seconds_left(&self) -> Option<i64> {
        Some(self.state.borrow().expires_at?.duration_since(self.clock.now()).as_secs())
    }

    /// The value that follows generation `old`, because that one was refused. `Missing` at once if callers have asked for a
    /// newer one just before and got it.
    pub(super) async fn after(&self, old: u64) -> Result<(Arc<T>, u64), Missing> {
        let mut may_wait = true;
        self.state.send_if_modified(|state| {
            if state.generation <= old {
                let is_new = state.asked.is_none_or(|(asked, _)| asked.elapsed() >= FETCH_INTERVAL);
                if is_new {
                    state.asked = Some((Instant::now(), state.generation));
                    self.renew.notify_one();
                }
                // While that fetch is under way, everybody waits for it.
                may_wait =
                    is_new || state.asked.is_some_and(|(_, generation)| generation == state.generation);
            }
            false
        });
        if may_wait { self.newer_than(old).await } else { Err(Missing(FETCH_INTERVAL)) }
    }

    async fn newer_than(&self, old: u64) -> Result<(Arc<T>, u64), Missing> {
        let mut states = self.state.subscribe();
        let wait = states.wait_for(|state| {
            let is_good = self.good(state).is_some();
            // A machine that slept has a token that expired unnoticed.
            if !is_good && state.value.is_some() && state.next_try.is_none() {
                self.renew.notify_one();
            }
            // After `next_try`, a fetch is under way: wait for it.
            is_good && state.generation > old || state.next_try.is_some_and(|next| next > Instant::now())
        });
        let state = timeout(WAIT, wait).await.map_err(|_| Missing(FIRST_PAUSE))?;
        // Never closed: this keeps the sender.
        let Ok(state) = state else { return Err(Missing(FIRST_PAUSE)) };
        match self.good(&state).filter(|_| state.generation > old) {
            Some(value) => Ok((value, state.generation)),
            None => Err(Missing(state.next_try.map_or(FIRST_PAUSE, |next| next - Instant::now()))),
        }
    }

    fn good(&self, state: &State<T>) -> Option<Arc<T>> {
        let is_good =
            state.expires_at.is_none_or(|end| end.duration_since(self.clock.now()) > SignedDuration::ZERO);
        state.value.clone().filter(|_| is_good)
    }

    /// Fetches the value again and again. The current one stays until it expires, if fetching fails.
    pub(super) async fn keep<E>(
        &self,
        fetch: impl AsyncFn() -> Result<Fetched<T>, E>,
        failed: impl Fn(E),
    ) -> Infallible {
        let mut pause = FIRST_PAUSE;
        loop {
            let wait = match fetch().await {
                Ok(fetched) => {
                    pause = FIRST_PAUSE;
                    self.state.send_modify(|state| {
                        state.value = Some(Arc::new(fetched.value));
                        state.expires_at = fetched.expires_at;
                        state.generation += 1;
                        state.next_try = None;
                    });
                    fetched.renew_after
                }
                Err(error) => {
                    // Once, and not at every try.
                    if pause == FIRST_PAUSE {
                        failed(error);
                    }
                    let wait = pause;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    self.state.send_modify(|state| state.next_try = Some(Instant::now() + wait));
                    // Requests do not shorten the pause.
                    sleep(wait).await;
                    continue;
                }
            };
            // A caller that waited for the fetch has its result.
            let _ = self.renew.notified().now_or_never();
            // However short the values live.
            sleep(FIRST_PAUSE).await;
            tokio::select! {
                () = sleep(wait) => {}
                () = self.renew.notified() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::pin::pin;

    use super::*;

    fn kept() -> Kept<u32> {
        Kept::new(Clock)
    }

    fn fetched(value: u32, expires_in: i64) -> Fetched<u32> {
        let expires_at = Some(Clock.now() + SignedDuration::from_secs(expires_in));
        Fetched { value, expires_at, renew_after: Duration::from_secs(180) }
    }

    #[tokio::test(start_paused = true)]
    async fn many_that_wait_cause_one_fetch() {
        let (kept, count) = (kept(), Cell::new(0));
        let keep = kept.keep(
            async || {
                count.set(count.get() + 1);
                sleep(Duration::from_secs(1)).await;
                Ok::<_, ()>(fetched(count.get(), 300))
            },
            |()| {},
        );
        let all = futures_util::future::join_all((0..200).map(|_| kept.get()));
        let all = tokio::select! { all = all => all, never = keep => match never {} };
        assert!(all.into_iter().all(|one| matches!(one, Ok((value, 1)) if *value == 1)));
        assert_eq!(count.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_value_is_fetched_again_once_in_30_seconds() {
        let (kept, count) = (kept(), Cell::new(0));
        let keep = kept.keep(
            async || {
                count.set(count.get() + 1);
                Ok::<_, ()>(fetched(count.get(), 300))
            },
            |()| {},
        );
        let asks = async {
            let Ok((_, first)) = kept.get().await else { panic!() };
            assert!(matches!(kept.after(first).await, Ok((_, 2))));
            assert!(kept.after(2).await.is_err());
            // Others had the first one refused, and take the second.
            assert!(matches!(kept.after(first).await, Ok((_, 2))));
            sleep(Duration::from_secs(31)).await;
            let all = futures_util::future::join_all((0..200).map(|_| kept.after(2)));
            assert!(all.await.into_iter().all(|one| matches!(one, Ok((_, 3)))));
        };
        tokio::select! { () = asks => {}, never = keep => match never {} }
        assert_eq!(count.get(), 3);
    }

    /// An engine stops asking before requests fail.
    #[tokio::test(start_paused = true)]
    async fn a_value_that_ends_soon_and_cannot_be_renewed_is_not_ready() {
        let (kept, fails) = (kept(), Cell::new(false));
        let renew_after = Duration::from_secs(1);
        let fetch = async || {
            if fails.get() { Err(()) } else { Ok(Fetched { renew_after, ..fetched(7, 4) }) }
        };
        let keep = kept.keep(fetch, |()| {});
        let look = async {
            assert!(kept.get().await.is_ok() && kept.is_ready());
            fails.set(true);
            sleep(Duration::from_secs(5)).await;
            assert!(kept.get().await.is_ok() && !kept.is_ready());
            fails.set(false);
            sleep(LONGEST_PAUSE).await;
            assert!(kept.get().await.is_ok() && kept.is_ready());
        };
        tokio::select! { () = look => {}, never = keep => match never {} }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_fetch_is_told_at_once_and_tried_later() {
        let (kept, fails) = (kept(), Cell::new(true));
        let mut keep =
            pin!(kept.keep(async || if fails.get() { Err(()) } else { Ok(fetched(7, 300)) }, |()| {}));
        let Missing(after) = tokio::select! {
            got = kept.get() => got.err().unwrap(),
            never = &mut keep => match never {},
        };
        assert!(after <= FIRST_PAUSE);
        fails.set(false);
        let later = async {
            sleep(after).await;
            kept.get().await
        };
        let got = tokio::select! { got = later => got, never = &mut keep => match never {} };
        assert!(matches!(got, Ok((value, 1)) if *value == 7));
    }
}

//! Says on stderr what a command waits for: by a spinner on a terminal, else in one line.

use std::borrow::Cow;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, interval_at, sleep};

use crate::app::context::Context;
use crate::domain::text::duration::seconds;
use crate::domain::text::event::{Event, Sink};
use crate::edge::store::Store;

/// How long a wait is before its line is written, where there is no spinner.
const LONG: Duration = Duration::from_secs(1);

/// Runs `work`. On a terminal, a spinner appears once it takes longer than a moment.
pub(crate) fn show<T>(
    context: &Context<'_>,
    what: impl Into<Cow<'static, str>>,
    work: impl Future<Output = T>,
) -> impl Future<Output = T> {
    tell(context, what.into(), context.host.terminal.stderr, work)
}

/// The same for a wait of at most `limit`, which the message names. Off a terminal, it is one line.
pub(crate) fn show_long<T>(
    context: &Context<'_>,
    what: &str,
    limit: Duration,
    work: impl Future<Output = T>,
) -> impl Future<Output = T> {
    tell(context, format!("{what} (up to {})", seconds(limit)).into(), true, work)
}

/// The same for `work` that uses a store. Only a keyring is waited for: the others may ask on the terminal.
pub(crate) async fn show_store<T>(context: &Context<'_>, store: &Store, work: impl Future<Output = T>) -> T {
    // In a box: otherwise the futures of all commands would be large.
    let work = Box::pin(work);
    match store {
        Store::Keyring(keyring) => {
            show_long(context, "waiting for the keyring", keyring.limit(true), work).await
        }
        _ => work.await,
    }
}

async fn tell<T>(
    context: &Context<'_>,
    what: Cow<'static, str>,
    is_told: bool,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    if !context.host.terminal.stderr || context.host.env.has_plain_terminal() {
        tokio::select! {
            result = &mut work => return result,
            () = sleep(LONG), if is_told => context.note(what),
        }
        return work.await;
    }
    let mut spinner = Spinner { sink: context.sink, count: 0 };
    let mut ticks = interval_at(Instant::now() + Duration::from_millis(300), Duration::from_millis(100));
    loop {
        tokio::select! {
            result = &mut work => return result,
            _ = ticks.tick() => {
                context.sink.event(Event::Waiting(what.clone().into_owned(), spinner.count));
                spinner.count += 1;
            }
        }
    }
}

/// Removed from the terminal when dropped, so also when the wait is interrupted.
struct Spinner<'a> {
    sink: &'a dyn Sink,
    count: usize,
}

impl Drop for Spinner<'_> {
    fn drop(&mut self) {
        if self.count > 0 {
            self.sink.event(Event::Waited);
        }
    }
}

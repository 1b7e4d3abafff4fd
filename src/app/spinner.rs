//! Shows a spinner on the terminal while a command waits.

use std::time::Duration;

use tokio::time::{Instant, interval_at};

use crate::app::context::Context;
use crate::domain::text::event::{Event, Sink};

/// Runs `work`. On a terminal, a spinner appears once it takes longer than a moment.
pub(crate) async fn show<T>(context: &Context<'_>, what: &'static str, work: impl Future<Output = T>) -> T {
    if !context.host.terminal.stderr {
        return work.await;
    }
    let mut spinner = Spinner { sink: context.sink, count: 0 };
    let mut work = std::pin::pin!(work);
    let mut ticks = interval_at(Instant::now() + Duration::from_millis(300), Duration::from_millis(100));
    loop {
        tokio::select! {
            result = &mut work => return result,
            _ = ticks.tick() => {
                context.sink.event(Event::Waiting(what, spinner.count));
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

//! What moves on the terminal while a command waits.

use std::time::Duration;

use tokio::time::{Instant, interval_at};

use crate::app::context::Context;
use crate::domain::text::event::{Event, Sink};

impl Context<'_> {
    /// Runs `work`. On a terminal something moves once it takes longer than a moment.
    pub(crate) async fn waiting<T>(&self, what: &'static str, work: impl Future<Output = T>) -> T {
        if !self.host.terminal.stderr {
            return work.await;
        }
        let mut line = Line { sink: self.sink, count: 0 };
        let mut work = std::pin::pin!(work);
        let mut ticks = interval_at(Instant::now() + Duration::from_millis(300), Duration::from_millis(100));
        loop {
            tokio::select! {
                result = &mut work => return result,
                _ = ticks.tick() => {
                    self.sink.event(Event::Waiting(what, line.count));
                    line.count += 1;
                }
            }
        }
    }
}

/// The line that moves; it goes with the wait, whatever ends that.
struct Line<'a> {
    sink: &'a dyn Sink,
    count: usize,
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if self.count > 0 {
            self.sink.event(Event::Waited);
        }
    }
}

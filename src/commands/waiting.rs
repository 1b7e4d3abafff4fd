//! What moves on the terminal while a command waits.

use std::time::Duration;

use tokio::time::{Instant, interval_at};

use crate::domain::event::Event;

use super::context::Context;

impl Context<'_> {
    /// Runs `work`. On a terminal something moves once it takes longer than a moment.
    pub(super) async fn waiting<T>(&self, what: &'static str, work: impl Future<Output = T>) -> T {
        if !self.host.terminal.stderr {
            return work.await;
        }
        let mut work = std::pin::pin!(work);
        let mut ticks = interval_at(Instant::now() + Duration::from_millis(300), Duration::from_millis(100));
        let mut count = 0;
        let result = loop {
            tokio::select! {
                result = &mut work => break result,
                _ = ticks.tick() => {
                    self.sink.event(Event::Waiting(what, count));
                    count += 1;
                }
            }
        };
        if count > 0 {
            self.sink.event(Event::Waited);
        }
        result
    }
}

//! A command that is ended before it is done.

use std::cell::Cell;
use std::pin::pin;
use std::task::Poll;

use crate::edge::process;
use crate::failure::{Failure, Kind};

use super::context::Context;

/// Ends with `work`, or when the user presses Ctrl-C. Beside a terminal, where a question may stand, SIGTERM and SIGHUP end
/// this process after `work` was dropped, which puts the terminal back.
pub(super) async fn interruptible<T>(
    context: &Context<'_>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    // Taken over before a question could be on the screen: a terminal without echo would be left behind.
    let stop = process::interrupted_or_ended(context.host.terminal.stdin);
    let signal = {
        let mut work = pin!(work);
        let signal = tokio::select! {
            result = &mut work => return result,
            signal = stop => signal,
        };
        let rest = std::future::poll_fn(|task| match work.as_mut().poll(task) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending if context.undisturbed.is_wanted() => Poll::Pending,
            Poll::Pending => Poll::Ready(None),
        });
        if let Some(result) = rest.await {
            return result;
        }
        signal
    };
    process::end_by(signal);
    Err(interruption())
}

pub(super) fn interruption() -> Failure {
    Failure::new(Kind::Interrupted, "interrupted")
}

/// Whether a command is at something that is not to be left half-way. It is to have a bound.
#[derive(Debug, Default)]
pub(super) struct Undisturbed(Cell<bool>);

impl Undisturbed {
    /// Comes to the end of `work`, signal or not.
    pub(super) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.0.set(true);
        let result = work.await;
        self.0.set(false);
        result
    }

    fn is_wanted(&self) -> bool {
        self.0.get()
    }
}

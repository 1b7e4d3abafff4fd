//! Ends a command on Ctrl-C or a signal.

use std::pin::{Pin, pin};

use futures_util::FutureExt as _;

use crate::app::context::Context;
use crate::edge::process;
use crate::failure::{Failure, Kind};

/// Ends with `work`, or when the user presses Ctrl-C. Beside a terminal, where a question may stand, SIGTERM, SIGHUP and
/// SIGQUIT end this process after `work` was dropped, which puts the terminal back.
pub(crate) async fn interruptible<T>(
    context: &Context<'_>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    // Taken over before a question could be on the screen: a terminal without echo would be left behind.
    let stop = pin!(process::interrupted(context.host.terminal.stdin));
    work_or_signal(work, stop).await.unwrap_or_else(|signal| Err(ended_by(signal)))
}

/// The same for what comes before a program: a signal that is too late for `work` still keeps the program from starting.
pub(crate) async fn interruptible_before_a_program<T>(
    context: &Context<'_>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut stop = pin!(process::interrupted(context.host.terminal.stdin));
    let worked = work_or_signal(work, stop.as_mut()).await;
    let ready = worked.unwrap_or_else(|signal| Err(ended_by(signal)))?;
    // Has the runtime look for signals.
    tokio::task::yield_now().await;
    match stop.now_or_never() {
        None => Ok(ready),
        Some(signal) => {
            drop(ready);
            Err(ended_by(signal))
        }
    }
}

/// What `work` comes to, or the signal that it was dropped for.
async fn work_or_signal<T>(
    work: impl Future<Output = T>,
    stop: Pin<&mut impl Future<Output = i32>>,
) -> Result<T, i32> {
    tokio::select! {
        result = work => Ok(result),
        signal = stop => Err(signal),
    }
}

fn ended_by(signal: i32) -> Failure {
    process::end_by(signal);
    interruption()
}

pub(crate) fn interruption() -> Failure {
    Failure::new(Kind::Interrupted, "interrupted")
}

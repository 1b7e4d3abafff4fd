//! Ends a command early, when a signal asks for it.

use std::pin::{Pin, pin};

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use crate::app::context::Context;
use crate::edge::process;
use crate::failure::{Failure, Kind};

/// Runs `work` to its end, or drops it at Ctrl-C. On a terminal, where a question may be open, SIGTERM, SIGHUP and SIGQUIT also
/// drop it, which restores the terminal, and then end this process.
///
/// In a box: the futures of some commands are large.
pub(crate) fn interruptible<'a, T: 'a>(
    context: &'a Context<'_>,
    work: impl Future<Output = Result<T, Failure>> + 'a,
) -> LocalBoxFuture<'a, Result<T, Failure>> {
    Box::pin(async move {
        // Before the first question: a signal must not leave a terminal without echo behind.
        let stop = process::interrupt_signal(context.host.terminal.stdin);
        tokio::select! {
            result = work => result,
            signal = stop => Err(ended_by(signal)),
        }
    })
}

/// The same before a program is started: a signal that comes as `work` ends still keeps the program from starting.
pub(crate) async fn interruptible_before_a_program<T>(
    context: &Context<'_>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut stop = pin!(process::interrupt_signal(context.host.terminal.stdin));
    let ready = tokio::select! {
        result = work => result?,
        signal = &mut stop => return Err(ended_by(signal)),
    };
    // Lets the runtime deliver signals.
    tokio::task::yield_now().await;
    match stop.now_or_never() {
        None => Ok(ready),
        Some(signal) => {
            drop(ready);
            Err(ended_by(signal))
        }
    }
}

fn ended_by(signal: i32) -> Failure {
    process::end_by(signal);
    interrupted_failure()
}

/// Watches for the signals that ask a process to stop, for a command that cleans up before it ends.
pub(crate) struct StopSignal(Pin<Box<dyn Future<Output = ()>>>);

impl StopSignal {
    /// Starts to handle the signals: from now on none of them ends the process by itself.
    pub(crate) fn watch() -> Self {
        Self(Box::pin(process::asked_to_stop()))
    }

    /// Runs `work` to its end, or drops it at a signal. A signal between two calls ends the next one.
    pub(crate) async fn run<T>(
        &mut self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = &mut self.0 => Err(interrupted_failure()),
            result = work => result,
        }
    }
}

fn interrupted_failure() -> Failure {
    Failure::new(Kind::Interrupted, "interrupted")
}

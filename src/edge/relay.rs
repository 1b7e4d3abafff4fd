//! Signals that are passed on to a program that runs beside this process.

use std::fs::File;
use std::task::Poll;

use rustix::process::{Pid, Signal, getpgrp, kill_process};
use tokio::signal::unix::{self, SignalKind};

use super::process;

/// What is passed on, and whether a terminal sends it to all programs in its foreground by itself.
const SIGNALS: [(Signal, bool); 7] = [
    (Signal::INT, true),
    (Signal::QUIT, true),
    (Signal::WINCH, true),
    (Signal::TERM, false),
    (Signal::HUP, false),
    (Signal::USR1, false),
    (Signal::USR2, false),
];

/// Signals taken over.
#[derive(Debug)]
pub(super) struct Relay(Vec<(Signal, unix::Signal)>);

impl Relay {
    /// Takes them over. What this process was told to ignore stays ignored, here and in the program, as `nohup` has it.
    pub(super) fn start() -> Self {
        let heard = SIGNALS.iter().filter(|(signal, _)| !process::is_ignored(signal.as_raw()));
        let heard = heard.filter_map(|(signal, _)| {
            Some((*signal, unix::signal(SignalKind::from_raw(signal.as_raw())).ok()?))
        });
        Self(heard.collect())
    }

    /// The next that comes.
    pub(super) async fn next(&mut self) -> Signal {
        std::future::poll_fn(|context| {
            for (signal, stream) in &mut self.0 {
                if stream.poll_recv(context).is_ready() {
                    return Poll::Ready(*signal);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// Passes a signal on. What the keyboard sends has reached the program already: a second Ctrl-C means something else to
/// many.
pub(super) fn pass_on(signal: Signal, process: u32) {
    let of_the_terminal = SIGNALS.contains(&(signal, true));
    if of_the_terminal && in_foreground() {
        return;
    }
    if let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// Whether this process is among those that its terminal's keys reach.
fn in_foreground() -> bool {
    let terminal = File::open("/dev/tty");
    terminal.is_ok_and(|terminal| {
        rustix::termios::tcgetpgrp(&terminal).is_ok_and(|foreground| foreground == getpgrp())
    })
}

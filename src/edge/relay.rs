//! Signals that are passed on to a program that runs beside this process.

use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::process::{Pid, Signal, getpgrp, kill_process};
use signal_hook::iterator::backend::{OwningSignalIterator, PollResult, SignalDelivery};
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::{Cause, Origin};
use tokio::io::{AsyncRead as _, ReadBuf};

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

type Pipe = tokio::net::UnixStream;

/// Signals taken over.
pub(super) struct Relay(OwningSignalIterator<Pipe, WithOrigin>);

impl Relay {
    /// Takes them over. What this process was told to ignore stays ignored, here and in the program, as `nohup` has it.
    /// Call it within the runtime.
    ///
    /// # Errors
    /// The system's own.
    pub(super) fn start() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        let heard = SIGNALS.iter().map(|(signal, _)| signal.as_raw()).filter(|it| !process::is_ignored(*it));
        // Not the runtime's own signals: those do not say who sent them.
        let delivery = SignalDelivery::with_pipe(Pipe::from_std(read)?, write, WithOrigin::default(), heard)?;
        Ok(Self(OwningSignalIterator::new(delivery)))
    }

    /// The next that comes.
    pub(super) async fn next(&mut self) -> Origin {
        std::future::poll_fn(|context| match self.0.poll_signal(&mut |pipe| is_readable(pipe, context)) {
            PollResult::Signal(origin) => Poll::Ready(origin),
            // This process holds both ends of the pipe: it is neither closed nor broken.
            PollResult::Pending | PollResult::Closed | PollResult::Err(_) => Poll::Pending,
        })
        .await
    }
}

fn is_readable(pipe: &mut Pipe, context: &mut Context<'_>) -> io::Result<bool> {
    match Pin::new(pipe).poll_read(context, &mut ReadBuf::new(&mut [0])) {
        Poll::Ready(read) => read.map(|()| true),
        Poll::Pending => Ok(false),
    }
}

/// Passes a signal on. What the keyboard sends has reached the program already: a second Ctrl-C means something else to
/// many. What another process sends has reached this one alone.
pub(super) fn pass_on(origin: &Origin, process: u32) {
    let Some((signal, of_the_terminal)) = SIGNALS.iter().find(|(it, _)| it.as_raw() == origin.signal) else {
        return;
    };
    // Where the system does not tell the sender, as on macOS, it counts as the keyboard.
    let is_sent = matches!(origin.cause, Cause::Sent(_));
    if *of_the_terminal && !is_sent && in_foreground() {
        return;
    }
    if let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, *signal);
    }
}

/// Whether this process is among those that its terminal's keys reach.
fn in_foreground() -> bool {
    let terminal = File::open("/dev/tty");
    terminal.is_ok_and(|terminal| {
        rustix::termios::tcgetpgrp(&terminal).is_ok_and(|foreground| foreground == getpgrp())
    })
}

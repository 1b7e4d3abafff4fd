//! Signals that are passed on to a program that runs beside this process, and its stops, which this process follows.

use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpgrp, getpid, kill_process, waitid};
use signal_hook::iterator::backend::{OwningSignalIterator, PollResult, SignalDelivery};
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::{Cause, Origin};
use tokio::io::{AsyncRead as _, ReadBuf};

use super::{children, process};

/// What is passed on, and whether a terminal sends it to all programs in its foreground by itself.
///
/// Not there: KILL and STOP, which cannot be; SEGV, BUS, ILL and FPE, which are faults of this process; CHLD, which is about
/// children; TTIN and TTOU, which a terminal sends to the whole group, and without whose default a write would never end.
const SIGNALS: &[(Signal, bool)] = &[
    (Signal::INT, true),
    (Signal::QUIT, true),
    (Signal::WINCH, true),
    (Signal::TSTP, true),
    #[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "netbsd", target_os = "openbsd"))]
    (Signal::INFO, true),
    (Signal::ABORT, false),
    (Signal::ALARM, false),
    (Signal::CONT, false),
    (Signal::HUP, false),
    (Signal::IO, false),
    (Signal::PIPE, false),
    #[cfg(target_os = "linux")]
    (Signal::POWER, false),
    (Signal::PROF, false),
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    (Signal::STKFLT, false),
    (Signal::SYS, false),
    (Signal::TERM, false),
    (Signal::TRAP, false),
    (Signal::URG, false),
    (Signal::USR1, false),
    (Signal::USR2, false),
    (Signal::VTALARM, false),
    (Signal::XCPU, false),
    (Signal::XFSZ, false),
];

/// [`SIGNALS`] and the real-time ones.
fn passed_on() -> impl Iterator<Item = (Signal, bool)> {
    SIGNALS.iter().copied().chain(real_time().map(|signal| (signal, false)))
}

/// The real-time signals. Other systems than Linux have none, or none that a library tells.
fn real_time() -> impl Iterator<Item = Signal> {
    #[cfg(target_os = "linux")]
    {
        use rustix_libc_wrappers::process::SignalExt as _;
        (0..).map_while(Signal::rt)
    }
    #[cfg(not(target_os = "linux"))]
    std::iter::empty()
}

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
        // Every Rust program ignores SIGPIPE, whatever it was told.
        let is_heard = |it: &Signal| *it == Signal::PIPE || !process::is_ignored(it.as_raw());
        let heard = passed_on().map(|(signal, _)| signal).filter(is_heard);
        let heard = heard.chain([Signal::CHILD]).map(Signal::as_raw);
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

/// Does what a signal asks for beside the program `process`.
pub(super) fn act_on(origin: &Origin, process: u32) {
    let Some(program) = i32::try_from(process).ok().and_then(Pid::from_raw) else { return };
    if origin.signal == Signal::CHILD.as_raw() {
        children::reap_orphans();
        follow_stop(program);
    } else {
        pass_on(origin, program);
    }
}

/// Passes a signal on. What the keyboard sends has reached the program already: a second Ctrl-C means something else to
/// many. So has what the program sends to its whole group. What another process sends has reached this one alone.
fn pass_on(origin: &Origin, program: Pid) {
    let Some((signal, of_the_terminal)) = passed_on().find(|(it, _)| it.as_raw() == origin.signal) else {
        return;
    };
    // Where the system does not tell the sender, as on macOS, it counts as the keyboard.
    let is_sent = matches!(origin.cause, Cause::Sent(_));
    let sender = origin.process.filter(|_| is_sent).and_then(|sender| Pid::from_raw(sender.pid));
    // This process itself, where it writes to a pipe that is closed.
    let is_ours = sender.is_some_and(|sender| sender == program || sender == getpid());
    if is_ours || of_the_terminal && !is_sent && in_foreground() {
        return;
    }
    let _ = kill_process(program, signal);
}

/// Stops this process once the program has stopped: a shell only sees this process, and shows the job as stopped then. Its
/// SIGCONT is passed on. Outside of the terminal's foreground a SIGSTOP is not followed: a tool such as cpulimit sends it and
/// then SIGCONT to the program alone, which would leave this process stopped.
fn follow_stop(program: Pid) {
    let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
    let Ok(Some(status)) = waitid(WaitId::Pid(program), options) else { return };
    let is_of_job_control = status.stopping_signal().is_some_and(|signal| {
        [Signal::TSTP, Signal::TTIN, Signal::TTOU].iter().any(|it| it.as_raw() == signal)
    });
    if is_of_job_control || in_foreground() {
        let _ = kill_process(getpid(), Signal::STOP);
    }
}

/// Whether this process is among those that its terminal's keys reach.
fn in_foreground() -> bool {
    let terminal = File::open("/dev/tty");
    terminal.is_ok_and(|terminal| {
        rustix::termios::tcgetpgrp(&terminal).is_ok_and(|foreground| foreground == getpgrp())
    })
}

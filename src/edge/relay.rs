//! Passes signals on to a program that runs beside this process, and stops this process if the program is stopped.

use std::convert::Infallible;
use std::fs::File;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpgrp, getpid, kill_process, waitid};
use signal_hook::consts::FORBIDDEN;
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::{Cause, Origin};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{children, process, thread};

/// The signals that a terminal sends to all programs in its foreground.
const TERMINAL_SIGNALS: &[Signal] = &[
    Signal::INT,
    Signal::QUIT,
    Signal::WINCH,
    Signal::TSTP,
    #[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "netbsd", target_os = "openbsd"))]
    Signal::INFO,
];

/// The signals that are not passed on, besides those that cannot be taken over: BUS is a fault of this process, CHLD is about
/// children, and a terminal sends TTIN and TTOU to the whole group: they must stop this process, too.
const NOT_RELAYED: [Signal; 4] = [Signal::BUS, Signal::CHILD, Signal::TTIN, Signal::TTOU];

/// The signal of this number, if there is one. Real-time signals are known on Linux only.
fn signal(number: i32) -> Option<Signal> {
    #[cfg(target_os = "linux")]
    {
        rustix_libc_wrappers::process::SignalExt::from_raw(number)
    }
    #[cfg(not(target_os = "linux"))]
    Signal::from_named_raw(number)
}

/// Signals that this process has taken over.
pub struct Signals(UnboundedReceiver<Origin>);

impl Signals {
    /// Takes the signals over. Call it before the program starts: otherwise a signal could end this process alone. Signals that
    /// this process was told to ignore stay ignored, here and in the program, as with `nohup`.
    pub fn take_over() -> Self {
        // SIGPIPE counts as not ignored, because every Rust program ignores it.
        let is_relayed = |it: &Signal| {
            let is_possible = !NOT_RELAYED.contains(it) && !FORBIDDEN.contains(&it.as_raw());
            is_possible && (*it == Signal::PIPE || !process::is_ignored(it.as_raw()))
        };
        let signals = (1..=64).filter_map(signal).filter(is_relayed).chain([Signal::CHILD]);
        let (sender, receiver) = unbounded_channel();
        // Not the runtime's own signals, which do not tell the sender. If this fails, the program runs without signals.
        if let Ok(mut signals) = SignalsInfo::<WithOrigin>::new(signals.map(Signal::as_raw)) {
            thread::start(move || {
                let _ = signals.forever().try_for_each(|origin| sender.send(origin));
            });
        }
        Self(receiver)
    }

    /// Passes signals on to `program`. Never returns.
    pub(super) async fn relay_to(&mut self, program: u32) -> Infallible {
        let program = i32::try_from(program).ok().and_then(Pid::from_raw);
        while let Some(origin) = self.0.recv().await {
            match program {
                Some(program) if origin.signal == Signal::CHILD.as_raw() => {
                    children::reap_orphans();
                    stop_with(program);
                }
                Some(program) => pass_on(&origin, program),
                None => {}
            }
        }
        std::future::pending().await
    }
}

/// Passes a signal on, unless the program has it already: from the keyboard, or because it sent the signal to its whole group.
/// Many programs treat a second Ctrl-C differently.
fn pass_on(origin: &Origin, program: Pid) {
    let Some(signal) = signal(origin.signal) else { return };
    // If the system does not tell the sender, as on macOS, it counts as the keyboard.
    let is_sent = matches!(origin.cause, Cause::Sent(_));
    let sender = origin.process.filter(|_| is_sent).and_then(|sender| Pid::from_raw(sender.pid));
    // This process sends itself SIGPIPE, by writing to a closed pipe.
    let is_ours = sender.is_some_and(|sender| sender == program || sender == getpid());
    let is_of_keyboard = !is_sent && TERMINAL_SIGNALS.contains(&signal) && is_in_foreground();
    if !is_ours && !is_of_keyboard {
        let _ = kill_process(program, signal);
    }
}

/// Stops this process if the program was stopped, so that a shell shows the job as stopped. SIGCONT is then passed on. In the
/// background, SIGSTOP does not stop this process: tools such as cpulimit send it and then SIGCONT to the program alone, so this
/// process would stay stopped.
fn stop_with(program: Pid) {
    let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
    let Ok(Some(status)) = waitid(WaitId::Pid(program), options) else { return };
    let is_of_job_control = status.stopping_signal().is_some_and(|signal| {
        [Signal::TSTP, Signal::TTIN, Signal::TTOU].iter().any(|it| it.as_raw() == signal)
    });
    if is_of_job_control || is_in_foreground() {
        let _ = kill_process(getpid(), Signal::STOP);
    }
}

/// Whether the terminal's keys reach this process.
fn is_in_foreground() -> bool {
    let foreground = File::open("/dev/tty").map(rustix::termios::tcgetpgrp);
    matches!(foreground, Ok(Ok(foreground)) if foreground == getpgrp())
}

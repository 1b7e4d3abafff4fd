//! The process itself: what other processes may see of it, and the signals that end it.

#[cfg(unix)]
use std::sync::OnceLock;
#[cfg(unix)]
use std::task::Poll;

use futures_util::FutureExt as _;
#[cfg(unix)]
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

/// The limit that this process was started with, for the programs that it starts.
#[cfg(unix)]
static CORE_LIMIT: OnceLock<Rlimit> = OnceLock::new();

/// Keeps secrets out of core dumps and out of reach of a debugger run by the same user: soft `RLIMIT_CORE` 0 and, on
/// Linux, not dumpable. A piped `core_pattern` ignores the limit, so the second is the real guard. Failing to set
/// either is not worth failing a command for.
pub fn harden() {
    forbid_core();
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// Sets the soft `RLIMIT_CORE` to 0.
pub fn forbid_core() {
    #[cfg(unix)]
    {
        let found = *CORE_LIMIT.get_or_init(|| getrlimit(Resource::Core));
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), ..found });
    }
}

/// Sets `RLIMIT_CORE` to what it was before [`forbid_core`]: a program that is started inherits it. That a process is
/// not dumpable is not inherited: a program that is started is dumpable again (prctl(2), `PR_SET_DUMPABLE`).
pub fn restore_core_limit() {
    #[cfg(unix)]
    if let Some(found) = CORE_LIMIT.get() {
        let _ = setrlimit(Resource::Core, *found);
    }
}

/// Whether whoever started this process had it ignore a signal. Told on Linux only, and not of SIGPIPE, which every Rust
/// program ignores.
pub fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    signal.checked_sub(1).is_some_and(|bit| mask >> bit & 1 == 1)
}

/// Completes with the signal that is to end a command: Ctrl-C's, and beside a terminal, which is to be left as it was, whatever
/// else ends a process. What this process was told to ignore stays ignored: a shell starts what it leaves in the background
/// like that. The call itself takes the signals over, before the future is first polled; from then on none ends the process by
/// itself. Call it within the runtime.
pub fn interrupted(beside_a_terminal: bool) -> impl Future<Output = i32> + Send + 'static {
    #[cfg(unix)]
    {
        // Off Linux nobody knows whether a SIGHUP is ignored, as by nohup.
        let hang_up = cfg!(target_os = "linux").then_some(Signal::HUP);
        let others = [Signal::TERM, Signal::QUIT].into_iter().chain(hang_up);
        let all = [Signal::INT].into_iter().chain(others.filter(move |_| beside_a_terminal));
        first_of(all.map(Signal::as_raw).filter(|it| !is_ignored(*it)))
    }
    #[cfg(not(unix))]
    {
        let _ = beside_a_terminal;
        control_c().map(|()| 0)
    }
}

/// Ends this process by a signal that would have ended it, had it not been taken over. Comes back from Ctrl-C, which has an
/// exit code of its own, and in a container's first process, which cannot die of a signal.
pub fn end_by(signal: i32) {
    #[cfg(unix)]
    if signal != Signal::INT.as_raw() && std::process::id() != 1 {
        let _ = signal_hook::low_level::emulate_default_handler(signal);
    }
    #[cfg(not(unix))]
    let _ = signal;
}

/// Completes on SIGINT, SIGTERM or SIGHUP, taken over by the call itself, as in [`interrupted`]. For what runs until it is
/// stopped, or has to tidy up: only a SIGHUP that this process was told to ignore, as by `nohup`, stays ignored.
pub fn asked_to_stop() -> impl Future<Output = ()> + Send + 'static {
    #[cfg(unix)]
    {
        let hang_up = Some(Signal::HUP.as_raw()).filter(|it| !is_ignored(*it));
        let signals = [Signal::INT.as_raw(), Signal::TERM.as_raw()];
        first_of(signals.into_iter().chain(hang_up)).map(drop)
    }
    #[cfg(not(unix))]
    control_c()
}

/// Completes with the first of `signals` that comes, each taken over by the call itself. One that cannot be taken over keeps
/// its default: it ends the process.
#[cfg(unix)]
fn first_of(signals: impl IntoIterator<Item = i32>) -> impl Future<Output = i32> + Send + 'static {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |it| Some((it, signal(SignalKind::from_raw(it)).ok()?));
    let mut streams: Vec<_> = signals.into_iter().filter_map(listen).collect();
    std::future::poll_fn(move |context| {
        let mut came = streams
            .iter_mut()
            .filter_map(|(signal, stream)| stream.poll_recv(context).is_ready().then_some(*signal));
        came.next().map_or(Poll::Pending, Poll::Ready)
    })
}

#[cfg(not(unix))]
async fn control_c() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

//! This process: its protection from other processes, and the signals that end it.

#[cfg(unix)]
use std::sync::{LazyLock, OnceLock};
#[cfg(unix)]
use std::task::Poll;

use futures_util::FutureExt as _;
#[cfg(unix)]
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

/// The core limit at the start of this process.
#[cfg(unix)]
static CORE_LIMIT: OnceLock<Rlimit> = OnceLock::new();

/// The signals that this process was told to ignore when it was started, one bit each. Empty on other systems than Linux.
#[cfg(unix)]
static IGNORED: LazyLock<u64> = LazyLock::new(|| {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
});

/// Keeps secrets out of core dumps, and from debuggers of the same user: sets the soft `RLIMIT_CORE` to 0 and, on Linux, makes the
/// process not dumpable, because a piped `core_pattern` ignores the limit. Errors are ignored.
pub fn harden() {
    forbid_core();
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// Sets the soft `RLIMIT_CORE` to 0.
pub(super) fn forbid_core() {
    #[cfg(unix)]
    {
        let found = *CORE_LIMIT.get_or_init(|| getrlimit(Resource::Core));
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), ..found });
    }
}

/// Sets `RLIMIT_CORE` to its value before [`forbid_core`], for a program that is about to start. Such a program is always
/// dumpable (prctl(2), `PR_SET_DUMPABLE`).
pub(super) fn restore_core_limit() {
    #[cfg(unix)]
    if let Some(found) = CORE_LIMIT.get() {
        let _ = setrlimit(Resource::Core, *found);
    }
}

/// Whether this process was told to ignore `signal` when it was started. Always true for SIGPIPE, which Rust ignores.
#[cfg(unix)]
pub(super) fn is_ignored(signal: i32) -> bool {
    signal.checked_sub(1).is_some_and(|bit| *IGNORED >> bit & 1 == 1)
}

/// Completes with the signal that ends a command: SIGINT, and if there is a terminal to restore, also SIGTERM, SIGQUIT and
/// SIGHUP. Signals that this process was told to ignore stay ignored: shells start background jobs that way. The call itself
/// takes the signals over, before the future is polled. Call it within the runtime.
pub fn interrupt_signal(has_terminal: bool) -> impl Future<Output = i32> + Send + 'static {
    #[cfg(unix)]
    {
        // Elsewhere we cannot tell whether nohup made SIGHUP ignored, so it is left alone.
        let hang_up = cfg!(target_os = "linux").then_some(Signal::HUP);
        let others = [Signal::TERM, Signal::QUIT].into_iter().chain(hang_up);
        let all = [Signal::INT].into_iter().chain(others.filter(move |_| has_terminal));
        first_of(all.map(Signal::as_raw).filter(|it| !is_ignored(*it)))
    }
    #[cfg(not(unix))]
    {
        let _ = has_terminal;
        control_c().map(|()| 0)
    }
}

/// Ends this process by a signal that was taken over. Returns for SIGINT, which has its own exit code, and in a container's first
/// process, which no signal can end.
pub fn end_by(signal: i32) {
    #[cfg(unix)]
    if signal != Signal::INT.as_raw() {
        die_of(signal);
    }
    #[cfg(not(unix))]
    let _ = signal;
}

/// Does what `signal` does by default. Returns if that does not end the process, and in a container's first process.
#[cfg(unix)]
pub(super) fn die_of(signal: i32) {
    if std::process::id() != 1 {
        let _ = signal_hook::low_level::emulate_default_handler(signal);
    }
}

/// Completes on SIGINT, SIGTERM or SIGHUP, for commands that run until they are stopped or have to tidy up. Only SIGHUP can be
/// ignored, as with `nohup`. Call it as [`interrupt_signal`].
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

/// Completes with the first of `signals`. The call itself takes them over. A signal that cannot be handled keeps its default action.
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

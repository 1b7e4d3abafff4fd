//! The process itself: what other processes may see of it, and the signals that end it.

#[cfg(unix)]
use std::sync::OnceLock;

#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

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

/// Whether Ctrl-C means nothing to this process: a shell starts what it leaves in the background like that.
pub fn is_deaf_to_interrupts() -> bool {
    #[cfg(unix)]
    {
        is_ignored(rustix::process::Signal::INT.as_raw())
    }
    #[cfg(not(unix))]
    {
        false
    }
}

/// Completes when the user presses Ctrl-C. The call itself takes the signal over, before the future is first polled;
/// from then on Ctrl-C no longer ends the process by itself. Call it within the runtime.
pub fn interrupted() -> impl Future<Output = ()> + Send + 'static {
    first_of([Signal::Interrupt])
}

/// Completes on SIGINT, SIGTERM or SIGHUP, taken over by the call itself, as in [`interrupted`].
pub fn asked_to_stop() -> impl Future<Output = ()> + Send + 'static {
    first_of([Signal::Interrupt, Signal::Terminate, Signal::HangUp])
}

#[derive(Clone, Copy)]
enum Signal {
    Interrupt,
    Terminate,
    HangUp,
}

#[cfg(unix)]
fn first_of<const N: usize>(signals: [Signal; N]) -> impl Future<Output = ()> + Send + 'static {
    use tokio::signal::unix::{SignalKind, signal};
    let mut streams: Vec<_> = signals
        .into_iter()
        .filter_map(|name| {
            let kind = match name {
                Signal::Interrupt => SignalKind::interrupt(),
                Signal::Terminate => SignalKind::terminate(),
                Signal::HangUp => SignalKind::hangup(),
            };
            // A signal that cannot be taken over keeps its default: it ends the process.
            signal(kind).ok()
        })
        .collect();
    std::future::poll_fn(move |context| {
        let came = streams.iter_mut().any(|stream| stream.poll_recv(context).is_ready());
        if came { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
}

#[cfg(not(unix))]
async fn first_of<const N: usize>(_signals: [Signal; N]) {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

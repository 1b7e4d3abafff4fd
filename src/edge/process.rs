//! The process itself: what other processes may see of it, and the signals that end it.

/// Keeps secrets out of core dumps and out of reach of a debugger run by the same user: soft `RLIMIT_CORE` 0 and, on
/// Linux, not dumpable. A piped `core_pattern` ignores the limit, so the second is the real guard. Failing to set
/// either is not worth failing a command for.
pub fn harden() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let hard = getrlimit(Resource::Core).maximum;
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: hard });
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
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

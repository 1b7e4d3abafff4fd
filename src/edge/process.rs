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

/// Completes when the user presses Ctrl-C. From the first poll on, Ctrl-C no longer ends the process by itself.
pub async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Completes on SIGINT or SIGTERM. Both are taken over by the call itself, before the future is first polled.
pub fn asked_to_stop() -> impl Future<Output = ()> + Send + 'static {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
        async move {
            match signals {
                (Ok(mut interrupt), Ok(mut terminate)) => {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                    }
                }
                _ => interrupted().await,
            }
        }
    }
    #[cfg(not(unix))]
    interrupted()
}

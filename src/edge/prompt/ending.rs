//! Signals that end this process while a question stands on the terminal: they wait until that is as it was.

use std::pin::Pin;

#[cfg(unix)]
use self::signals::{AT_ONCE, HANDLED};
#[cfg(unix)]
use std::sync::atomic::Ordering;

/// They wait, until this is dropped.
pub(super) struct Postponed(Pin<Box<dyn Future<Output = i32> + Send>>);

impl Postponed {
    /// Call it within the runtime.
    pub(super) fn begin() -> Self {
        #[cfg(unix)]
        {
            AT_ONCE.store(false, Ordering::SeqCst);
            Self(Box::pin(crate::edge::process::first_of(HANDLED.iter().copied())))
        }
        #[cfg(not(unix))]
        Self(Box::pin(std::future::pending()))
    }

    /// The first that comes.
    pub(super) async fn next(&mut self) -> i32 {
        self.0.as_mut().await
    }
}

#[cfg(unix)]
impl Drop for Postponed {
    fn drop(&mut self) {
        AT_ONCE.store(true, Ordering::SeqCst);
    }
}

/// Ends this process by `signal`, as if that had just come.
pub(super) fn meet(signal: i32) {
    #[cfg(unix)]
    let _ = signal_hook::low_level::emulate_default_handler(signal);
    #[cfg(not(unix))]
    let _ = signal;
}

#[cfg(unix)]
mod signals {
    use std::sync::LazyLock;
    use std::sync::atomic::AtomicBool;

    use rustix::process::Signal;
    use signal_hook::flag::register_conditional_default;

    use crate::edge::process;

    /// Ctrl-C is none of them: a command takes that over for as long as it runs.
    const SIGNALS: [Signal; 3] = [Signal::TERM, Signal::HUP, Signal::QUIT];

    /// Whether they end the process at once, as by default: what has had a handler never has none again.
    pub(super) static AT_ONCE: AtomicBool = AtomicBool::new(false);

    /// Those that have such a handler. What this process was told to ignore has none.
    pub(super) static HANDLED: LazyLock<Vec<i32>> = LazyLock::new(|| {
        let heard = SIGNALS.map(Signal::as_raw).into_iter().filter(|it| !process::is_ignored(*it));
        heard.filter(|it| register_conditional_default(*it, &AT_ONCE).is_ok()).collect()
    });
}

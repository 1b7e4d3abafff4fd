//! Runs blocking work on a thread, so that the wait for it can be cancelled; and locks what threads share.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Locks a mutex, even if a thread has panicked while it held it: nothing under our locks panics in the middle of a change.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts `work` on a thread. If the system has none left, `work` is dropped.
pub fn start(work: impl FnOnce() + Send + 'static) {
    let _ = std::thread::Builder::new().spawn(work);
}

/// Runs `work` on a thread and waits for it. If the wait is cancelled, the work goes on until the process ends. `None` if the work
/// panicked, or the system has no thread left.
pub async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = oneshot::channel();
    start(move || {
        // Fails if the wait was cancelled.
        let _ = sender.send(work());
    });
    receiver.await.ok()
}

/// As [`on_a_thread`], for work that reads a file.
pub async fn files<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    on_a_thread(work).await.unwrap_or_else(|| Err(given_up()))
}

/// The error of a read that never finished.
pub fn given_up() -> io::Error {
    io::Error::other("the read was given up")
}

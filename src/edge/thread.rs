//! Work that blocks, on a thread of its own: whoever waits for it can stop waiting.

use std::io;

use tokio::sync::oneshot;

/// Starts `work` beside everything else. Nothing comes of it where the system has no thread: what it owns is dropped.
pub fn start(work: impl FnOnce() + Send + 'static) {
    let _ = std::thread::Builder::new().spawn(work);
}

/// Runs `work` beside the runtime and waits for it. Where the wait is given up, the work goes on until the process ends.
/// `None` where the work itself panicked, or the system has no thread for it.
pub async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = oneshot::channel();
    // Where it cannot be started, the sender goes with it.
    start(move || {
        // Nobody may be listening any more.
        let _ = sender.send(work());
    });
    receiver.await.ok()
}

/// The same for what reads a file.
///
/// # Errors
/// The work's own, and where [`beside`] has nothing.
pub async fn files<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    beside(work).await.unwrap_or_else(|| Err(given_up()))
}

/// A read that nothing came of.
pub fn given_up() -> io::Error {
    io::Error::other("the read was given up")
}

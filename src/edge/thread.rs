//! Work that blocks, on a thread of its own: whoever waits for it can stop waiting.

use tokio::sync::oneshot;

/// Runs `work` beside the runtime and waits for it. Where the wait is given up, the work goes on until the process ends.
/// `None` where the work itself panicked, or the system has no thread for it.
pub async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = oneshot::channel();
    // Where it cannot be spawned, the sender goes with it.
    let _ = std::thread::Builder::new().spawn(move || {
        // Nobody may be listening any more.
        let _ = sender.send(work());
    });
    receiver.await.ok()
}

//! Work that blocks, on a thread of its own: whoever waits for it can stop waiting.

use tokio::sync::oneshot;

/// Runs `work` beside the runtime and waits for it. Where the wait is given up, the work goes on until the process ends.
/// `None` where the work itself panicked.
pub async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        // Nobody may be listening any more.
        let _ = sender.send(work());
    });
    receiver.await.ok()
}

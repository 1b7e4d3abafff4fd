//! Runs async work on one runtime, on this thread.

use crate::failure::{Failure, Kind};

/// Runs `work` to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Kind::Unexpected, format!("cannot start the runtime: {error}")))?;
    let result = runtime.block_on(work);
    // Does not wait for a DNS lookup that is still running.
    runtime.shutdown_background();
    result
}

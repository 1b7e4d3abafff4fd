//! Runs async work on one runtime, on this thread.

use crate::failure::{Failure, Kind};

/// # Errors
/// Those of `work`, and where the system gives no runtime.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Kind::Unexpected, format!("cannot start the runtime: {error}")))?;
    let result = runtime.block_on(work);
    // A name that DNS is still looking for would hold the process back.
    runtime.shutdown_background();
    result
}

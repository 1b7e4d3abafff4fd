//! Starts the sandbox, and says why it did not start.

use crate::failure::{Failure, Kind};
use crate::sandbox::{Options, Sandbox, SandboxError};

/// A sandbox that listens.
pub(crate) async fn start(options: Options) -> Result<Sandbox, Failure> {
    Sandbox::bind(options).await.map_err(not_started)
}

fn not_started(error: SandboxError) -> Failure {
    let (kind, hint) = match &error {
        SandboxError::NotLoopback(_) => {
            (Kind::Usage, "the sandbox is for this machine only: --bind 127.0.0.1")
        }
        SandboxError::InUse { .. } | SandboxError::Bind { .. } => (Kind::Usage, "take a free port: --port 0"),
        SandboxError::Key(_) | SandboxError::Random(_) => (Kind::Unexpected, "run it again"),
    };
    Failure::caused(kind, error).hint(hint)
}

//! Starts the sandbox, and says why it did not start.

use crate::domain::client::identity::Tenant;
use crate::edge::clock::Clock;
use crate::failure::{Failure, Kind};
use crate::sandbox::{Options, Sandbox, SandboxError, Settings};

/// A sandbox that listens.
pub(crate) async fn start(options: Options) -> Result<Sandbox, Failure> {
    Sandbox::bind(options).await.map_err(not_started)
}

/// A sandbox for this process alone, on any free port, with a client of this name and a random secret.
pub(crate) async fn start_own(client: &str, clock: Clock) -> Result<Sandbox, Failure> {
    let client_id = client.parse().map_err(|error| Failure::new(Kind::Unexpected, error))?;
    let bind = ([127, 0, 0, 1], 0).into();
    let (tenant, settings) = (Tenant::default(), Settings::default());
    start(Options { bind, tenant, client_id, client_secret: None, clock, settings }).await
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

//! `sandbox`: Corti, emulated on this machine, until it is stopped.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::app::context::{Context, parse_tenant};
use crate::app::secret_input;
use crate::domain::client::identity::ClientId;
use crate::domain::client::variable;
use crate::domain::text::event::Event;
use crate::domain::text::page::{Page, Tone};
use crate::domain::text::shell::quote;
use crate::edge::{input, private_file, process};
use crate::failure::{Failure, Kind};
use crate::output::{self, Outcome, Text};
use crate::sandbox::{Options, Sandbox};

mod fault_args;

use fault_args::FaultArgs;

/// For everybody without an account or a network, and for tests. It answers as Corti and its Keycloak do, keeps its state
/// in memory and listens on this machine only. Stop it with Ctrl-C.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth sandbox
  corti-auth sandbox --port 8600 --secret-file secret.txt --ready-file ready.json")]
pub(super) struct SandboxArgs {
    /// Listen on this port; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Listen on this loopback address
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// Know this client
    #[arg(long, value_name = "ID", default_value = "sandbox")]
    client_id: String,
    /// Take the client's secret from this file; a random one if left out
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Write the address and the credentials to this file once the sandbox answers
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    #[command(flatten)]
    faults: FaultArgs,
}

/// A sandbox that was stopped.
pub(super) struct SandboxOutcome;

/// # Errors
/// Where it cannot listen, or a file cannot be read or written.
pub(super) async fn run(args: &SandboxArgs, context: &Context<'_>) -> Result<SandboxOutcome, Failure> {
    // Taken over first: a signal that comes early must not leave a ready file behind.
    let mut stop = Box::pin(process::asked_to_stop());
    let sandbox = tokio::select! {
        // A secret may come from a pipe that nobody writes to.
        () = &mut stop => return Ok(SandboxOutcome),
        bound = bind(args, context) => bound?,
    };
    let ready = Ready::of(&sandbox);
    // Before anything is printed: what failed has no output.
    if let Some(path) = &args.ready_file {
        write_ready_file(path, &ready)?;
    }
    context.sink.event(Event::Datum(ready.page(), output::with_schema("sandbox", ready.json())));
    sandbox.serve(stop).await;
    if let Some(path) = &args.ready_file {
        remove_ready_file(path, &ready);
    }
    Ok(SandboxOutcome)
}

async fn bind(args: &SandboxArgs, context: &Context<'_>) -> Result<Sandbox, Failure> {
    crate::app::sandbox::start(options(args, context).await?).await
}

async fn options(args: &SandboxArgs, context: &Context<'_>) -> Result<Options, Failure> {
    let usage = |error: String| Failure::new(Kind::Usage, error).hint("corti-auth sandbox --help");
    let client_id: ClientId = args.client_id.parse().map_err(|error| usage(format!("{error}")))?;
    let tenant = context.options.tenant.as_deref().map(parse_tenant).transpose()?.unwrap_or_default();
    let secret = match &args.secret_file {
        Some(path) => Some(secret_input::read(Some(path)).await?),
        None => None,
    };
    let bind = SocketAddr::new(args.bind, args.port);
    let (clock, settings) = (context.host.clock, args.faults.to_settings());
    Ok(Options { bind, tenant, client_id, client_secret: secret, clock, settings })
}

fn write_ready_file(path: &Path, ready: &Ready) -> Result<(), Failure> {
    let written = if is_replaceable(path) {
        private_file::replace(path, ready.line().as_bytes()).map_err(|error| error.to_string())
    } else {
        Err("something that is no file is there".to_owned())
    };
    written.map_err(|reason| {
        Failure::new(Kind::Usage, format!("cannot write the ready file `{}`: {reason}", path.display()))
            .hint("name a file in a folder that you may write: --ready-file FILE")
    })
}

/// Whether a file may take the place of what is at `path`. A pipe or a device is somebody else's, and whoever reads from it
/// would wait for ever.
fn is_replaceable(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |found| found.is_file())
}

/// Removes the ready file: it names a server that is gone, unless another sandbox has written its own since.
fn remove_ready_file(path: &Path, ready: &Ready) {
    let is_file = std::fs::metadata(path).is_ok_and(|found| found.is_file());
    let line = ready.line();
    // No longer than that: it may be another's, and a large one.
    let is_own = || input::read_here(Some(path), line.len()).is_ok_and(|text| *text == *line.as_bytes());
    if is_file && is_own() {
        let _ = std::fs::remove_file(path);
    }
}

/// What a client of the sandbox needs to know. Its secret is worth nothing elsewhere, and is shown.
struct Ready {
    environment: String,
    tenant: String,
    client_id: String,
    client_secret: String,
    control_token: String,
}

impl Ready {
    fn of(sandbox: &Sandbox) -> Self {
        let (tenant, id, secret) = sandbox.client();
        Self {
            environment: sandbox.environment().to_string(),
            tenant: tenant.to_string(),
            client_id: id.to_string(),
            client_secret: secret.secret().expose().to_owned(),
            control_token: sandbox.control_token().expose().to_owned(),
        }
    }

    fn json(&self) -> Value {
        json!({
            "environment": self.environment,
            "tenant": self.tenant,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "control_token": self.control_token,
        })
    }

    /// The ready file's content.
    fn line(&self) -> String {
        format!("{}\n", self.json())
    }

    fn page(&self) -> Page {
        let export = |name: &str, value: &str| format!("export {name}={}", quote(value));
        Page::new()
            .toned(Tone::Dim, "# Corti, emulated on this machine; Ctrl-C stops it. In another shell:")
            .line(export(variable::ENVIRONMENT, &self.environment))
            .line(export(variable::TENANT, &self.tenant))
            .line(export(variable::CLIENT_ID, &self.client_id))
            .line(export(variable::CLIENT_SECRET, &self.client_secret))
            .toned(Tone::Dim, "# faults, counters, keys: the bearer of $CORTI_ENVIRONMENT/_sandbox/")
            .line(export("CORTI_SANDBOX_TOKEN", &self.control_token))
    }
}

impl Outcome for SandboxOutcome {
    fn command(&self) -> &'static str {
        "sandbox"
    }

    fn json(&self) -> Value {
        Value::Null
    }

    fn text(&self) -> Text {
        Text::Nothing
    }
}

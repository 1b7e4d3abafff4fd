//! `sandbox`: emulates Corti on this machine until it is stopped.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use clap::Args;
use serde_json::{Value, json};

use crate::app::context::{Context, parse_tenant};
use crate::app::secret_input;
use crate::domain::client::identity::ClientId;
use crate::domain::client::variable;
use crate::domain::text::event::Event;
use crate::domain::text::page::{Page, Tone};
use crate::domain::text::shell::Shell;
use crate::domain::token::format::Named;
use crate::edge::program::{self, Program, Signals};
use crate::edge::{input, private_file, process};
use crate::failure::{Failure, Kind};
use crate::output;
use crate::output::Outcome;
use crate::sandbox::{Options, Sandbox};

mod fault_args;

/// The bearer token of the sandbox's control endpoint.
const SANDBOX_TOKEN: &str = "CORTI_SANDBOX_TOKEN";

use fault_args::FaultArgs;

/// For tests, and for work without an account or a network. It answers like Corti and its Keycloak, keeps its state in
/// memory and listens only on this machine. Stop it with Ctrl-C.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth sandbox
  corti-auth sandbox --port 8600 --secret-file secret.txt --ready-file ready.json
  corti-auth sandbox -- npm test      run a program with it, then stop")]
pub(super) struct SandboxArgs {
    /// Listen on this port; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Listen on this loopback address
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// The client's id
    #[arg(long, value_name = "ID", default_value = "sandbox")]
    client_id: String,
    /// Read the client's secret from this file [default: random]
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Write address and credentials here once it is ready
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Run this program with the sandbox, then exit with its exit code
    ///
    /// It gets the sandbox's variables, and a configuration and a cache of its own.
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
    #[command(flatten)]
    faults: FaultArgs,
}

pub(super) async fn run(args: &SandboxArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    // First of all: an early signal must not leave a ready file behind.
    let mut stop = Box::pin(process::asked_to_stop());
    let sandbox = tokio::select! {
        () = &mut stop => return Ok(Outcome::silent()),
        started = start(args, context) => started?,
    };
    let ready = ready(&sandbox);
    let line = format!("{ready}\n");
    let object = output::with_schema("sandbox", ready);
    if let Some(field) = &context.options.field {
        output::member(&object, field)?;
    }
    // Before anything is printed: a failed command has no output.
    if let Some(path) = &args.ready_file {
        write_ready_file(path, &line)?;
    }
    let ended = if args.command.is_empty() {
        context.sink.event(Event::Datum(page(&object), object));
        sandbox.serve(stop).await;
        Ok(None)
    } else {
        run_program(&args.command, sandbox, context).await.map(Some)
    };
    if let Some(path) = &args.ready_file {
        remove_ready_file(path, &line);
    }
    // Last: if a signal ended the program, it ends this process too.
    Ok(Outcome { program_code: ended?.map_or(0, program::exit_like), ..Outcome::silent() })
}

/// Runs a program that can reach this sandbox and no other client, until it ends.
async fn run_program(
    command: &[OsString],
    sandbox: Sandbox,
    context: &Context<'_>,
) -> Result<ExitStatus, Failure> {
    let folder = tempfile::tempdir().map_err(|error| {
        Failure::new(
            Kind::Unexpected,
            format!("cannot make a folder for the program's configuration: {error}"),
        )
    })?;
    let folder_of = |name: &str| folder.path().join(name).display().to_string();
    let (tenant, id, secret) = sandbox.client();
    let set = vec![
        Named::open(variable::ENVIRONMENT, sandbox.environment().to_string()),
        Named::open(variable::TENANT, tenant.as_str()),
        Named::open(variable::CLIENT_ID, id.as_str()),
        Named::sensitive(variable::CLIENT_SECRET, secret.secret().clone()),
        Named::sensitive(SANDBOX_TOKEN, sandbox.control_token().clone()),
        Named::open(variable::CONFIG_FOLDER, folder_of("config")),
        Named::open(variable::CACHE_FOLDER, folder_of("cache")),
    ];
    let is_removed = |name: &str| {
        name.to_ascii_uppercase().starts_with("CORTI_") || name == variable::CREDENTIALS_DIRECTORY
    };
    let env = &context.host.env;
    let program = Program {
        name: program::with_extension(&command[0], env),
        arguments: command[1..].to_vec(),
        set,
        unset: env.removed_from_program(is_removed, None),
    };
    let failed = |error| Failure::new(Kind::Unexpected, format!("cannot wait for the program: {error}"));
    let mut running = program.start(Signals::take_over())?;
    let status = tokio::select! {
        status = running.ended() => status,
        () = sandbox.serve(std::future::pending()) => running.ended().await,
    };
    status.map_err(failed)
}

async fn start(args: &SandboxArgs, context: &Context<'_>) -> Result<Sandbox, Failure> {
    let client_id: ClientId = args
        .client_id
        .parse()
        .map_err(|error| Failure::new(Kind::Usage, error).hint("corti-auth sandbox --help"))?;
    let tenant = context.options.tenant.as_deref().map(parse_tenant).transpose()?.unwrap_or_default();
    let client_secret = match &args.secret_file {
        Some(path) => Some(secret_input::read(Some(path)).await?),
        None => None,
    };
    let bind = SocketAddr::new(args.bind, args.port);
    let (clock, settings) = (context.host.clock, args.faults.to_settings());
    crate::app::sandbox::start(Options { bind, tenant, client_id, client_secret, clock, settings }).await
}

fn write_ready_file(path: &Path, line: &str) -> Result<(), Failure> {
    // Not a pipe or a device: its readers would wait for ever.
    let is_replaceable = std::fs::metadata(path).map_or(true, |found| found.is_file());
    let written = if is_replaceable {
        private_file::replace(path, line.as_bytes()).map_err(|error| error.to_string())
    } else {
        Err("it is not a file".to_owned())
    };
    written.map_err(|reason| {
        Failure::new(Kind::Usage, format!("cannot write the ready file `{}`: {reason}", path.display()))
            .hint("corti-auth sandbox --ready-file ./ready.json")
    })
}

/// Removes the ready file, unless another sandbox has replaced it.
fn remove_ready_file(path: &Path, line: &str) {
    let is_file = std::fs::metadata(path).is_ok_and(|found| found.is_file());
    if is_file
        && input::read_on_this_thread(Some(path), line.len()).is_ok_and(|text| *text == *line.as_bytes())
    {
        let _ = std::fs::remove_file(path);
    }
}

/// The content of the ready file: what a client of the sandbox needs. The secret works only here.
fn ready(sandbox: &Sandbox) -> Value {
    let (tenant, id, secret) = sandbox.client();
    json!({
        "environment": sandbox.environment().to_string(),
        "tenant": tenant.as_str(),
        "client_id": id.as_str(),
        "client_secret": secret.secret().expose(),
        "control_token": sandbox.control_token().expose(),
    })
}

fn page(ready: &Value) -> Page {
    let export = |name: &str, member| Shell::HERE.export(name, ready[member].as_str().unwrap_or_default());
    let environment = Shell::HERE.variable(variable::ENVIRONMENT);
    Page::new()
        .toned(Tone::Dim, "# Corti, emulated on this machine; Ctrl-C stops it. In another shell:")
        .line(export(variable::ENVIRONMENT, "environment"))
        .line(export(variable::TENANT, "tenant"))
        .line(export(variable::CLIENT_ID, "client_id"))
        .line(export(variable::CLIENT_SECRET, "client_secret"))
        .toned(Tone::Dim, format!("# bearer token for {environment}/_sandbox/ (faults, counters, keys):"))
        .line(export(SANDBOX_TOKEN, "control_token"))
}

//! The command line: the subcommands, the options they share, and the one dispatch.
//!
//! Each subcommand is a file with its arguments, its outcome and a `run`. None prints, and none reads an environment
//! variable by itself.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use futures_util::FutureExt as _;

use crate::edge::host::Host;
use crate::edge::process;
use crate::failure::{Failure, Kind};
use crate::output::{Colours, Outcome, Printer, Style};

mod access;
mod argument;
mod check;
mod completions;
mod context;
mod demo;
mod diff;
mod doctor;
mod enrolment;
mod exec;
mod explain;
mod format;
mod import;
mod input;
mod inspect;
mod interaction;
mod leasing;
mod login;
mod logout;
mod man;
mod minting;
mod probe;
mod profile;
mod reuse;
mod rotate;
mod sandbox;
mod secret_input;
mod session;
mod status;
mod token;
mod unused;
mod usage;
mod verification;

use context::Context;
pub use usage::with_command_meant;

/// Keep Corti client secrets in the OS keyring, mint limited or full tokens, and read what a token may do
#[derive(Debug, Parser)]
#[command(name = "corti-auth", version, max_term_width = 100, propagate_version = true)]
#[command(after_help = "Examples:
  corti-auth demo                        see all of it, without an account
  corti-auth login                       store a client's secret
  corti-auth token --scope transcribe    print a token that opens /transcribe and nothing else
  corti-auth token --full | corti-auth inspect
  corti-auth exec --full -- ./job        run a program with a token in its environment
  corti-auth interaction create          print a websocketUrl

Exit codes:
  0 done   1 failed or refused by the API   2 usage   3 configuration   4 no credential   5 credential rejected
  6 scope   7 invalid token   8 network   9 try later   10 a check did not hold   130 interrupted
  exec: the program's own, 126 if it cannot be run, 127 if it is not there")]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

/// The options that every command takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// Use this profile
    #[arg(short, long, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// Use this environment: eu, us, another label, or a URL
    #[arg(short, long, global = true, value_name = "ENV")]
    environment: Option<String>,
    /// Use this tenant (realm); base if nothing else says so
    #[arg(short, long, global = true)]
    tenant: Option<String>,
    /// Print one JSON object, and errors as one JSON line
    #[arg(long, global = true)]
    json: bool,
    /// Never ask anything; CI implies it
    #[arg(long, global = true)]
    no_input: bool,
    /// Print no notes
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Show each request (never its secrets)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// When to colour
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    color: Color,
    /// Bound each request, such as 15s or 1m
    #[arg(long, global = true, value_name = "DURATION", default_value = "15s", value_parser = argument::duration)]
    timeout: Duration,
    /// Trust the PEM certificates in this file too
    #[arg(long, global = true, value_name = "FILE")]
    ca_cert: Option<PathBuf>,
    /// Keep config.toml in this folder
    #[arg(long, global = true, value_name = "DIR")]
    config_dir: Option<PathBuf>,
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Sandbox(sandbox::SandboxArgs),
    Login(login::LoginArgs),
    Logout(logout::LogoutArgs),
    Rotate(rotate::RotateArgs),
    Status(status::StatusArgs),
    Profile(profile::ProfileArgs),
    Token(token::TokenArgs),
    Exec(exec::ExecArgs),
    Inspect(inspect::InspectArgs),
    Diff(diff::DiffArgs),
    Explain(explain::ExplainArgs),
    Check(check::CheckArgs),
    Interaction(interaction::InteractionArgs),
    Session(session::SessionArgs),
    Probe(probe::ProbeArgs),
    Doctor(doctor::DoctorArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// A command line that clap accepted.
pub struct Invocation(Cli);

/// What a command line asks for.
pub enum Parsed {
    /// A command.
    Run(Box<Invocation>),
    /// Help, a version, or what a shell asked for, as text.
    Show(String),
    /// Nothing that can be run.
    Wrong {
        /// Prints as far as the style can be told.
        printer: Printer,
        /// Why not.
        failure: Failure,
        /// The same in clap's words; empty where it is not clap's.
        text: String,
    },
}

impl Invocation {
    /// How this command wants to be printed.
    pub fn style(&self, host: &Host) -> Style {
        let globals = &self.0.globals;
        let forced = match globals.color {
            Color::Auto => None,
            Color::Always => Some(true),
            Color::Never => Some(false),
        };
        let colours = Colours::choose(forced, plain(host), host.terminal);
        Style { json: globals.json, quiet: globals.quiet, verbose: globals.verbose, colours }
    }
}

/// Whether colours are not wanted, or a terminal cannot show them.
fn plain(host: &Host) -> bool {
    host.env.get("NO_COLOR").is_some() || host.env.get("TERM").as_deref() == Some("dumb")
}

/// Reads argv.
pub fn parse(host: &Host) -> Parsed {
    let wrong = |failure, text| {
        let colours = Colours::choose(None, plain(host), host.terminal);
        let style = Style { json: argument::asks_for_json(&host.arguments), colours, ..Style::default() };
        Parsed::Wrong { printer: Printer::new(style), failure, text }
    };
    match completions::answer(host) {
        Some(Ok(candidates)) => return Parsed::Show(candidates),
        Some(Err(failure)) => return wrong(failure, String::new()),
        None => {}
    }
    if let Err(failure) = argument::refuse_secrets(&host.arguments) {
        return wrong(failure, String::new());
    }
    match Cli::try_parse_from(&host.arguments) {
        Ok(cli) => Parsed::Run(Box::new(Invocation(cli))),
        Err(error) if !error.use_stderr() => Parsed::Show(error.render().to_string()),
        Err(error) => {
            let (failure, text) = usage::failure(&error, &host.arguments);
            wrong(failure, text)
        }
    }
}

/// Runs a command. Those that wait for something outside share one runtime, on this thread.
///
/// # Errors
/// The command's [`Failure`].
pub fn dispatch(
    invocation: &Invocation,
    host: &Host,
    printer: &Printer,
) -> Result<Box<dyn Outcome>, Failure> {
    let Invocation(Cli { globals, command }) = invocation;
    let context = Context::new(host, globals, printer)?;
    match command {
        Command::Demo(args) => boxed(block_on(demo::run(args, &context))),
        Command::Sandbox(args) => boxed(block_on(sandbox::run(args, &context))),
        Command::Login(args) => boxed(block_on(interruptible(login::run(args, &context)))),
        Command::Logout(args) => boxed(block_on(interruptible(logout::run(args, &context)))),
        Command::Rotate(args) => boxed(block_on(interruptible(rotate::run(args, &context)))),
        Command::Status(args) => boxed(block_on(interruptible(status::run(args, &context)))),
        Command::Profile(args) => boxed(block_on(interruptible(profile::run(args, &context)))),
        Command::Token(args) => boxed(token::run(args, &context)),
        Command::Exec(args) => boxed(exec::run(args, &context)),
        Command::Inspect(args) if args.needs_the_network() => {
            boxed(block_on(interruptible(inspect::run(args, &context))))
        }
        Command::Inspect(args) => boxed(at_once(inspect::run(args, &context))),
        Command::Diff(args) => boxed(block_on(interruptible(diff::run(args, &context)))),
        Command::Explain(args) => boxed(block_on(interruptible(explain::run(args, &context)))),
        Command::Check(args) => boxed(block_on(check::run(args, &context))),
        Command::Interaction(args) => block_on(interruptible(interaction::run(args, &context))),
        Command::Session(args) => boxed(block_on(interruptible(session::run(args, &context)))),
        Command::Probe(args) => boxed(block_on(probe::run(args, &context))),
        Command::Doctor(args) => boxed(block_on(doctor::run(args, &context))),
        Command::Completions(args) => boxed(completions::run(args)),
        Command::Man(args) => boxed(man::run(args)),
    }
}

fn boxed<T: Outcome + 'static>(result: Result<T, Failure>) -> Result<Box<dyn Outcome>, Failure> {
    result.map(|outcome| Box::new(outcome) as Box<dyn Outcome>)
}

fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Kind::Unexpected, format!("cannot start the runtime: {error}")))?;
    let result = runtime.block_on(work);
    // A name that DNS is still looking for would hold the process back.
    runtime.shutdown_background();
    result
}

/// Runs work that waits for nothing but what it reads itself: the runtime is not worth starting for it.
fn at_once<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let waits = || Err(Failure::new(Kind::Unexpected, "the command waits for something that nobody started"));
    work.now_or_never().unwrap_or_else(waits)
}

/// Ends with `work`, or when the user presses Ctrl-C.
async fn interruptible<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    // Taken over before a question could be on the screen: a terminal without echo would be left behind.
    let interrupted = process::interrupted();
    tokio::select! {
        result = work => result,
        () = interrupted => Err(interruption()),
    }
}

fn interruption() -> Failure {
    Failure::new(Kind::Interrupted, "interrupted")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}

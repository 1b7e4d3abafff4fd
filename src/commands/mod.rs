//! The command line: lists, parses and runs the subcommands.
//!
//! Each subcommand is a file with its arguments and a `run` that returns the outcome. None prints or reads environment
//! variables itself.

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::domain::client::variable;
use crate::edge::host::Host;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Printer, Style};

mod check;
mod completions;
mod demo;
mod diff;
mod doctor;
mod exec;
mod explain;
mod inspect;
mod interaction;
mod login;
mod logout;
mod man;
mod probe;
mod profile;
mod rotate;
mod sandbox;
mod serve;
mod session;
mod status;
mod token;

use crate::app::context::Context;
use crate::app::interrupt::interruptible;
use crate::cli::globals::{self, Globals};
use crate::cli::lazy_args::LazyArgs;
use crate::cli::{argument, usage};

/// The subcommands in the root's help.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Start", &["demo", "login", "sandbox"]),
    ("Tokens", &["token", "exec", "session", "interaction", "serve"]),
    ("Clients", &["status", "profile", "rotate", "logout"]),
    ("Debug", &["inspect", "diff", "explain", "check", "probe", "doctor"]),
    ("Tools", &["completions", "man"]),
];

/// After the short help of `-h`.
const AFTER_HELP: &str = "Examples, exit codes and variables: corti-auth --help";

const AFTER_LONG_HELP: &str = "Examples:
  corti-auth demo                        try everything, without an account
  corti-auth login                       store a client's secret
  corti-auth token transcribe            print a token that opens /transcribe and nothing else
  corti-auth token full | corti-auth inspect
  corti-auth exec full -- ./job          run a program with a token in its environment
  corti-auth interaction create          print a websocketUrl

Exit codes:
  0 done   1 failed or refused by the API   2 usage   3 configuration
  4 no credential   5 credential rejected   6 scope   7 invalid token
  8 network   9 try later   10 a check failed   130 interrupted
  exec: the program's own, 126 if it cannot be run, 127 if it is not found

Environment variables:
";

/// After the help of `--help`.
fn after_long_help() -> String {
    let indented = |meaning: &str| meaning.replace("; ", &format!(";\n{:29}", ""));
    let variables = variable::TABLE.map(|(name, meaning)| format!("  {name:26} {}", indented(meaning)));
    AFTER_LONG_HELP.to_owned() + &variables.join("\n")
}

/// Keep Corti client secrets in the keyring, mint tokens, and show what they may do
#[derive(Debug, Parser)]
#[command(name = "corti-auth", version, max_term_width = 100)]
#[command(after_help = AFTER_HELP, after_long_help = after_long_help())]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try everything on this machine, without an account
    Demo(LazyArgs<demo::DemoArgs>),
    /// Emulate Corti on this machine
    Sandbox(LazyArgs<sandbox::SandboxArgs>),
    /// Store a client's secret in the keyring, a file or elsewhere
    Login(LazyArgs<login::LoginArgs>),
    /// Remove a profile's secret, and the cached tokens of all profiles
    Logout(LazyArgs<logout::LogoutArgs>),
    /// Replace a profile's secret with a new one
    Rotate(LazyArgs<rotate::RotateArgs>),
    /// Show the active client, how it is chosen, and where its secret is
    #[command(alias = "whoami")]
    Status(LazyArgs<status::StatusArgs>),
    // Not lazy: completion adds the profiles' names to its arguments.
    Profile(profile::ProfileArgs),
    /// Mint an access token and print it
    Token(LazyArgs<token::TokenArgs>),
    /// Run a program with a token in its environment
    Exec(LazyArgs<exec::ExecArgs>),
    /// Decode a token: what it is, what it may do, and when it expires
    Inspect(LazyArgs<inspect::InspectArgs>),
    /// Compare two tokens: scopes, roles, client, tenant, lifetime
    Diff(LazyArgs<diff::DiffArgs>),
    /// Explain why a request failed: likely causes, and what to do
    Explain(LazyArgs<explain::ExplainArgs>),
    /// Compare what a token opens with what its scopes allow
    Check(LazyArgs<check::CheckArgs>),
    /// Create, list, show and delete interactions, for /streams
    Interaction(LazyArgs<interaction::InteractionArgs>),
    /// Print what a frontend needs for a WebSocket: limited token, URL
    Session(LazyArgs<session::SessionArgs>),
    /// Run a gateway: frontends call it, and it adds Corti's token
    Serve(LazyArgs<serve::ServeArgs>),
    /// Open a WebSocket step by step, and show how far it gets
    Probe(LazyArgs<probe::ProbeArgs>),
    /// Check every step from the stored secret to a working token
    Doctor(LazyArgs<doctor::DoctorArgs>),
    /// Print the completion script of a shell
    Completions(LazyArgs<completions::CompletionsArgs>),
    /// Write the manual pages into a folder
    Man(LazyArgs<man::ManArgs>),
}

/// The command line. Its help lists the subcommands in groups, which clap cannot do.
fn command() -> clap::Command {
    let command = Cli::command();
    let header = command.get_styles().get_header();
    let line = |name: &&str| {
        let about = command.find_subcommand(name).and_then(clap::Command::get_about);
        format!("  {name:11}  {}\n", about.map(ToString::to_string).unwrap_or_default())
    };
    let group = |(heading, names): (&str, &[&str])| {
        format!("{header}{heading}:{header:#}\n") + &names.iter().map(line).collect::<String>()
    };
    let list: String = GROUPS.into_iter().map(group).collect();
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{list}\n{header}Options:{header:#}\n{{options}}{{after-help}}"
    );
    command.help_template(template)
}

/// What a command line asks for.
pub(crate) enum Parsed {
    /// A command.
    Run(Box<Cli>),
    /// Text to print: help, a version, or completions.
    Show(String),
    /// A usage error, how to print it, and the help to show instead, or nothing.
    Wrong(Failure, Style, String),
}

/// Reads argv.
pub(crate) fn parse(host: &Host) -> Parsed {
    let wrong = |failure, text| {
        let json = argument::asks_for_json(&host.arguments);
        let style = Style { json, ..globals::style(None, host) };
        Parsed::Wrong(failure, style, text)
    };
    match completions::answer(host) {
        Some(Ok(candidates)) => return Parsed::Show(candidates),
        Some(Err(failure)) => return wrong(failure, String::new()),
        None => {}
    }
    if let Err(failure) = argument::refuse_secrets(&host.arguments) {
        return wrong(failure, String::new());
    }
    let matches = command().try_get_matches_from(&host.arguments);
    match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => Parsed::Run(Box::new(cli)),
        Err(error) if !error.use_stderr() => {
            let coloured = globals::style(None, host).stdout.colour;
            let text = error.render();
            Parsed::Show(if coloured { text.ansi().to_string() } else { text.to_string() })
        }
        Err(error) => {
            let (failure, text) = usage::failure(&error, &host.arguments, &command());
            wrong(failure, text)
        }
    }
}

pub(crate) fn dispatch(cli: &Cli, host: &Host, printer: &Printer) -> Result<Outcome, Failure> {
    let options = cli.globals.options();
    let context = Context::new(host, &options, printer)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Kind::Unexpected, format!("cannot start the runtime: {error}")))?;
    let outcome = runtime.block_on(run(&cli.command, &context));
    // Does not wait for a DNS lookup that is still running.
    runtime.shutdown_background();
    outcome
}

async fn run(command: &Command, context: &Context<'_>) -> Result<Outcome, Failure> {
    match command {
        Command::Login(LazyArgs(args)) => interruptible(context, login::run(args, context)).await,
        Command::Logout(LazyArgs(args)) => interruptible(context, logout::run(args, context)).await,
        Command::Rotate(LazyArgs(args)) => interruptible(context, rotate::run(args, context)).await,
        Command::Status(LazyArgs(args)) => interruptible(context, status::run(args, context)).await,
        Command::Profile(args) => interruptible(context, profile::run(args, context)).await,
        Command::Token(LazyArgs(args)) => interruptible(context, token::run(args, context)).await,
        Command::Diff(LazyArgs(args)) => interruptible(context, diff::run(args, context)).await,
        Command::Explain(LazyArgs(args)) => interruptible(context, explain::run(args, context)).await,
        Command::Interaction(LazyArgs(args)) => interruptible(context, interaction::run(args, context)).await,
        Command::Session(LazyArgs(args)) => interruptible(context, session::run(args, context)).await,
        // These handle signals themselves: they have something to undo, or give the terminal to a program.
        Command::Check(LazyArgs(args)) => check::run(args, context).await,
        Command::Demo(LazyArgs(args)) => demo::run(args, context).await,
        Command::Doctor(LazyArgs(args)) => doctor::run(args, context).await,
        Command::Exec(LazyArgs(args)) => exec::run(args, context).await,
        Command::Probe(LazyArgs(args)) => probe::run(args, context).await,
        Command::Sandbox(LazyArgs(args)) => sandbox::run(args, context).await,
        Command::Serve(LazyArgs(args)) => serve::run(args, context).await,
        // A signal may end these at any point.
        Command::Inspect(LazyArgs(args)) => inspect::run(args, context).await,
        Command::Completions(LazyArgs(args)) => completions::run(args, context).await,
        Command::Man(LazyArgs(args)) => man::run(args, context).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_command_is_in_a_group() {
        let grouped: Vec<&str> = GROUPS.into_iter().flat_map(|(_, names)| names).copied().collect();
        let command = command();
        for subcommand in command.get_subcommands() {
            assert!(grouped.contains(&subcommand.get_name()), "{}", subcommand.get_name());
        }
        assert_eq!(grouped.len(), command.get_subcommands().count());
    }
}

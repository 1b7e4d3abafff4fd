//! `completions`: prints the script that makes a shell complete this command.

use std::ffi::OsString;
use std::io;

use clap::Args;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::Shells;
use serde_json::json;

use crate::app::context::Context;
use crate::domain::client::secret::Secret;
use crate::domain::text::shell::Shell;
use crate::edge::config_file::ConfigFile;
use crate::edge::host::Host;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

/// The variable that a shell sets to ask for completions. clap's own, `COMPLETE`, may be set for another program.
const COMPLETE_VARIABLE: &str = "CORTI_AUTH_COMPLETE";

/// The script asks corti-auth for completions, so it also completes profile names.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bash        source <(corti-auth completions bash)
  zsh         source <(corti-auth completions zsh)
  fish        corti-auth completions fish > ~/.config/fish/completions/corti-auth.fish
  elvish      eval (corti-auth completions elvish | slurp)
  PowerShell  corti-auth completions powershell | Out-String | Invoke-Expression")]
pub(super) struct CompletionsArgs {
    /// The shell to complete for
    #[arg(value_parser = ["bash", "elvish", "fish", "powershell", "zsh"])]
    shell: String,
}

#[expect(clippy::unused_async, reason = "every command is run the same way")]
pub(super) async fn run(args: &CompletionsArgs, _: &Context<'_>) -> Result<Outcome, Failure> {
    let shell = &args.shell;
    let script = script(shell).map_err(|error| {
        Failure::new(Kind::Unexpected, format!("cannot make completions for {shell}: {error}"))
    })?;
    let json = json!({ "shell": shell, "script": script });
    Ok(Outcome::new("completions", json, Text::Datum(Secret::new(script))))
}

fn script(shell: &str) -> io::Result<String> {
    let shells = Shells::builtins();
    let completer = shells.completer(shell).ok_or(io::ErrorKind::Unsupported)?;
    let (name, mut script) = ("corti-auth", Vec::new());
    completer.write_registration(COMPLETE_VARIABLE, name, name, name, &mut script)?;
    Ok(String::from_utf8_lossy(&script).trim_end().to_owned())
}

/// The candidates for a shell that asks for completions; `None` if none asks.
pub(super) fn answer(host: &Host) -> Option<Result<String, Failure>> {
    let shell = host.env.get(COMPLETE_VARIABLE)?;
    Some(candidates(&shell, host).map_err(|reason| {
        let message = format!("cannot complete for `{shell}`: {reason}");
        Failure::new(Kind::Usage, message).hint(Shell::HERE.unset(&[COMPLETE_VARIABLE]))
    }))
}

fn candidates(shell: &str, host: &Host) -> Result<String, String> {
    let shells = Shells::builtins();
    let completer = shells.completer(shell).ok_or("unknown shell")?;
    // The script calls `corti-auth -- WORDS`. The first word is the program's name.
    let words: Vec<OsString> =
        host.arguments.iter().skip_while(|word| *word != "--").skip(1).cloned().collect();
    if words.is_empty() {
        return Err("no words to complete".to_owned());
    }
    let mut command = command_with_profiles(host);
    command.build();
    let mut candidates = Vec::new();
    let written = completer.write_complete(&mut command, words, None, &mut candidates);
    written.map_err(|error| error.to_string())?;
    String::from_utf8(candidates).map_err(|error| error.to_string())
}

/// The command line with the profiles' names where a profile is expected. Errors in the configuration are ignored: other
/// commands report them.
fn command_with_profiles(host: &Host) -> clap::Command {
    let config = ConfigFile::locate(None, &host.env).and_then(|file| file.load()).unwrap_or_default();
    let names: Vec<OsString> = config.profiles().keys().map(|name| name.as_str().into()).collect();
    let candidates = ArgValueCandidates::new(move || names.iter().map(CompletionCandidate::new).collect());
    let name = |arg: clap::Arg| arg.add(candidates.clone());
    super::command().mut_arg("profile", name).mut_subcommand("profile", |group| {
        let group = group.mut_subcommand("use", |sub| sub.mut_arg("name", name));
        // `mut_arg` moves an argument to the end, so both are moved.
        let group = group.mut_subcommand("rename", |sub| sub.mut_arg("old", name).mut_arg("new", |arg| arg));
        group.mut_subcommand("remove", |sub| sub.mut_arg("name", name))
    })
}

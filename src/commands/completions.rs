//! `completions`: prints the script that makes a shell complete this command.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::is_separator;

use clap::{Arg, Args, Command, ValueHint};
use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter as _,
};
use clap_complete::env::Shells;
use serde_json::json;

use crate::app::context::Context;
use crate::domain::client::secret::Secret;
use crate::domain::text::shell::Shell;
use crate::edge::config_file::ConfigFile;
use crate::edge::host::{Host, current_folder};
use crate::edge::program::names_in_path;
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
    let mut words: Vec<OsString> =
        host.arguments.iter().skip_while(|word| *word != "--").skip(1).cloned().collect();
    let at = host.env.get("_CLAP_COMPLETE_INDEX").and_then(|text| text.parse().ok());
    let at: usize = at.unwrap_or(words.len().saturating_sub(1));
    if words.is_empty() {
        return Err("no words to complete".to_owned());
    }
    let mut command = match words.iter().take(at).position(|word| word == "--") {
        Some(dashes) => {
            // Options among them would not be counted.
            words.iter_mut().take(dashes).skip(1).for_each(|word| *word = "x".into());
            program(dashes, host)
        }
        None => command_with_profiles(host),
    };
    let is_empty = words.get(at).is_none_or(|word| word.is_empty());
    let (mut text, folder) = (Vec::new(), current_folder());
    let written = completer.write_complete(&mut command, words, folder.as_deref(), &mut text);
    written.map_err(|error| error.to_string())?;
    let text = String::from_utf8(text).map_err(|error| error.to_string())?;
    if !is_empty {
        return Ok(text);
    }
    // Where only options are possible, a shell would insert the `--` that all of them begin with.
    let separator = host.env.get("_CLAP_IFS").unwrap_or_else(|| "\n".to_owned());
    let candidates = text.split(&separator).filter(|candidate| !candidate.starts_with('-'));
    Ok(candidates.collect::<Vec<_>>().join(&separator))
}

/// A command line with a program and its arguments after `--`, which is word `dashes`. clap takes the word after it for an
/// argument of this tool.
fn program(dashes: usize, host: &Host) -> Command {
    let before = (1..dashes).map(|at| Arg::new(format!("word {at}")));
    let env = host.env.clone();
    let programs = ArgValueCompleter::new(move |current: &OsStr| {
        if current.as_encoded_bytes().iter().any(|byte| is_separator(char::from(*byte))) {
            return PathCompleter::any().complete(current);
        }
        names_in_path(current, &env).into_iter().map(CompletionCandidate::new).collect()
    });
    Command::new("corti-auth")
        .disable_help_flag(true)
        .args(before)
        .arg(Arg::new("program").add(programs))
        .arg(Arg::new("arguments").num_args(0..).value_hint(ValueHint::AnyPath))
}

/// The command line with the profiles' names where a profile is expected. Errors in the configuration are ignored: other
/// commands report them.
fn command_with_profiles(host: &Host) -> Command {
    let config = ConfigFile::locate(None, &host.env).and_then(|file| file.load()).unwrap_or_default();
    let names: Vec<OsString> = config.profiles().keys().map(|name| name.as_str().into()).collect();
    let or_file = names.clone();
    let candidates = ArgValueCandidates::new(move || names.iter().map(CompletionCandidate::new).collect());
    let name = |arg: Arg| arg.add(candidates.clone());
    let name_or_file = ArgValueCompleter::new(move |current: &OsStr| {
        let start = current.as_encoded_bytes();
        let names = or_file.iter().filter(|name| name.as_encoded_bytes().starts_with(start));
        names.map(CompletionCandidate::new).chain(PathCompleter::any().complete(current)).collect()
    });
    let mut command = super::command().mut_arg("profile", name).mut_subcommand("profile", |group| {
        let group = group.mut_subcommand("use", |sub| sub.mut_arg("name", name));
        let group = group.mut_subcommand("show", |sub| sub.mut_arg("name", name));
        // `mut_arg` moves an argument to the end, so all are moved.
        let group = group.mut_subcommand("set", |sub| {
            sub.mut_arg("name", name).mut_arg("key", |arg| arg).mut_arg("values", |arg| arg)
        });
        let group = group.mut_subcommand("rename", |sub| sub.mut_arg("old", name).mut_arg("new", |arg| arg));
        group.mut_subcommand("remove", |sub| sub.mut_arg("name", name))
    });
    // Adds the arguments of `diff`, which are added late.
    command.build();
    let either = |arg: Arg| arg.add(name_or_file.clone());
    command.mut_subcommand("diff", |sub| sub.mut_arg("a", either).mut_arg("b", either))
}

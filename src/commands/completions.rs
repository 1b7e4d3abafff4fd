//! `completions`: the script that makes a shell complete this command.

use std::ffi::OsString;

use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{EnvCompleter, Shells};
use serde_json::{Value, json};

use crate::domain::client::secret::Secret;
use crate::edge::config_file::ConfigFile;
use crate::edge::host::Host;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

use super::Cli;

/// The variable by which a shell asks for completions. clap's own, `COMPLETE`, may be set for another program.
const COMPLETE_VARIABLE: &str = "CORTI_AUTH_COMPLETE";

/// The script asks corti-auth itself what fits, so profile names complete too.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bash        source <(corti-auth completions bash)
  zsh         source <(corti-auth completions zsh)
  fish        corti-auth completions fish > ~/.config/fish/completions/corti-auth.fish
  elvish      eval (corti-auth completions elvish | slurp)
  PowerShell  corti-auth completions powershell | Out-String | Invoke-Expression")]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

/// A completion script.
pub(super) struct CompletionsOutcome {
    shell: &'static str,
    script: String,
}

/// # Errors
/// Where the generator fails.
pub(super) fn run(args: &CompletionsArgs) -> Result<CompletionsOutcome, Failure> {
    let shell = match args.shell {
        Shell::Bash => "bash",
        Shell::Elvish => "elvish",
        Shell::Fish => "fish",
        Shell::Powershell => "powershell",
        Shell::Zsh => "zsh",
    };
    let failed =
        |reason: String| Failure::new(Kind::Unexpected, format!("no completions for {shell}: {reason}"));
    let shells = Shells::builtins();
    let completer: &dyn EnvCompleter =
        shells.completer(shell).ok_or_else(|| failed("unknown to the generator".to_owned()))?;
    let mut script = Vec::new();
    completer
        .write_registration(COMPLETE_VARIABLE, "corti-auth", "corti-auth", "corti-auth", &mut script)
        .map_err(|error| failed(error.to_string()))?;
    let script = String::from_utf8(script).map_err(|error| failed(error.to_string()))?;
    Ok(CompletionsOutcome { shell, script: script.trim_end().to_owned() })
}

/// Answers a shell that asks what fits; `None` where none does.
pub(super) fn answer(host: &Host) -> Option<Result<String, Failure>> {
    let shell = host.env.get(COMPLETE_VARIABLE)?;
    Some(candidates(&shell, host).map_err(|reason| {
        let message = format!("cannot complete for `{shell}`: {reason}");
        Failure::new(Kind::Usage, message).hint(format!("unset {COMPLETE_VARIABLE}"))
    }))
}

fn candidates(shell: &str, host: &Host) -> Result<String, String> {
    let shells = Shells::builtins();
    let completer = shells.completer(shell).ok_or("it is not a shell that is known")?;
    // The script calls `corti-auth -- WORDS`, the first of them the program's name.
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

/// The command line with the profiles' names where a profile is wanted. Whatever is wrong with the configuration, a
/// completion is not the place to say it.
fn command_with_profiles(host: &Host) -> clap::Command {
    let config = ConfigFile::locate(None, &host.env).and_then(|file| file.load()).unwrap_or_default();
    let names: Vec<OsString> = config.profiles().keys().map(|name| name.as_str().into()).collect();
    let candidates = ArgValueCandidates::new(move || names.iter().map(CompletionCandidate::new).collect());
    let name = |arg: clap::Arg| arg.add(candidates.clone());
    Cli::command().mut_arg("profile", name).mut_subcommand("profile", |group| {
        let group = group.mut_subcommand("use", |sub| sub.mut_arg("name", name));
        // An argument that is changed becomes the last one, so both are.
        let group = group.mut_subcommand("rename", |sub| sub.mut_arg("old", name).mut_arg("new", |arg| arg));
        group.mut_subcommand("remove", |sub| sub.mut_arg("name", name))
    })
}

impl Outcome for CompletionsOutcome {
    fn command(&self) -> &'static str {
        "completions"
    }

    fn json(&self) -> Value {
        json!({ "shell": self.shell, "script": self.script })
    }

    fn text(&self) -> Text {
        Text::Datum(Secret::new(self.script.clone()))
    }
}

//! `completions`: the script that makes a shell complete this command.

use clap::{Args, ValueEnum};
use clap_complete::env::{EnvCompleter, Shells};
use serde_json::{Value, json};

use crate::domain::secret::Secret;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

use super::COMPLETE_VARIABLE;

/// Print the completion script of a shell
///
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

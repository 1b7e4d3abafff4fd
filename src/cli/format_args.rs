//! `--format` and `--shell`: how a token is printed.

use clap::{Args, ValueEnum};

use crate::app::context::Context;
use crate::app::delivery::Delivery;
use crate::domain::text::shell::Shell;
use crate::failure::{Failure, Kind};

/// How a token is printed.
#[derive(Debug, Args)]
pub(crate) struct FormatArgs {
    /// Print in this format [default: token]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Quote --format env for this shell [default: sh; on Windows powershell]
    #[arg(long, value_enum)]
    shell: Option<ShellName>,
}

/// The formats of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The token and a line break
    Token,
    /// A JSON object, as with --json
    Json,
    /// Both headers of a request, for curl -H @-
    Header,
    /// Both headers in curl's words, for curl -K -
    Curl,
    /// Variables to set in a shell, for eval
    Env,
    /// Variables for a file
    Dotenv,
    /// JSON as @corti/sdk's refreshAccessToken returns it
    Sdk,
    /// GitHub Actions: a mask, then outputs of the step
    Github,
    /// GitLab: the file corti.env, for a dotenv report
    Gitlab,
    /// Azure Pipelines: variables, the token as a secret one
    Azure,
}

/// The shells of `--format env`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ShellName {
    /// sh, bash, dash, zsh, ksh
    Sh,
    /// fish
    Fish,
    /// PowerShell
    Powershell,
}

impl FormatArgs {
    /// Settles the format before anything is minted.
    ///
    /// # Errors
    /// Where options exclude each other, or the destination's variable is not set.
    pub(crate) fn delivery(&self, context: &Context<'_>) -> Result<Delivery, Failure> {
        let Self { format, shell } = *self;
        if shell.is_some() && format != Some(Format::Env) {
            return Err(Failure::new(Kind::Usage, "--shell says how --format env quotes, and nothing else")
                .hint("add --format env, or leave --shell out"));
        }
        let format = match (format, context.options.json) {
            (None | Some(Format::Json), true) => Format::Json,
            (Some(other), true) => {
                let name = other.to_possible_value().map(|value| value.get_name().to_owned());
                let message = format!("--json and --format {} exclude each other", name.unwrap_or_default());
                return Err(Failure::new(Kind::Usage, message).hint("leave one of them out"));
            }
            (format, false) => format.unwrap_or(Format::Token),
        };
        let env = &context.host.env;
        Ok(match format {
            Format::Token => Delivery::Token,
            Format::Json => Delivery::Json,
            Format::Header => Delivery::Header,
            Format::Curl => Delivery::Curl,
            Format::Env => Delivery::Env(shell.unwrap_or(ShellName::SYSTEM).shell()),
            Format::Dotenv => Delivery::Dotenv,
            Format::Sdk => Delivery::Sdk,
            Format::Github => Delivery::github(env)?,
            Format::Gitlab => Delivery::gitlab(env),
            Format::Azure => Delivery::Azure,
        })
    }
}

impl ShellName {
    /// What scripts of this system are written in. Not `$SHELL`: a script must mean the same whoever runs it.
    const SYSTEM: Self = if cfg!(windows) { Self::Powershell } else { Self::Sh };

    fn shell(self) -> Shell {
        match self {
            Self::Sh => Shell::Posix,
            Self::Fish => Shell::Fish,
            Self::Powershell => Shell::PowerShell,
        }
    }
}

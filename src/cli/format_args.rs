//! `--format` and `--shell`: how a token is printed.

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use crate::app::context::Context;
use crate::app::delivery::Delivery;
use crate::cli::argument;
use crate::domain::text::shell::Shell;
use crate::failure::{Failure, Kind};

/// How a token is printed.
#[derive(Debug, Args)]
pub(crate) struct FormatArgs {
    /// Print in this format [default: token]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Shell that --format env is for [default: sh; on Windows powershell]
    #[arg(long, value_enum)]
    shell: Option<Shell>,
}

/// The formats of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The token and a line break
    Token,
    /// A JSON object, as with --json
    Json,
    /// The headers Authorization and Tenant-Name, for curl -H @-
    Header,
    /// The same headers as a curl config, for curl -K -
    Curl,
    /// Commands that set variables in your shell (sh; on Windows PowerShell)
    Env,
    /// Lines for a .env file
    Dotenv,
    /// JSON as @corti/sdk's refreshAccessToken returns it
    Sdk,
    /// GitHub Actions: a mask, then the outputs of the step
    Github,
    /// GitLab: the file corti.env, for a dotenv report
    Gitlab,
    /// Azure Pipelines: variables, the token as a secret variable
    Azure,
}

impl ValueEnum for Shell {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Posix, Self::Fish, Self::PowerShell]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Posix => PossibleValue::new("sh").help("sh, bash, dash, zsh, ksh"),
            Self::Fish => PossibleValue::new("fish").help("fish"),
            Self::PowerShell => PossibleValue::new("powershell").help("PowerShell"),
        })
    }
}

impl FormatArgs {
    /// The format and where the token goes. Checked before anything is minted.
    pub(crate) fn delivery(&self, context: &Context<'_>) -> Result<Delivery, Failure> {
        let Self { format, shell } = *self;
        if shell.is_some() && format != Some(Format::Env) {
            return Err(Failure::new(Kind::Usage, "--shell works only with --format env")
                .hint("add --format env, or leave out --shell"));
        }
        let json = context.asks_for_json();
        let format = format.unwrap_or(if json { Format::Json } else { Format::Token });
        if json && format != Format::Json {
            return Err(argument::json_conflicts_with(&format, context));
        }
        let env = &context.host.env;
        Ok(match format {
            Format::Token => Delivery::Token,
            Format::Json => Delivery::Json,
            Format::Header => Delivery::Header,
            Format::Curl => Delivery::Curl,
            Format::Env => Delivery::Env(shell.unwrap_or(Shell::HERE)),
            Format::Dotenv => Delivery::Dotenv,
            Format::Sdk => Delivery::Sdk,
            Format::Github => Delivery::github(env)?,
            Format::Gitlab => Delivery::gitlab(env),
            Format::Azure => Delivery::Azure,
        })
    }
}

//! Prints a token in one of its formats, or writes it to the file that a CI system names.

use std::path::{Path, PathBuf};

use crate::app::context::Context;
use crate::domain::client::api_client::Client;
use crate::domain::client::invalid::Invalid;
use crate::domain::client::secret::Secret;
use crate::domain::client::variable;
use crate::domain::text::event::Event;
use crate::domain::text::page::Page;
use crate::domain::text::shell::Shell;
use crate::domain::token::format::{self, ForPipeline, Named};
use crate::domain::token::grant::Token;
use crate::edge::host::{Env, stdout_has_reader};
use crate::edge::private_file;
use crate::failure::{Failure, Kind};
use crate::output::Text;

/// The file that GitLab's format writes.
const GITLAB_FILE: &str = "corti.env";

/// A format, and the file it is written to.
#[derive(Debug)]
pub(crate) enum Delivery {
    Token,
    Json,
    Header,
    Curl,
    Env(Shell),
    Dotenv,
    Sdk,
    /// The step's file of outputs.
    Github(PathBuf),
    /// The file to write.
    Gitlab(PathBuf),
    Azure,
}

impl Delivery {
    /// For a step of GitHub Actions. Fails if it names no file, or if nothing reads the mask.
    pub(crate) fn github(env: &Env) -> Result<Self, Failure> {
        let variable = variable::GITHUB_OUTPUT;
        let Some(outputs) = env.path(variable) else {
            let message = format!("{variable} is not set: --format github is for a step of GitHub Actions");
            return Err(Failure::new(Kind::Configuration, message)
                .hint("outside GitHub Actions, use --format token or --format dotenv"));
        };
        if stdout_has_reader() { Ok(Self::Github(outputs)) } else { Err(not_masked()) }
    }

    /// For a GitLab job: the file of its dotenv report.
    pub(crate) fn gitlab(env: &Env) -> Self {
        Self::Gitlab(env.path(variable::CI_PROJECT_DIR).unwrap_or_default().join(GITLAB_FILE))
    }

    /// Whether later steps of a CI job get the token.
    pub(crate) fn is_for_pipelines(&self) -> bool {
        matches!(self, Self::Github(_) | Self::Gitlab(_) | Self::Azure)
    }

    /// Renders the token. Writes it to the format's file, if it has one; else it is in the text.
    pub(crate) fn deliver(
        &self,
        client: &Client,
        token: &Token,
        context: &Context<'_>,
    ) -> Result<Text, Failure> {
        let variables = || format::variables(client, token);
        let headers = || format::headers(client, token);
        let rendered = match self {
            Self::Token => Ok(token.access_token.secret().clone()),
            Self::Json => return Ok(Text::Json),
            Self::Header => format::header_lines(&headers()),
            Self::Curl => format::curl_config(&headers()),
            Self::Env(shell) => format::exports(&with_expiry(variables(), token), *shell),
            Self::Dotenv => format::dotenv_lines(&with_expiry(variables(), token)),
            Self::Sdk => Ok(Secret::new(format::sdk(client, token).to_string())),
            Self::Azure => format::azure(&variables()),
            Self::Github(path) => {
                let ForPipeline { commands, lines } = format::github(&variables()).map_err(cannot_format)?;
                // The log must know the mask before the value is written anywhere.
                context.sink.event(Event::Commands(commands));
                if !context.sink.is_read() {
                    return Err(not_masked());
                }
                let written = private_file::append(path, lines.expose().as_bytes());
                let done = "set step outputs: access_token (masked), tenant_name, environment";
                return written_to(path, written, done.to_owned());
            }
            Self::Gitlab(path) => {
                let lines = format::gitlab(&variables()).map_err(cannot_format)?;
                let written = private_file::replace(path, lines.expose().as_bytes());
                let text = written_to(path, written, format!("wrote {GITLAB_FILE} for a dotenv report"))?;
                let hint = format!("within one job: corti-auth exec {} -- CMD", token.granted.arguments());
                context.warn(
                    "GitLab does not mask this token, and keeps a dotenv report as an artifact that others may download",
                    Some(&hint),
                );
                return Ok(text);
            }
        };
        rendered.map(Text::Datum).map_err(cannot_format)
    }
}

/// The variables with the token's expiry, for programs that keep the token.
fn with_expiry(variables: [Named; 3], token: &Token) -> Vec<Named> {
    let end = Named::open(variable::TOKEN_EXPIRES_AT, token.expires_at.to_string());
    variables.into_iter().chain([end]).collect()
}

fn not_masked() -> Failure {
    let message =
        "the token was not written: stdout is redirected or closed, so the runner could not mask it";
    Failure::new(Kind::Unexpected, message).hint("do not redirect the standard output of this step")
}

/// The command's message, `done`, once the token was written to the file at `path`.
fn written_to(path: &Path, written: std::io::Result<()>, done: String) -> Result<Text, Failure> {
    match written {
        Ok(()) => Ok(Text::Message(Page::new().line(done))),
        Err(error) => {
            let file = path.display().to_string();
            let message = format!("cannot write the token to `{file}`: {error}");
            Err(Failure::new(Kind::Configuration, message).hint(Shell::HERE.show_rights("-ld", path)))
        }
    }
}

/// A value that a format cannot express.
pub(crate) fn cannot_format(error: Invalid) -> Failure {
    Failure::new(Kind::Configuration, error).hint("--format json can hold any value")
}

//! The formats of a token, and where each of them goes: to stdout, or into a file that a CI system names.

use std::path::PathBuf;

use crate::app::context::Context;
use crate::domain::client::api_client::Client;
use crate::domain::client::invalid::Invalid;
use crate::domain::client::secret::Secret;
use crate::domain::client::variable;
use crate::domain::text::event::Event;
use crate::domain::text::shell;
use crate::domain::token::format::{self, ForPipeline, Named};
use crate::domain::token::grant::Token;
use crate::edge::host::{Env, stdout_has_reader};
use crate::edge::private_file;
use crate::failure::{Failure, Kind};

/// The file that GitLab's format writes.
const GITLAB_FILE: &str = "corti.env";

/// A format whose destination is known to be there.
#[derive(Debug)]
pub(crate) enum Delivery {
    Token,
    Json,
    Header,
    Curl,
    Env(shell::Shell),
    Dotenv,
    Sdk,
    /// The file of outputs.
    Github(PathBuf),
    /// The file to write.
    Gitlab(PathBuf),
    Azure,
}

/// What came of a delivery.
#[derive(Debug)]
pub(crate) enum Delivered {
    /// To be printed.
    Datum(Secret),
    /// To be printed as the command's JSON object.
    Json,
    /// Written: what was, and where.
    Written(String),
}

impl Delivery {
    /// The file of outputs of a step of GitHub Actions.
    ///
    /// # Errors
    /// Where there is none, or nothing reads the mask.
    pub(crate) fn github(env: &Env) -> Result<Self, Failure> {
        let outputs = env.path(variable::GITHUB_OUTPUT).ok_or_else(no_github)?;
        if stdout_has_reader() { Ok(Self::Github(outputs)) } else { Err(not_masked()) }
    }

    /// The file of a dotenv report of GitLab.
    pub(crate) fn gitlab(env: &Env) -> Self {
        Self::Gitlab(env.path(variable::CI_PROJECT_DIR).unwrap_or_default().join(GITLAB_FILE))
    }

    /// Whether the token goes on to every later step of a job.
    pub(crate) fn is_for_pipelines(&self) -> bool {
        matches!(self, Self::Github(_) | Self::Gitlab(_) | Self::Azure)
    }

    /// Renders the token and writes it where it goes, but for stdout.
    ///
    /// # Errors
    /// Where the format cannot say a value, or the file cannot be written.
    pub(crate) fn deliver(
        &self,
        client: &Client,
        token: &Token,
        context: &Context<'_>,
    ) -> Result<Delivered, Failure> {
        let (variables, headers) = (format::variables(client, token), format::headers(client, token));
        let datum = |rendered: Result<Secret, Invalid>| rendered.map(Delivered::Datum).map_err(unsaid);
        match self {
            Self::Token => Ok(Delivered::Datum(token.access_token.secret().clone())),
            Self::Json => Ok(Delivered::Json),
            Self::Header => datum(format::header_lines(&headers)),
            Self::Curl => datum(format::curl_config(&headers)),
            Self::Env(shell) => datum(format::exports(&timed(variables, token), *shell)),
            Self::Dotenv => datum(format::dotenv_lines(&timed(variables, token))),
            Self::Sdk => Ok(Delivered::Datum(Secret::new(format::sdk(client, token).to_string()))),
            Self::Azure => datum(format::azure(&variables)),
            Self::Github(path) => {
                let ForPipeline { commands, lines } = format::github(&variables).map_err(unsaid)?;
                // The value must not be anywhere before the log knows that it is to be masked.
                context.sink.event(Event::Commands(commands));
                if !context.sink.is_read() {
                    return Err(not_masked());
                }
                let written = private_file::append(path, lines.expose().as_bytes());
                let written = written.map_err(|error| not_written(path, &error));
                written.map(|()| Delivered::Written(format!("outputs of this step, in {}", path.display())))
            }
            Self::Gitlab(path) => {
                let lines = format::gitlab(&variables).map_err(unsaid)?;
                let written = private_file::replace(path, lines.expose().as_bytes());
                written.map_err(|error| not_written(path, &error))?;
                context.warn(
                    "GitLab does not mask this token, and keeps a dotenv report as an artifact that others may download",
                    Some("within one job: corti-auth exec --scope transcribe -- CMD"),
                );
                Ok(Delivered::Written(format!("variables for a dotenv report, in {}", path.display())))
            }
        }
    }
}

/// With when the token ends, for whoever keeps it.
fn timed(variables: [Named; 3], token: &Token) -> Vec<Named> {
    let end = Named::open(variable::TOKEN_EXPIRES_AT, token.expires_at.to_string());
    variables.into_iter().chain([end]).collect()
}

fn no_github() -> Failure {
    let message =
        format!("{} is not set: --format github is for a step of GitHub Actions", variable::GITHUB_OUTPUT);
    Failure::new(Kind::Configuration, message).hint("elsewhere: --format token, or --format dotenv")
}

fn not_masked() -> Failure {
    let message = "the mask cannot be written to stdout for the runner, so the token is not written anywhere";
    Failure::new(Kind::Unexpected, message).hint("do not redirect the standard output of this step")
}

fn not_written(path: &std::path::Path, error: &std::io::Error) -> Failure {
    let message = format!("cannot write the token to `{}`: {error}", path.display());
    Failure::new(Kind::Configuration, message)
        .hint(format!("ls -ld {}", shell::quote(&path.display().to_string())))
}

/// A value that a format cannot say.
pub(crate) fn unsaid(error: Invalid) -> Failure {
    Failure::new(Kind::Configuration, error).hint("another format has room for every value: --format json")
}

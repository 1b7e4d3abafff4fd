//! Reads a new client secret from a file, standard input or a hidden prompt; never from the command line.

use std::path::{Path, PathBuf};

use crate::app::context::Context;
use crate::app::input::name;
use crate::domain::client::secret::{ClientSecret, MAX_SECRET_FILE_BYTES};
use crate::domain::client::variable::{self, GivenSecret};
use crate::domain::text::shell::{Shell, quote};
use crate::edge::{input, prompt};
use crate::failure::{Failure, Kind};

/// The options that name the source of a secret. Without them a person is asked.
#[derive(Clone, Debug)]
pub(crate) struct SecretInput {
    pub(crate) file: Option<PathBuf>,
    pub(crate) stdin: bool,
}

impl SecretInput {
    /// Whether a person is asked.
    pub(crate) fn is_prompt(&self) -> bool {
        self.file.is_none() && !self.stdin
    }

    /// Refuses `--secret-stdin` on a terminal.
    pub(crate) fn refuse_terminal(&self, context: &Context<'_>) -> Result<(), Failure> {
        if !self.stdin || !context.host.terminal.stdin {
            return Ok(());
        }
        let message = "--secret-stdin needs a pipe, but standard input is a terminal";
        Err(Failure::new(Kind::Usage, message)
            .hint("to type it at a hidden prompt, leave out --secret-stdin"))
    }

    /// Reads the secret. `command` is the subcommand's name.
    pub(crate) async fn read(
        &self,
        context: &Context<'_>,
        command: &str,
        question: &'static str,
    ) -> Result<ClientSecret, Failure> {
        self.refuse_terminal(context)?;
        if self.is_prompt() {
            if !context.may_ask() {
                let line = format!("corti-auth {command}{} --secret-stdin", context.profile_option());
                return Err(missing(command, &line, context.variables()?.client_secret.as_ref()));
            }
            return parsed(prompt::password(question).await?.as_bytes());
        }
        read(self.file.as_deref()).await
    }
}

/// How often a secret can be typed.
const TRIES: usize = 3;

impl SecretInput {
    /// As [`Self::read`], and hands the secret to `verify`. A typed one that Corti rejects can be typed again.
    pub(crate) async fn read_verified(
        &self,
        context: &Context<'_>,
        command: &str,
        question: &'static str,
        verify: impl AsyncFn(&ClientSecret) -> Result<(), Failure>,
    ) -> Result<ClientSecret, Failure> {
        let mut left = if self.is_prompt() { TRIES } else { 1 };
        loop {
            let secret = self.read(context, command, question).await?;
            left -= 1;
            match verify(&secret).await {
                Err(failure) if failure.is_wrong_secret && left > 0 => {
                    let reason = failure.causes().last().unwrap_or_default();
                    let tries = if left == 1 { "1 try" } else { "2 tries" };
                    context.warn(format!("{reason}; type the secret again ({tries} left)"), None);
                }
                result => return result.map(|()| secret),
            }
        }
    }
}

/// The secret in a file, or on standard input.
pub(crate) async fn read(file: Option<&Path>) -> Result<ClientSecret, Failure> {
    let bytes = input::read(file, MAX_SECRET_FILE_BYTES).await.map_err(|reason| {
        Failure::new(Kind::Usage, format!("cannot read the secret from {}: {reason}", name(file)))
            .hint("name a file that holds the secret: --secret-file FILE")
    })?;
    parsed(&bytes)
}

fn parsed(bytes: &[u8]) -> Result<ClientSecret, Failure> {
    ClientSecret::from_bytes(bytes).map_err(|error| {
        Failure::new(Kind::Usage, error).hint("give the secret and nothing else, in one line")
    })
}

/// Values are missing, and nobody can be asked for them.
pub(crate) fn no_terminal(missing: &str) -> Failure {
    Failure::new(Kind::Usage, format!("missing: {missing} (no terminal to ask on)"))
}

/// No secret is given, and nobody can be asked. `line` is the command that reads one from stdin: variables are not read.
fn missing(command: &str, line: &str, given: Option<&GivenSecret>) -> Failure {
    let failure = no_terminal("the client secret").hint(Shell::HERE.read_from(line, "FILE"));
    match given {
        None => failure,
        Some(GivenSecret::Value(_)) => {
            let name = variable::CLIENT_SECRET;
            let pipe = Shell::HERE.pipe_variable(name, line);
            failure.hint(format!("{command} does not read {name}; pipe it in: {pipe}"))
        }
        Some(GivenSecret::File(name, path)) => {
            let pipe = Shell::HERE.read_from(line, &quote(&path.display().to_string()));
            failure.hint(format!("{command} does not read {name}; pipe it in: {pipe}"))
        }
    }
}

//! Where a client secret comes from when it is given: a file, standard input, or a hidden prompt. Never argv.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::domain::secret::{ClientSecret, MAX_SECRET_BYTES};
use crate::domain::shell::quote;
use crate::domain::variable::{self, GivenSecret};
use crate::edge::{input, prompt};
use crate::failure::{Failure, Kind};

use super::context::Context;

/// How much is read: a secret, and the line break that an editor adds.
const LIMIT: usize = MAX_SECRET_BYTES + 2;

/// A source of a secret.
#[derive(Clone, Debug)]
pub(super) enum SecretInput {
    /// This file.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// A person.
    Prompt,
}

/// What a secret is wanted for, so that advice names the right command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Purpose {
    command: &'static str,
    question: &'static str,
}

impl Purpose {
    /// To be stored.
    pub(super) const LOGIN: Self = Self { command: "login", question: "Client secret (not shown)" };
    /// To replace a stored one.
    pub(super) const ROTATION: Self = Self { command: "rotate", question: "New client secret (not shown)" };

    fn command_line(self) -> String {
        format!("corti-auth {} --secret-stdin", self.command)
    }
}

impl SecretInput {
    /// A secret to be stored, as by [`SecretInput::read_for`].
    ///
    /// # Errors
    /// The same.
    pub(super) async fn read(&self, context: &Context<'_>) -> Result<ClientSecret, Failure> {
        self.read_for(context, Purpose::LOGIN).await
    }

    /// The secret.
    ///
    /// # Errors
    /// Where it cannot be read, nobody can be asked, or what came is no secret.
    pub(super) async fn read_for(
        &self,
        context: &Context<'_>,
        purpose: Purpose,
    ) -> Result<ClientSecret, Failure> {
        let bytes = match self {
            Self::File(path) => from_file(path).await?,
            Self::Stdin => from_stdin(context, purpose).await?,
            Self::Prompt => from_person(context, purpose).await?,
        };
        ClientSecret::from_bytes(&bytes).map_err(|error| {
            Failure::new(Kind::Usage, error)
                .hint(format!("give the secret alone: {} < FILE", purpose.command_line()))
        })
    }
}

async fn from_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    input::read(Some(path), LIMIT).await.map_err(|reason| {
        Failure::new(Kind::Usage, format!("cannot read the secret from `{}`: {reason}", path.display()))
            .hint("name a file that holds the secret alone: --secret-file FILE")
    })
}

async fn from_stdin(context: &Context<'_>, purpose: Purpose) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if context.host.terminal.stdin {
        return Err(Failure::new(
            Kind::Usage,
            "--secret-stdin wants a pipe, and standard input is a terminal",
        )
        .hint("leave --secret-stdin out to be asked for the secret, unseen"));
    }
    input::read(None, LIMIT).await.map_err(|reason| {
        Failure::new(Kind::Usage, format!("cannot read the secret from standard input: {reason}"))
            .hint(format!("{} < FILE", purpose.command_line()))
    })
}

async fn from_person(context: &Context<'_>, purpose: Purpose) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if context.may_ask() {
        return Ok(Zeroizing::new(prompt::password(purpose.question).await?.into_bytes()));
    }
    let failure = Failure::new(Kind::Usage, "the client secret is missing, and nobody can be asked for it")
        .hint("give --secret-stdin or --secret-file FILE");
    let line = purpose.command_line();
    Err(match &context.variables()?.client_secret {
        None => failure,
        Some(GivenSecret::Value(_)) => failure.hint(format!(
            "{0} is not read by {1}; to store it: printenv {0} | {line}",
            variable::CLIENT_SECRET,
            purpose.command
        )),
        Some(GivenSecret::File(name, path)) => failure.hint(format!(
            "{name} is not read by {}; to store its secret: {line} < {}",
            purpose.command,
            quote(&path.display().to_string())
        )),
    })
}

//! Where a client secret comes from when it is given: a file, standard input, or a hidden prompt. Never argv.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::domain::secret::{ClientSecret, MAX_SECRET_BYTES};
use crate::domain::shell::quote;
use crate::domain::variable::{self, GivenSecret};
use crate::edge::host::{read_bounded, read_stdin};
use crate::edge::{prompt, thread};
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
    /// The option that a file's name, or the shell's `< FILE`, comes behind.
    option: &'static str,
}

impl Purpose {
    /// To be stored.
    pub(super) const LOGIN: Self =
        Self { command: "login", question: "Client secret (not shown)", option: "--secret-stdin <" };
    /// To replace a stored one.
    pub(super) const ROTATION: Self =
        Self { command: "rotate", question: "New client secret (not shown)", option: "--secret-stdin <" };
    /// To be the emulated client's. It only ever comes from a file.
    pub(super) const SANDBOX: Self = Self { command: "sandbox", question: "", option: "--secret-file" };

    /// How to give a file that holds the secret.
    fn with_file(self) -> String {
        format!("corti-auth {} {} FILE", self.command, self.option)
    }

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
        let bytes = zeroize::Zeroizing::new(bytes);
        ClientSecret::from_bytes(&bytes).map_err(|error| {
            Failure::new(Kind::Usage, error).hint(format!("give the secret alone: {}", purpose.with_file()))
        })
    }
}

/// Beside the runtime, as in [`from_stdin`]: a pipe that nobody writes to must not hold Ctrl-C back.
async fn from_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let file = path.to_owned();
    let read = thread::beside(move || File::open(file).and_then(|file| read_bounded(file, LIMIT))).await;
    gathered(read).map_err(|reason| {
        Failure::new(Kind::Usage, format!("cannot read the secret from `{}`: {reason}", path.display()))
            .hint("name a file that holds the secret alone: --secret-file FILE")
    })
}

async fn from_stdin(context: &Context<'_>, purpose: Purpose) -> Result<Vec<u8>, Failure> {
    if context.host.terminal.stdin {
        return Err(Failure::new(
            Kind::Usage,
            "--secret-stdin wants a pipe, and standard input is a terminal",
        )
        .hint("leave --secret-stdin out to be asked for the secret, unseen"));
    }
    gathered(thread::beside(|| read_stdin(LIMIT)).await).map_err(|reason| {
        Failure::new(Kind::Usage, format!("cannot read the secret from standard input: {reason}"))
            .hint(purpose.with_file())
    })
}

fn gathered(read: Option<std::io::Result<Vec<u8>>>) -> Result<Vec<u8>, String> {
    read.ok_or_else(|| "the read was given up".to_owned())?.map_err(|error| error.to_string())
}

async fn from_person(context: &Context<'_>, purpose: Purpose) -> Result<Vec<u8>, Failure> {
    if context.may_ask() {
        return Ok(prompt::password(purpose.question).await?.into_bytes());
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

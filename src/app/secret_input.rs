//! Where a client secret comes from when it is given: a file, standard input, or a hidden prompt. Never argv.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::app::context::Context;
use crate::domain::client::secret::{ClientSecret, MAX_SECRET_BYTES};
use crate::domain::client::variable::{self, GivenSecret};
use crate::domain::text::shell::quote;
use crate::edge::{input, prompt};
use crate::failure::{Failure, Kind};

/// How much is read: a secret, and the line break that an editor adds.
const LIMIT: usize = MAX_SECRET_BYTES + 2;

/// A source of a secret.
#[derive(Clone, Debug)]
pub(crate) enum SecretInput {
    /// This file.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// A person.
    Prompt,
}

/// What a secret is wanted for, so that advice names the right command.
#[derive(Clone, Debug)]
pub(crate) struct Purpose {
    command: &'static str,
    question: &'static str,
    /// The option that a file's name, or the shell's `< FILE`, comes behind.
    option: &'static str,
    /// The command's own options that were given, each with a space in front.
    options: String,
}

impl Purpose {
    /// To be stored.
    pub(crate) const LOGIN: Self = Self::of("login", "Client secret (not shown)", "--secret-stdin <");
    /// To replace a stored one.
    pub(crate) const ROTATION: Self = Self::of("rotate", "New client secret (not shown)", "--secret-stdin <");
    /// To be the emulated client's. It only ever comes from a file.
    pub(crate) const SANDBOX: Self = Self::of("sandbox", "", "--secret-file");

    const fn of(command: &'static str, question: &'static str, option: &'static str) -> Self {
        Self { command, question, option, options: String::new() }
    }

    /// The same where these options were given.
    pub(crate) fn with(self, options: String) -> Self {
        Self { options, ..self }
    }

    /// The command up to where the secret's place is named.
    fn command_line(&self, context: &Context<'_>) -> String {
        format!("corti-auth {}{}{}", self.command, context.choice(), self.options)
    }

    /// How to give a file that holds the secret.
    fn with_file(&self, context: &Context<'_>) -> String {
        format!("{} {} FILE", self.command_line(context), self.option)
    }
}

impl SecretInput {
    /// What `--secret-file` and `--secret-stdin` name; a person is asked where neither is given.
    pub(crate) fn named(file: Option<&Path>, stdin: bool) -> Self {
        match file {
            Some(path) => Self::File(path.to_owned()),
            None if stdin => Self::Stdin,
            None => Self::Prompt,
        }
    }

    /// Refuses a terminal that stands where a pipe should.
    ///
    /// # Errors
    /// A usage failure with a hint.
    pub(crate) fn refuse_terminal(&self, context: &Context<'_>) -> Result<(), Failure> {
        if !matches!(self, Self::Stdin) || !context.host.terminal.stdin {
            return Ok(());
        }
        let message = "--secret-stdin wants a pipe, and standard input is a terminal";
        Err(Failure::new(Kind::Usage, message)
            .hint("leave --secret-stdin out to be asked for the secret, unseen"))
    }

    /// The secret.
    ///
    /// # Errors
    /// Where it cannot be read, nobody can be asked, or what came is no secret.
    pub(crate) async fn read(
        &self,
        context: &Context<'_>,
        purpose: Purpose,
    ) -> Result<ClientSecret, Failure> {
        self.refuse_terminal(context)?;
        let bytes = match self {
            Self::File(path) => from_file(path).await?,
            Self::Stdin => from_stdin(context, &purpose).await?,
            Self::Prompt => from_person(context, &purpose).await?,
        };
        ClientSecret::from_bytes(&bytes).map_err(|error| {
            Failure::new(Kind::Usage, error)
                .hint(format!("give the secret alone: {}", purpose.with_file(context)))
        })
    }
}

async fn from_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    input::read(Some(path), LIMIT).await.map_err(|reason| {
        Failure::new(Kind::Usage, format!("cannot read the secret from `{}`: {reason}", path.display()))
            .hint("name a file that holds the secret alone: --secret-file FILE")
    })
}

async fn from_stdin(context: &Context<'_>, purpose: &Purpose) -> Result<Zeroizing<Vec<u8>>, Failure> {
    input::read(None, LIMIT).await.map_err(|reason| {
        Failure::new(Kind::Usage, format!("cannot read the secret from standard input: {reason}"))
            .hint(purpose.with_file(context))
    })
}

async fn from_person(context: &Context<'_>, purpose: &Purpose) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if context.may_ask() {
        return Ok(Zeroizing::new(prompt::password(purpose.question).await?.into_bytes()));
    }
    let line = format!("{} --secret-stdin", purpose.command_line(context));
    let failure = Failure::new(Kind::Usage, "the client secret is missing, and nobody can be asked for it")
        .hint(format!("{line} < FILE"));
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

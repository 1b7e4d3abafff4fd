//! Where a client secret comes from when it is given: a file, standard input, or a hidden prompt. Never argv.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::domain::secret::{ClientSecret, MAX_SECRET_BYTES};
use crate::domain::variable;
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

impl SecretInput {
    /// The secret.
    ///
    /// # Errors
    /// Where it cannot be read, nobody can be asked, or what came is no secret.
    pub(super) async fn read(&self, context: &Context<'_>) -> Result<ClientSecret, Failure> {
        let bytes = match self {
            Self::File(path) => from_file(path).await?,
            Self::Stdin => from_stdin(context).await?,
            Self::Prompt => from_person(context).await?,
        };
        let bytes = zeroize::Zeroizing::new(bytes);
        ClientSecret::from_bytes(&bytes).map_err(|error| {
            Failure::new(Kind::Usage, error)
                .hint("give the secret alone: corti-auth login --secret-stdin < FILE")
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

async fn from_stdin(context: &Context<'_>) -> Result<Vec<u8>, Failure> {
    if context.host.terminal.stdin {
        return Err(Failure::new(
            Kind::Usage,
            "--secret-stdin wants a pipe, and standard input is a terminal",
        )
        .hint("leave --secret-stdin out to be asked for the secret, unseen"));
    }
    gathered(thread::beside(|| read_stdin(LIMIT)).await).map_err(|reason| {
        Failure::new(Kind::Usage, format!("cannot read the secret from standard input: {reason}"))
            .hint("corti-auth login --secret-stdin < FILE")
    })
}

fn gathered(read: Option<std::io::Result<Vec<u8>>>) -> Result<Vec<u8>, String> {
    read.ok_or_else(|| "the read was given up".to_owned())?.map_err(|error| error.to_string())
}

async fn from_person(context: &Context<'_>) -> Result<Vec<u8>, Failure> {
    if context.may_ask() {
        return Ok(prompt::password("Client secret (not shown)").await?.into_bytes());
    }
    let failure = Failure::new(Kind::Usage, "the client secret is missing, and nobody can be asked for it")
        .hint("give --secret-stdin or --secret-file FILE");
    if context.variables()?.client_secret.is_none() {
        return Err(failure);
    }
    Err(failure.hint(format!(
        "{0} is not read by login; to store it: printenv {0} | corti-auth login --secret-stdin",
        variable::CLIENT_SECRET
    )))
}

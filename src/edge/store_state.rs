//! How a store of client secrets and an entry in it are, and why a store could not do what it was to do.

use std::time::Duration;

use crate::domain::client::secret::ClientSecretError;
use crate::domain::client::store_kind::SecretCommand;

use super::age_file::AgeFileError;
use super::secret_command::CommandError;

/// What a probe found, which never prompts and never changes anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Unlocked, and the entry is there.
    Present,
    /// Unlocked, and the entry is not there.
    Missing,
    /// More than one entry matches.
    Ambiguous(Vec<Match>),
    /// The collection is locked.
    Locked,
    /// There is no default collection.
    NoCollection,
    /// The session bus has no secret service.
    NoService,
    /// There is no session bus.
    NoBus,
}

/// One of several entries that match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The label that a keyring's own program shows.
    pub label: String,
    /// Its attributes, in order; two of them are this tool's own.
    pub attributes: Vec<(String, String)>,
}

/// Why a store could not do it, by what the caller can do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no entry: not logged in.
    #[error("no secret is stored for it")]
    Missing,
    /// The keyring is locked, and nobody unlocked it.
    #[error("the keyring is locked")]
    Locked,
    /// Two entries match, and none can be preferred.
    #[error("more than one keyring entry matches it: {}", labels(.0))]
    Ambiguous(Vec<Match>),
    /// No default collection to put an entry into.
    #[error("the keyring has no default collection")]
    NoCollection,
    /// No secret service on the session bus.
    #[error("no keyring service answers on the session bus")]
    NoService,
    /// No session bus at all.
    #[error("there is no session bus to reach a keyring through")]
    NoBus,
    /// No answer in time.
    #[error("the keyring did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// No answer to a change, which the keyring may have made or not.
    #[error("{0}")]
    Unanswered(String),
    /// The entry is there and is no client secret.
    #[error("the stored entry is not a client secret: {0}")]
    NotASecret(ClientSecretError),
    /// An encrypted file.
    #[error(transparent)]
    File(#[from] AgeFileError),
    /// A secret command.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// What keeps the secret is another program's, and is not changed from here.
    #[error("the secret is kept by the command `{0}`, and can be changed only there")]
    ReadOnly(SecretCommand),
    /// Anything else, in the store's words.
    #[error("the keyring failed: {0}")]
    Failed(String),
}

fn labels(matches: &[Match]) -> String {
    let labels: Vec<String> = matches.iter().map(|entry| format!("`{}`", entry.label)).collect();
    labels.join(", ")
}

impl State {
    pub(super) fn present_if(there: bool) -> Self {
        if there { Self::Present } else { Self::Missing }
    }

    /// Whether the store can be used; a missing entry does not hinder that.
    ///
    /// # Errors
    /// The [`StoreError`] that stands for the state.
    pub fn usable(self) -> Result<(), StoreError> {
        match self {
            Self::Present | Self::Missing => Ok(()),
            Self::Ambiguous(matches) => Err(StoreError::Ambiguous(matches)),
            Self::Locked => Err(StoreError::Locked),
            Self::NoCollection => Err(StoreError::NoCollection),
            Self::NoService => Err(StoreError::NoService),
            Self::NoBus => Err(StoreError::NoBus),
        }
    }
}

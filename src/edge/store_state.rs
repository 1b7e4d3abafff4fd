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
    /// More than one entry matches: their labels.
    Ambiguous(Vec<String>),
    /// The collection is locked.
    Locked,
    /// There is no default collection.
    NoCollection,
    /// The session bus has no secret service.
    NoService,
    /// There is no session bus.
    NoBus,
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
    #[error("more than one keyring entry matches it: {}", quoted(.0))]
    Ambiguous(Vec<String>),
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
    /// The keyring takes no secret of this length.
    #[error("the secret is longer than the {0} characters this keyring takes")]
    TooLong(u32),
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
    #[error("the command `{0}` keeps the secret; change it there")]
    ReadOnly(SecretCommand),
    /// Anything else, in the store's words.
    #[error("the keyring failed: {0}")]
    Failed(String),
}

impl StoreError {
    /// Whether a change that failed with this may have been made all the same: its answer may have been lost.
    pub fn is_uncertain(&self) -> bool {
        matches!(self, Self::TimedOut(_) | Self::Failed(_))
    }
}

fn quoted(labels: &[String]) -> String {
    let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
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

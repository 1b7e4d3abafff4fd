//! Says why a store of client secrets failed.

use std::time::Duration;

use crate::domain::client::secret::ClientSecretError;
use crate::domain::client::store_kind::SecretCommand;

use super::age_file::AgeFileError;
use super::keychain_error::KeychainError;
use super::secret_command::CommandError;

/// Why a store failed, by what the caller can do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no entry: not logged in.
    #[error("no secret is stored")]
    Missing,
    /// The keyring is locked, and nobody unlocked it.
    #[error("the keyring is locked")]
    Locked,
    /// More than one entry matches: their labels.
    #[error("the keyring has more than one entry for this client: {0}")]
    Ambiguous(String),
    /// The keyring has no default collection.
    #[error("the keyring has no default collection")]
    NoCollection,
    /// The session bus has no secret service.
    #[error("no keyring is running: no Secret Service on the D-Bus session bus")]
    NoService,
    /// There is no session bus.
    #[error("no keyring: there is no D-Bus session bus")]
    NoBus,
    /// The Keychain of macOS refused.
    #[error(transparent)]
    Keychain(#[from] KeychainError),
    /// No answer in time.
    #[error("the keyring did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// Windows has no credentials for this kind of session.
    #[error(
        "the Credential Manager is not available in this session (such as SSH with a key, some services and tasks)"
    )]
    NoLogonSession,
    /// What is too long (`secret`, `user`), and the keyring's limit in bytes.
    #[error("the {0} is too long for this keyring, which takes at most {1} bytes")]
    TooLong(String, u32),
    /// The entry exists, but does not hold a client secret.
    #[error("the entry in the store does not hold a client secret: {0}")]
    NotASecret(ClientSecretError),
    /// The encrypted file failed.
    #[error(transparent)]
    File(#[from] AgeFileError),
    /// The secret command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The secret comes from another program, and only that can change it.
    #[error("the secret comes from the command `{0}`; change it in that program")]
    ReadOnly(SecretCommand),
    /// Any other error, in the store's words.
    #[error("the keyring failed: {0}")]
    Failed(String),
}

impl StoreError {
    /// An error of the Keychain of macOS, by its status code.
    pub fn of_keychain(status: i32, error: &dyn std::error::Error) -> Self {
        let unknown = || Self::Failed(format!("{error} ({status})"));
        KeychainError::of(status).map_or_else(unknown, Self::Keychain)
    }

    /// Whether a change that failed with this error may still have happened: only its answer was lost.
    pub fn is_uncertain(&self) -> bool {
        matches!(self, Self::TimedOut(_) | Self::Failed(_))
    }
}

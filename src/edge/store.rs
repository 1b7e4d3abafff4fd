//! Where client secrets are kept. The store is chosen elsewhere; if it fails, that is an error, and no other store is tried.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::domain::client::api_client::Client;
use crate::domain::client::secret::ClientSecret;
use crate::domain::client::store_kind::SecretCommand;
use crate::domain::text::duration::seconds;
use crate::domain::text::event::{Event, Sink};

use super::age_file::AgeFiles;
use super::host::Env;
use super::keyring::{Keyring, SERVICE};
use super::secret_command;

pub use super::store_error::StoreError;

/// A store of client secrets.
pub enum Store {
    /// The operating system's keyring.
    Keyring(Keyring),
    /// Files encrypted with a passphrase.
    File(AgeFiles),
    /// The command of another secret manager, which can only be read, and this process's environment.
    Command(SecretCommand, Env),
    /// This process's memory, for `demo` without a keyring.
    Memory(RefCell<BTreeMap<String, ClientSecret>>),
}

impl Store {
    /// The store's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Keyring(_) => "the OS keyring",
            Self::File(_) => "an encrypted file",
            Self::Command(..) => "a secret command",
            Self::Memory(_) => "this process's memory",
        }
    }

    /// Where the client's secret is, in full.
    pub fn place(&self, client: &Client) -> String {
        let user = client.store_user();
        match self {
            // The name of the entry there, which `cmdkey` shows and deletes.
            Self::Keyring(_) if cfg!(windows) => format!("the Credential Manager: `{user}.{SERVICE}`"),
            Self::Keyring(_) => format!("the OS keyring: service `{SERVICE}`, user `{user}`"),
            Self::File(files) => format!("the encrypted file `{}`", files.path(&user).display()),
            Self::Command(command, _) => format!("the command `{command}`"),
            Self::Memory(_) => format!("this process's memory, as `{user}`"),
        }
    }

    /// Whether the client's secret is stored. Never prompts, and changes nothing. An error if the store cannot be used.
    pub async fn probe(&self, client: &Client) -> Result<bool, StoreError> {
        let user = client.store_user();
        match self {
            Self::Keyring(keyring) => keyring.probe(&user).await,
            Self::File(files) => Ok(files.exists(&user)?),
            // Only running it can tell, and that may ask for a passphrase.
            Self::Command(..) => Ok(true),
            Self::Memory(entries) => Ok(entries.borrow().contains_key(&user)),
        }
    }

    /// As [`Store::probe`], but unlocks a locked keyring if a person is there. Call it before asking anybody for a secret.
    pub async fn ensure_usable(&self, client: &Client, sink: &dyn Sink) -> Result<bool, StoreError> {
        let probed = self.probe(client).await;
        if let (Err(StoreError::Locked), Self::Keyring(keyring)) = (&probed, self)
            && keyring.attended
        {
            let limit = seconds(keyring.limit(true));
            let waiting =
                format!("waiting for the keyring to be unlocked (up to {limit}): look for its prompt");
            sink.event(Event::Note(waiting));
            keyring.unlock().await?;
            return self.probe(client).await;
        }
        probed
    }

    /// As [`Store::ensure_usable`], and also makes sure that [`Store::ensure_writable`] can ask what it needs to ask.
    pub async fn prepare(&self, client: &Client, sink: &dyn Sink) -> Result<(), StoreError> {
        match self {
            Self::File(files) if files.can_ask() => self.ensure_usable(client, sink).await.map(drop),
            _ => self.ensure_writable(client, sink).await,
        }
    }

    /// As [`Store::ensure_usable`], and also asks for the passphrase that is needed to write a secret.
    pub async fn ensure_writable(&self, client: &Client, sink: &dyn Sink) -> Result<(), StoreError> {
        self.ensure_usable(client, sink).await?;
        match self {
            Self::File(files) => Ok(files.prepare().await?),
            Self::Command(command, _) => Err(StoreError::ReadOnly(command.clone())),
            Self::Keyring(_) | Self::Memory(_) => Ok(()),
        }
    }

    /// The client's secret.
    pub async fn read(&self, client: &Client, sink: &dyn Sink) -> Result<ClientSecret, StoreError> {
        let user = client.store_user();
        if !self.ensure_usable(client, sink).await? {
            return Err(StoreError::Missing);
        }
        match self {
            Self::Keyring(keyring) => keyring.read(&user).await,
            Self::File(files) => Ok(files.read(&user).await?),
            Self::Command(command, env) => Ok(secret_command::run(command, env, sink).await?),
            Self::Memory(entries) => entries.borrow().get(&user).cloned().ok_or(StoreError::Missing),
        }
    }

    /// Stores the client's secret, replacing an older one in one step. Call [`Store::ensure_writable`] first.
    pub async fn write(&self, client: &Client, secret: &ClientSecret) -> Result<(), StoreError> {
        let user = client.store_user();
        match self {
            Self::Keyring(keyring) => keyring.write(&user, secret).await,
            Self::File(files) => Ok(files.write(&user, secret).await?),
            Self::Command(command, _) => Err(StoreError::ReadOnly(command.clone())),
            Self::Memory(entries) => {
                entries.borrow_mut().insert(user, secret.clone());
                Ok(())
            }
        }
    }

    /// Deletes the client's secret, and returns whether there was one. Never prompts: call [`Store::ensure_usable`] first.
    pub async fn delete(&self, client: &Client) -> Result<bool, StoreError> {
        let user = client.store_user();
        match self {
            Self::Keyring(keyring) => keyring.delete(&user).await,
            Self::File(files) => Ok(files.delete(&user).await?),
            Self::Command(command, _) => Err(StoreError::ReadOnly(command.clone())),
            Self::Memory(entries) => Ok(entries.borrow_mut().remove(&user).is_some()),
        }
    }
}

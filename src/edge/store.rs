//! Where client secrets are kept. Which store it is was decided before; a failing one is an error, and no other is
//! tried.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::domain::client::api_client::Client;
use crate::domain::client::secret::ClientSecret;
use crate::domain::client::store_kind::SecretCommand;
use crate::domain::text::event::{Event, Sink};

use super::age_file::AgeFiles;
use super::host::Env;
use super::keyring::{Keyring, SERVICE};
use super::secret_command;

pub use super::store_state::{State, StoreError};

/// A store of client secrets.
pub enum Store {
    /// The operating system's keyring.
    Keyring(Keyring),
    /// Files encrypted with a passphrase.
    File(AgeFiles),
    /// Another secret manager's command, which can be read only, and this process's environment.
    Command(SecretCommand, Env),
    /// This process's memory, for `demo` where there is no keyring.
    Memory(RefCell<BTreeMap<String, ClientSecret>>),
}

impl Store {
    /// An empty store in memory.
    pub fn memory() -> Self {
        Self::Memory(RefCell::default())
    }

    /// The store's name, as `status` shows it.
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
            Self::Keyring(_) => format!("the OS keyring: service `{SERVICE}`, user `{user}`"),
            Self::File(files) => format!("the encrypted file `{}`", files.path(&user).display()),
            Self::Command(command, _) => format!("the command `{command}`"),
            Self::Memory(_) => format!("this process's memory, as `{user}`"),
        }
    }

    /// The state of the store and of the client's entry, without prompting.
    ///
    /// # Errors
    /// [`StoreError::TimedOut`] and [`StoreError::Failed`].
    pub async fn probe(&self, client: &Client) -> Result<State, StoreError> {
        match self {
            Self::Keyring(keyring) => keyring.probe(&client.store_user()).await,
            Self::File(files) => Ok(State::present_if(files.is_there(&client.store_user())?)),
            // Only running it can tell, and that may ask for a passphrase.
            Self::Command(..) => Ok(State::Present),
            Self::Memory(entries) => {
                Ok(State::present_if(entries.borrow().contains_key(&client.store_user())))
            }
        }
    }

    /// Makes sure that the store can be used, before anybody is asked for a secret, and says whether the client's is
    /// there. Where it is locked and a person is there, it is unlocked now.
    ///
    /// # Errors
    /// [`StoreError`], see its variants.
    pub async fn ensure_usable(&self, client: &Client, sink: &dyn Sink) -> Result<bool, StoreError> {
        let mut state = self.probe(client).await?;
        if let (State::Locked, Self::Keyring(keyring)) = (&state, self)
            && keyring.attended
        {
            let waiting = "the keyring is locked: a prompt for its password may be waiting on the desktop";
            sink.event(Event::Note(waiting.to_owned()));
            keyring.unlock().await?;
            state = self.probe(client).await?;
        }
        let there = state != State::Missing;
        state.usable().map(|()| there)
    }

    /// Makes sure, beyond [`Store::ensure_usable`], that a secret can be written: a passphrase is asked for now.
    ///
    /// # Errors
    /// [`StoreError`], see its variants.
    pub async fn ensure_writable(&self, client: &Client, sink: &dyn Sink) -> Result<(), StoreError> {
        self.ensure_usable(client, sink).await?;
        match self {
            Self::File(files) => Ok(files.prepare().await?),
            Self::Command(command, _) => Err(StoreError::ReadOnly(command.clone())),
            Self::Keyring(_) | Self::Memory(_) => Ok(()),
        }
    }

    /// The client's secret.
    ///
    /// # Errors
    /// [`StoreError`], see its variants.
    pub async fn read(&self, client: &Client, sink: &dyn Sink) -> Result<ClientSecret, StoreError> {
        if !self.ensure_usable(client, sink).await? {
            return Err(StoreError::Missing);
        }
        match self {
            Self::Keyring(keyring) => keyring.read(&client.store_user()).await,
            Self::File(files) => files.read(&client.store_user()).await?.ok_or(StoreError::Missing),
            Self::Command(command, env) => Ok(secret_command::run(command, env, sink).await?),
            Self::Memory(entries) => {
                entries.borrow().get(&client.store_user()).cloned().ok_or(StoreError::Missing)
            }
        }
    }

    /// Stores the client's secret, replacing an older one in one step. Call [`Store::ensure_writable`] first.
    ///
    /// # Errors
    /// [`StoreError`], see its variants.
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

    /// Deletes the client's secret and says whether there was one. Call [`Store::ensure_usable`] first: nobody is asked to
    /// unlock the store here.
    ///
    /// # Errors
    /// [`StoreError`], see its variants.
    pub async fn delete(&self, client: &Client) -> Result<bool, StoreError> {
        let deleted = match self {
            Self::Keyring(keyring) => keyring.delete(&client.store_user()).await,
            Self::File(files) => return Ok(files.delete(&client.store_user()).await?),
            Self::Command(command, _) => Err(StoreError::ReadOnly(command.clone())),
            Self::Memory(entries) => {
                let removed = entries.borrow_mut().remove(&client.store_user());
                removed.map(drop).ok_or(StoreError::Missing)
            }
        };
        match deleted {
            Ok(()) => Ok(true),
            Err(StoreError::Missing) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

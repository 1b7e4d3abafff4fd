//! The operating system's keyring: Keychain on macOS, Credential Manager on Windows, the Secret Service elsewhere.
//!
//! Neither the Secret Service's client nor its servers bound a call, so each one runs on a thread of its own with a
//! deadline. On Linux a probe that never prompts comes first: only after it has said "unlocked" does a missing entry
//! mean "not logged in". What either of them opens is kept: a process reaches for the keyring once.

use std::time::Duration;

use crate::domain::client::secret::ClientSecret;

use super::store_state::{State, StoreError};
use super::thread;

#[cfg_attr(not(target_os = "linux"), path = "keyring/no_probe.rs")]
mod probe;

use probe::Probe;

/// The service attribute of every entry.
pub const SERVICE: &str = "corti-auth";

/// How long a keyring may take when nobody can answer its prompt.
const UNATTENDED: Duration = Duration::from_secs(3);

/// How long it may take when a person may be typing the unlock password.
const ATTENDED: Duration = Duration::from_secs(120);

/// The keyring as one process uses it: those that are cloned from it share what its probe found.
#[derive(Clone, Debug)]
pub struct Keyring {
    /// Whether a person is there to answer an unlock prompt.
    pub attended: bool,
    probe: Probe,
}

impl Keyring {
    /// One that nothing was asked of yet.
    pub fn new(attended: bool) -> Self {
        Self { attended, probe: Probe::default() }
    }

    fn limit(&self, may_prompt: bool) -> Duration {
        if self.attended && may_prompt { ATTENDED } else { UNATTENDED }
    }

    /// Asks for the keyring's state and the entry's.
    ///
    /// # Errors
    /// [`StoreError::TimedOut`] and [`StoreError::Failed`].
    pub async fn probe(&self, user: &str) -> Result<State, StoreError> {
        let (probe, user) = (self.probe.clone(), user.to_owned());
        bounded(self.limit(false), move || probe.look(&user)).await
    }

    /// Has a locked collection unlocked: a prompt is waited for. What became of it, [`Keyring::probe`] tells.
    ///
    /// # Errors
    /// [`StoreError::TimedOut`] and [`StoreError::Failed`].
    pub async fn unlock(&self) -> Result<(), StoreError> {
        let probe = self.probe.clone();
        bounded(self.limit(true), move || probe.unlock()).await
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// [`StoreError`], see its variants.
    pub async fn read(&self, user: &str) -> Result<ClientSecret, StoreError> {
        let bytes = self.call(user, keyring::Entry::get_secret).await?;
        let secret = ClientSecret::from_bytes(&bytes);
        drop(zeroize::Zeroizing::new(bytes));
        secret.map_err(StoreError::NotASecret)
    }

    /// Writes an entry, or replaces it.
    ///
    /// # Errors
    /// [`StoreError`], see its variants.
    pub async fn write(&self, user: &str, secret: &ClientSecret) -> Result<(), StoreError> {
        let secret = secret.clone();
        self.call(user, move |entry| entry.set_secret(secret.secret().expose().as_bytes())).await
    }

    /// Deletes an entry.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where there was none, and its other variants.
    pub async fn delete(&self, user: &str) -> Result<(), StoreError> {
        self.call(user, keyring::Entry::delete_credential).await
    }

    async fn call<T: Send + 'static>(
        &self,
        user: &str,
        work: impl Fn(&keyring::Entry) -> keyring::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let user = user.to_owned();
        bounded(self.limit(true), move || {
            if let Err(error) = keyring::Entry::store_status() {
                return Err(StoreError::from(error));
            }
            let entry = keyring::Entry::new(SERVICE, &user).map_err(|error| StoreError::from(&error))?;
            // An entry is looked for first and used then: another process may have deleted it in between.
            let result = match work(&entry) {
                Err(keyring::Error::PlatformFailure(_)) => work(&entry),
                result => result,
            };
            result.map_err(|error| StoreError::from(&error))
        })
        .await
    }
}

async fn bounded<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::time::timeout(limit, thread::beside(work)).await {
        Ok(Some(result)) => result,
        Ok(None) => Err(StoreError::Failed("the keyring's client gave up".to_owned())),
        Err(_) => Err(StoreError::TimedOut(limit)),
    }
}

impl From<&keyring::Error> for StoreError {
    /// Never by `Debug`, which prints the secret of a value that is not text.
    fn from(error: &keyring::Error) -> Self {
        match error {
            keyring::Error::NoEntry => Self::Missing,
            keyring::Error::NoStorageAccess(_) => Self::Locked,
            keyring::Error::Ambiguous(_) => Self::Ambiguous(Vec::new()),
            keyring::Error::TooLong(_, limit) => Self::TooLong(*limit),
            other => Self::Failed(other.to_string()),
        }
    }
}

//! The operating system's keyring: Keychain on macOS, Credential Manager on Windows, the Secret Service elsewhere.
//!
//! Calls to a keyring have no deadline of their own, so each one runs on a thread. On Linux and macOS, a probe that never
//! prompts comes first: a missing entry means "not logged in" only if the keyring is unlocked.

use std::time::Duration;

#[cfg(target_os = "macos")]
use security_framework::os::macos::keychain::SecKeychain;

use crate::domain::client::secret::ClientSecret;

use super::store_error::StoreError;
use super::thread;

#[cfg_attr(target_os = "macos", path = "keyring/keychain.rs")]
#[cfg_attr(not(any(target_os = "linux", target_os = "macos")), path = "keyring/credential_manager.rs")]
mod probe;

use probe::Probe;

/// The service attribute of every entry.
pub const SERVICE: &str = "corti-auth";

/// How long a keyring may take if nobody can answer its prompt.
const UNATTENDED: Duration = Duration::from_secs(3);

/// How long a keyring may take if a person may be typing its password.
const ATTENDED: Duration = Duration::from_secs(120);

/// The keyring.
#[derive(Clone, Debug)]
pub struct Keyring {
    /// Whether a person is there to answer an unlock prompt.
    pub attended: bool,
    probe: Probe,
}

impl Keyring {
    /// The keyring. Does not connect to it yet.
    pub fn new(attended: bool) -> Self {
        Self { attended, probe: Probe::default() }
    }

    /// How long a call may take.
    pub fn limit(&self, may_prompt: bool) -> Duration {
        if self.attended && may_prompt { ATTENDED } else { UNATTENDED }
    }

    /// Whether the entry exists. An error if the keyring cannot be used, for example because it is locked. Never prompts.
    pub async fn probe(&self, user: &str) -> Result<bool, StoreError> {
        let (probe, user) = (self.probe.clone(), user.to_owned());
        bounded(self.limit(false), move || probe.look(&user)).await
    }

    /// Lets a person unlock the keyring, and waits until the prompt is gone. [`Keyring::probe`] tells whether it is unlocked.
    pub async fn unlock(&self) -> Result<(), StoreError> {
        let probe = self.probe.clone();
        bounded(self.limit(true), move || probe.unlock()).await
    }

    /// Reads an entry.
    pub async fn read(&self, user: &str) -> Result<ClientSecret, StoreError> {
        let bytes = self.call(user, keyring::Entry::get_secret).await?;
        let secret = ClientSecret::from_bytes(&bytes);
        drop(zeroize::Zeroizing::new(bytes));
        secret.map_err(StoreError::NotASecret)
    }

    /// Writes an entry, or replaces it.
    pub async fn write(&self, user: &str, secret: &ClientSecret) -> Result<(), StoreError> {
        let secret = secret.clone();
        self.call(user, move |entry| entry.set_secret(secret.secret().expose().as_bytes())).await
    }

    /// Deletes an entry, and returns whether there was one.
    pub async fn delete(&self, user: &str) -> Result<bool, StoreError> {
        match self.call(user, keyring::Entry::delete_credential).await {
            Err(StoreError::Missing) => Ok(false),
            deleted => deleted.map(|()| true),
        }
    }

    async fn call<T: Send + 'static>(
        &self,
        user: &str,
        work: impl Fn(&keyring::Entry) -> keyring::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let user = user.to_owned();
        #[cfg(target_os = "macos")]
        let attended = self.attended;
        bounded(self.limit(true), move || {
            // The Keychain asks by itself, also in a window that nobody sees.
            #[cfg(target_os = "macos")]
            let _quiet = (!attended).then(SecKeychain::disable_user_interaction);
            keyring::Entry::store_status().as_ref()?;
            let entry = keyring::Entry::new(SERVICE, &user).map_err(|error| StoreError::from(&error))?;
            let work = || work(&entry).map_err(|error| StoreError::from(&error));
            // The library looks the entry up before it uses it: another process may have deleted it in between.
            match work() {
                Err(StoreError::Failed(_)) => work(),
                result => result,
            }
        })
        .await
    }
}

async fn bounded<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::time::timeout(limit, thread::on_a_thread(work)).await {
        Ok(Some(result)) => result,
        Ok(None) => Err(StoreError::Failed("the keyring's client gave up".to_owned())),
        Err(_) => Err(StoreError::TimedOut(limit)),
    }
}

impl From<&keyring::Error> for StoreError {
    /// Does not use `Debug`, which prints a secret that is not text.
    fn from(error: &keyring::Error) -> Self {
        #[cfg(target_os = "macos")]
        if let keyring::Error::PlatformFailure(cause) | keyring::Error::NoStorageAccess(cause) = error
            && let Some(cause) = cause.downcast_ref::<security_framework::base::Error>()
        {
            return Self::of_keychain(cause.code(), cause);
        }
        match error {
            keyring::Error::NoEntry => Self::Missing,
            // ERROR_NO_SUCH_LOGON_SESSION: Windows has no locked keyring.
            keyring::Error::NoStorageAccess(_) if cfg!(windows) => Self::NoLogonSession,
            keyring::Error::NoStorageAccess(_) => Self::Locked,
            keyring::Error::Ambiguous(_) => Self::Ambiguous(String::new()),
            keyring::Error::TooLong(what, limit) => Self::TooLong(what.clone(), *limit),
            other => Self::Failed(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_is_too_long_and_how_much_fits() {
        let error = StoreError::from(&keyring::Error::TooLong("secret".to_owned(), 2560));
        assert_eq!(
            error.to_string(),
            "the secret is too long for this keyring, which takes at most 2560 bytes"
        );
        assert!(!error.is_uncertain(), "nothing was stored");
    }

    #[test]
    fn a_store_without_access_is_locked_or_has_no_logon_session() {
        let error = StoreError::from(&keyring::Error::NoStorageAccess("1312".into()));
        assert_eq!(error, if cfg!(windows) { StoreError::NoLogonSession } else { StoreError::Locked });
    }
}

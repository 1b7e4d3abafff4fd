//! Looks for entries in the login keychain of macOS, and asks for its password. Only unlocking prompts.

use security_framework::base::Error;
use security_framework::item::{ItemClass, ItemSearchOptions};
use security_framework::os::macos::keychain::{SecKeychain, SecPreferencesDomain};

use crate::edge::keychain_error::KeychainError;
use crate::edge::store_error::StoreError;

use super::SERVICE;

/// Holds nothing: the keychain is opened whenever it is needed.
#[derive(Clone, Debug, Default)]
pub(super) struct Probe {}

#[expect(clippy::unused_self, reason = "the signatures of the probe on Linux")]
impl Probe {
    /// Whether the entry of `user` exists. Its attributes can be read without a prompt.
    pub(super) fn look(&self, user: &str) -> Result<bool, StoreError> {
        let mut keychain = login()?;
        // An unlocked keychain stays as it is, and a locked one may not ask.
        let quiet = SecKeychain::disable_user_interaction();
        let unlocked = keychain.unlock(None);
        drop(quiet);
        unlocked.or_else(|error| locked_or(error, Ok(())))?;
        let mut search = ItemSearchOptions::new();
        search.keychains(&[keychain]).class(ItemClass::generic_password()).load_attributes(true);
        match search.service(SERVICE).account(user).search() {
            Ok(items) => Ok(!items.is_empty()),
            Err(error) if error.code() == NOT_FOUND => Ok(false),
            Err(error) => Err(StoreError::of_keychain(error.code(), &error)),
        }
    }

    /// Shows the system's dialog if the keychain is locked, and waits for the answer.
    pub(super) fn unlock(&self) -> Result<(), StoreError> {
        let failed = |error: Error| locked_or(error, Err(StoreError::of_keychain(error.code(), &error)));
        login()?.unlock(None).or_else(failed)
    }
}

/// `errSecItemNotFound`.
const NOT_FOUND: i32 = -25300;

fn login() -> Result<SecKeychain, StoreError> {
    let keychain = SecKeychain::default_for_domain(SecPreferencesDomain::User);
    keychain.map_err(|error| StoreError::of_keychain(error.code(), &error))
}

/// [`StoreError::Locked`] if a person would have to be asked for the password.
fn locked_or(error: Error, other: Result<(), StoreError>) -> Result<(), StoreError> {
    if KeychainError::of(error.code()) == Some(KeychainError::CannotAsk) {
        Err(StoreError::Locked)
    } else {
        other
    }
}

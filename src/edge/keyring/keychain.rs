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
        let quiet = SecKeychain::disable_user_interaction();
        let unlocked = unlock(&mut keychain);
        drop(quiet);
        unlocked?;
        let mut search = ItemSearchOptions::new();
        search.keychains(&[keychain]).class(ItemClass::generic_password()).load_attributes(true);
        match search.service(SERVICE).account(user).search() {
            Ok(items) => Ok(!items.is_empty()),
            Err(error) if error.code() == NOT_FOUND => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    /// Shows the system's dialog if the keychain is locked, and waits for the answer.
    pub(super) fn unlock(&self) -> Result<(), StoreError> {
        unlock(&mut login()?)
    }
}

/// `errSecItemNotFound`.
const NOT_FOUND: i32 = -25300;

fn login() -> Result<SecKeychain, StoreError> {
    SecKeychain::default_for_domain(SecPreferencesDomain::User).map_err(failed)
}

/// An unlocked keychain stays as it is. If it may not ask for the password, it fails like after a wrong one.
fn unlock(keychain: &mut SecKeychain) -> Result<(), StoreError> {
    keychain.unlock(None).map_err(|error| match KeychainError::of(error.code()) {
        Some(KeychainError::Refused | KeychainError::CannotAsk) => StoreError::Locked,
        _ => failed(error),
    })
}

fn failed(error: Error) -> StoreError {
    StoreError::of_keychain(error.code(), &error)
}

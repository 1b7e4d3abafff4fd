//! Looks for entries in Windows' Credential Manager. It is open while its user is logged in: nobody has to unlock it.
//!
//! Also compiled where there is neither Windows nor Linux nor macOS, over whatever store the library has there.

use keyring::Entry;

use crate::edge::store_error::StoreError;

use super::SERVICE;

/// Holds nothing: the library opens the Credential Manager whenever it is needed.
#[derive(Clone, Debug, Default)]
pub(super) struct Probe {}

#[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "the signatures of the probe on Linux")]
impl Probe {
    /// Whether the entry of `user` exists. Reads its attributes and not the secret.
    pub(super) fn look(&self, user: &str) -> Result<bool, StoreError> {
        Entry::store_status().as_ref()?;
        match Entry::new(SERVICE, user).and_then(|entry| entry.inner.get_attributes()) {
            Ok(_) => Ok(true),
            Err(keyring::Error::NoEntry) => Ok(false),
            Err(error) => Err(StoreError::from(&error)),
        }
    }

    /// Nothing to unlock.
    pub(super) fn unlock(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

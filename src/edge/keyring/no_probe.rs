//! Looks an entry up in Windows' Credential Manager, which is part of the system: nobody has to unlock it.

use keyring::Entry;

use crate::edge::store_error::StoreError;

use super::SERVICE;

/// Does nothing: the library keeps what it needs.
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

    /// Does nothing.
    pub(super) fn unlock(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

//! Keychain and Credential Manager need no probe: they are part of the system, and tell "missing" from "locked" themselves.

use crate::edge::store_error::StoreError;

/// Does nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Probe {}

#[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "the signatures of the probe on Linux")]
impl Probe {
    /// Returns true, whether or not the entry exists: reading it tells.
    pub(super) fn look(&self, _user: &str) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// Does nothing: these keyrings ask for a password when an entry is used.
    pub(super) fn unlock(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

//! Keychain and Credential Manager are part of the system and tell "missing" from "locked" themselves.

use crate::edge::store_state::{State, StoreError};

/// Nothing to remember.
#[derive(Clone, Debug, Default)]
pub(super) struct Probe {}

impl Probe {
    /// Always as if the entry were there: reading it tells.
    #[expect(
        clippy::unnecessary_wraps,
        clippy::unused_self,
        reason = "the signature of the platform that can fail"
    )]
    pub(super) fn look(&self, _user: &str) -> Result<State, StoreError> {
        Ok(State::Present)
    }

    /// They ask by themselves when an entry is used.
    #[expect(
        clippy::unnecessary_wraps,
        clippy::unused_self,
        reason = "the signature of the platform that can fail"
    )]
    pub(super) fn unlock(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

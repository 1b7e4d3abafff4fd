//! The error of a value that cannot be used.

/// Why a value cannot be used. The text never contains a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

impl Invalid {
    /// An error with this text.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

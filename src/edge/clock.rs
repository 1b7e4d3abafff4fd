//! The wall clock. Code that depends on the time takes a [`Clock`] or a `now`.

use jiff::Timestamp;

/// The operating system's clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock;

impl Clock {
    /// The time now.
    #[expect(clippy::disallowed_methods, reason = "the one place that may call it")]
    pub fn now(self) -> Timestamp {
        Timestamp::now()
    }
}

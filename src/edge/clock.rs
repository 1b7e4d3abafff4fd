//! The clock. Everything that depends on the time is handed a [`Clock`] or a `now`.

use jiff::Timestamp;

/// Where the time comes from.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The operating system's wall clock.
    System,
    /// A clock that stands still.
    Fixed(Timestamp),
}

impl Clock {
    /// The time now.
    #[expect(clippy::disallowed_methods, reason = "this is the door that the lint points to")]
    pub fn now(self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Fixed(time) => time,
        }
    }
}

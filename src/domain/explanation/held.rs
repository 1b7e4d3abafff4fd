//! The token in use, as it stands in a file: decoded, and how it was written down.

use jiff::Timestamp;

use super::exchange::Presented;
use crate::domain::inspection::Inspection;
use crate::domain::jwt::Jwt;
use crate::domain::secret::Secret;

/// A token that somebody used.
#[derive(Debug)]
pub struct Held {
    secret: Secret,
    /// How the text had it.
    pub presented: Presented,
    /// What it says of itself at the moment it was judged; nothing of it was verified. `None` where it is no JWT.
    pub inspection: Option<Inspection>,
}

impl Held {
    /// Reads a text that holds a token: alone, after `Bearer`, in quotes, with a query's escapes.
    pub fn read(text: &str, now: Timestamp) -> Self {
        let whole = text.trim().trim_matches(['"', '\'']);
        let presented = Presented::of(whole);
        let token = whole.rsplit([' ', '%']).next().unwrap_or_default();
        // The space of `Bearer%20`, escaped as often as it may be.
        let token = if presented == Presented::Encoded {
            token.trim_start_matches(|digit: char| digit.is_ascii_digit())
        } else {
            token
        };
        let inspection = Jwt::decode(token).and_then(|jwt| Inspection::of(&jwt, now)).ok();
        Self { secret: Secret::new(token.to_owned()), presented, inspection }
    }

    /// The token alone.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }
}

//! The token in use, as it stands in a file: decoded, and how it was written down.

use jiff::Timestamp;

use crate::domain::client::secret::Secret;
use crate::domain::token::inspection::Inspection;
use crate::domain::token::jwt::Jwt;
use crate::domain::token::pasted;

use super::exchange::Presented;

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
    /// Reads a text that holds a token, with whatever was pasted along.
    pub fn read(text: &str, now: Timestamp) -> Self {
        // A header's value is how it was presented, its name is not.
        let presented = Presented::of(pasted::after_header(text).as_deref().unwrap_or(text));
        let token = pasted::clean(text).token;
        let inspection = Jwt::decode(&token).and_then(|jwt| Inspection::of(&jwt, now)).ok();
        Self { secret: Secret::new(token.into_owned()), presented, inspection }
    }

    /// The token alone.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }
}

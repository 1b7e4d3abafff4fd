//! The token of a failed request: decoded, and how it was sent.

use jiff::Timestamp;

use crate::domain::client::secret::Secret;
use crate::domain::token::inspection::Inspection;
use crate::domain::token::jwt::Jwt;
use crate::domain::token::pasted;

use super::exchange::Presented;

/// A token that somebody used.
#[derive(Debug)]
pub struct TokenInUse {
    secret: Secret,
    /// How it was sent.
    pub presented: Presented,
    /// What it says about itself, unverified; `None` if it is not a JWT.
    pub inspection: Option<Inspection>,
}

impl TokenInUse {
    /// Reads a text with a token in it.
    pub fn read(text: &str, now: Timestamp) -> Self {
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

//! The token that was used: decoded, and how it was written.

use jiff::Timestamp;

use crate::domain::client::secret::Secret;
use crate::domain::token::inspection::Inspection;
use crate::domain::token::jwt::Jwt;
use crate::domain::token::pasted;

use super::saved_exchange::BearerForm;

/// The token that was used.
#[derive(Debug)]
pub struct UsedToken {
    secret: Secret,
    /// How it was written.
    pub form: BearerForm,
    /// Its claims; nothing of them is verified. `None` where it is no JWT.
    pub inspection: Option<Inspection>,
}

impl UsedToken {
    /// Reads a text with a token, and with whatever was pasted along.
    pub fn read(text: &str, now: Timestamp) -> Self {
        // Without the name of a header: only its value shows how the token was sent.
        let form = BearerForm::of(pasted::after_header(text).as_deref().unwrap_or(text));
        let token = pasted::clean(text).token;
        let inspection = Jwt::decode(&token).and_then(|jwt| Inspection::of(&jwt, now)).ok();
        Self { secret: Secret::new(token.into_owned()), form, inspection }
    }

    /// The token alone.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }
}

//! Reading a JSON Web Token (RFC 7519) without checking its signature. What is read here is a claim, not a fact.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use audience::Audience;
pub use header::{Header, LastHeader};

mod audience;
mod header;

/// The longest token that is read, in bytes. Corti's are about 1.4 KB; a header line seldom exceeds 16 KB.
pub const MAX_TOKEN_BYTES: usize = 256 * 1024;

/// Why a text is not a readable JWT. No variant carries any of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// Nothing was given.
    #[error("there is no token")]
    Empty,
    /// More than [`MAX_TOKEN_BYTES`].
    #[error("the text is longer than {MAX_TOKEN_BYTES} bytes, which no token is")]
    TooLong,
    /// No dots, and otherwise what a bearer token may be.
    #[error("this may be an opaque token: it is no JWT, and only its issuer can say what it means")]
    Opaque,
    /// Not three parts between dots.
    #[error("a signed JWT has 3 parts between dots, this has {0}")]
    Parts(usize),
    /// Five parts: a JWE, which only its recipient can read.
    #[error("this is an encrypted token (JWE), which only its recipient can read")]
    Encrypted,
    /// A part is not base64url without padding.
    #[error("the {0} is not base64url")]
    Encoding(&'static str),
    /// A part is not a JSON object with the registered claims' types.
    #[error("the {0} is not a JSON object with claims of the right types")]
    Json(&'static str),
    /// A date outside the calendar.
    #[error("the claim `{0}` is not a date")]
    Date(&'static str),
}

/// The roles that Keycloak grants in one place.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Roles {
    /// Their names.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// The claims of a Keycloak token that say something to a Corti user.
#[derive(Clone, Debug, Deserialize)]
pub struct Claims {
    /// The issuer: environment and realm.
    pub iss: Option<String>,
    /// Whom the token is about.
    pub sub: Option<String>,
    /// The token's own id.
    pub jti: Option<String>,
    /// Keycloak's kind of token: `Bearer`, `ID`, `Refresh`.
    pub typ: Option<String>,
    /// The client it was issued to.
    pub azp: Option<String>,
    /// The service account's client.
    pub client_id: Option<String>,
    /// The granted scopes, separated by spaces.
    pub scope: Option<String>,
    /// For whom the token is.
    pub aud: Option<Audience>,
    /// The user's name; a service account's begins with `service-account-`.
    pub preferred_username: Option<String>,
    /// The realm's roles.
    pub realm_access: Option<Roles>,
    /// The roles at other clients, by the client's id.
    pub resource_access: Option<BTreeMap<String, Roles>>,
    exp: Option<serde_json::Number>,
    iat: Option<serde_json::Number>,
    nbf: Option<serde_json::Number>,
}

impl Claims {
    /// When it stops working.
    ///
    /// # Errors
    /// [`JwtError::Date`] where the number is no date.
    pub fn expires_at(&self) -> Result<Option<Timestamp>, JwtError> {
        date("exp", self.exp.as_ref())
    }

    /// From when on it works.
    ///
    /// # Errors
    /// [`JwtError::Date`] where the number is no date.
    pub fn not_before(&self) -> Result<Option<Timestamp>, JwtError> {
        date("nbf", self.nbf.as_ref())
    }

    /// When it was issued.
    ///
    /// # Errors
    /// [`JwtError::Date`] where the number is no date.
    pub fn issued_at(&self) -> Result<Option<Timestamp>, JwtError> {
        date("iat", self.iat.as_ref())
    }
}

/// RFC 7519's `NumericDate`: seconds, which need not be whole.
fn date(name: &'static str, number: Option<&serde_json::Number>) -> Result<Option<Timestamp>, JwtError> {
    let Some(number) = number else { return Ok(None) };
    whole_seconds(number)
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or(JwtError::Date(name))
        .map(Some)
}

/// A number of seconds, a fraction rounded down; `None` where it is beyond every calendar.
pub(super) fn whole_seconds(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let float = number.as_f64()?.floor();
        // Every date of the calendar is far below 2^53, where a float holds each whole number.
        #[expect(clippy::cast_possible_truncation, reason = "checked to be small just before")]
        (float.abs() < 1e15).then_some(float as i64)
    })
}

/// A decoded token whose signature nobody checked.
#[derive(Clone, Debug)]
pub struct Jwt {
    /// The JOSE header.
    pub header: Header,
    /// The claims.
    pub claims: Claims,
}

impl Jwt {
    /// Decodes `text`, white space around it aside.
    ///
    /// # Errors
    /// [`JwtError`] says which part is wrong and how.
    pub fn decode(text: &str) -> Result<Self, JwtError> {
        Self::decode_after(text, &mut LastHeader::default())
    }

    /// The same of one of many.
    ///
    /// # Errors
    /// As [`Jwt::decode`].
    pub fn decode_after(text: &str, last: &mut LastHeader) -> Result<Self, JwtError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(JwtError::Empty);
        }
        if text.len() > MAX_TOKEN_BYTES {
            return Err(JwtError::TooLong);
        }
        let [header, payload, signature] = parts(text)?;
        URL_SAFE_NO_PAD.decode(signature).map_err(|_| JwtError::Encoding("signature"))?;
        Ok(Self { header: last.or_read(header)?, claims: read("payload", payload)? })
    }
}

/// Header, payload and signature of a JWS in its compact form, as they stand.
///
/// # Errors
/// Where there are not three of them.
pub fn parts(text: &str) -> Result<[&str; 3], JwtError> {
    let mut split = text.split('.');
    match [split.next(), split.next(), split.next(), split.next(), split.next(), split.next()] {
        [Some(header), Some(payload), Some(signature), None, ..] => Ok([header, payload, signature]),
        [_, _, _, _, Some(_), None] if !text.contains(char::is_whitespace) => Err(JwtError::Encrypted),
        [Some(alone), None, ..] if is_opaque(alone) => Err(JwtError::Opaque),
        _ => Err(JwtError::Parts(text.split('.').count())),
    }
}

/// Long enough for a token, and of RFC 6750's characters only.
fn is_opaque(text: &str) -> bool {
    text.len() >= 20 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_~+/=".contains(&byte))
}

/// The header of a JWS alone, whatever its payload is.
///
/// # Errors
/// [`JwtError`] says what is wrong with it.
pub fn header(text: &str) -> Result<Header, JwtError> {
    let [header, ..] = parts(text)?;
    read("header", header)
}

/// The `scope` that a bearer token claims, whatever its other claims are; `None` where it claims none or is no JWT.
///
/// # Errors
/// Where it looks like a JWT, but what it claims cannot be told.
pub fn claimed_scope(token: &str) -> Result<Option<String>, JwtError> {
    #[derive(Deserialize)]
    struct Scope {
        scope: Option<String>,
    }
    Ok(claimed::<Scope>(token)?.and_then(|claims| claims.scope))
}

/// How many seconds a bearer token lives by its own dates: from its `iat` on, or from `now` where it has none. `None`
/// where it does not say when it expires or is no JWT.
///
/// # Errors
/// Where it looks like a JWT, but its dates cannot be told.
pub fn claimed_life(token: &str, now: Timestamp) -> Result<Option<i64>, JwtError> {
    #[derive(Deserialize)]
    struct Dates {
        exp: Option<serde_json::Number>,
        iat: Option<serde_json::Number>,
    }
    let Some(Dates { exp, iat }) = claimed(token)? else { return Ok(None) };
    let (expires, issued) = (date("exp", exp.as_ref())?, date("iat", iat.as_ref())?);
    Ok(expires.map(|expires| expires.as_second() - issued.unwrap_or(now).as_second()))
}

/// The claims that are asked for, whatever the others are; `None` where the token is no JWT.
fn claimed<T: DeserializeOwned>(token: &str) -> Result<Option<T>, JwtError> {
    match token.split('.').collect::<Vec<_>>().as_slice() {
        [_, payload, _] => read("payload", payload).map(Some),
        _ => Ok(None),
    }
}

/// When a bearer token says that it stops working; `None` where it does not say, or is no JWT.
///
/// # Errors
/// Where it looks like a JWT, but what it claims cannot be told.
pub fn claimed_expiry(token: &str) -> Result<Option<Timestamp>, JwtError> {
    #[derive(Deserialize)]
    struct Expiry {
        exp: Option<serde_json::Number>,
    }
    match claimed::<Expiry>(token)? {
        Some(claims) => date("exp", claims.exp.as_ref()),
        None => Ok(None),
    }
}

fn read<T: DeserializeOwned>(part: &'static str, text: &str) -> Result<T, JwtError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| JwtError::Encoding(part))?;
    // serde reads a struct from an array too, which RFC 7519, section 7.2, does not allow.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(JwtError::Json(part));
    }
    // Looked at as a whole once, and not string by string.
    let json = std::str::from_utf8(&bytes).map_err(|_| JwtError::Json(part))?;
    serde_json::from_str(json).map_err(|_| JwtError::Json(part))
}

/// Whether a JWT stands anywhere in `text`: every JOSE header starts with `eyJ` and ends at a dot. Used to keep tokens
/// out of argv and of messages.
pub fn contains_token(text: &str) -> bool {
    text.match_indices("eyJ").any(|(start, _)| {
        let rest = text.get(start..).unwrap_or_default();
        let part = rest.split('.').next().unwrap_or_default();
        let is_base64url = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        part.len() < rest.len() && part.len() >= 8 && is_base64url
    })
}

#[cfg(test)]
mod tests;

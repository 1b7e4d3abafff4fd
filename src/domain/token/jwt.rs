//! Reads a JSON Web Token (RFC 7519) without checking its signature: nothing of it is proven.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::claim_error::{ClaimError, ClaimReader};
use super::scope::ScopeSet;

mod payload;

pub(super) use payload::whole_seconds;
pub use payload::{Claims, Roles};
pub(in crate::domain) use payload::{one_or_more, timestamp};

use payload::date;

/// The longest token that is read, in bytes. Corti's have about 1.4 KB; a header line seldom exceeds 16 KB.
pub const MAX_TOKEN_BYTES: usize = 256 * 1024;

/// Why a text is not a readable JWT. No variant contains any of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// An empty text.
    #[error("no token: the input is empty")]
    Empty,
    /// More than [`MAX_TOKEN_BYTES`].
    #[error("the text is longer than {MAX_TOKEN_BYTES} bytes, too long for a token")]
    TooLong,
    /// No dots, but otherwise possible as a bearer token.
    #[error("this is not a JWT; it may be an opaque token, which only its issuer can read")]
    Opaque,
    /// No dots, too short for a bearer token, and no beginning of a JWT.
    #[error("this is not a token")]
    NotAToken,
    /// Fewer than three parts between dots.
    #[error("incomplete token: {0} of 3 dot-separated parts")]
    TooFewParts(usize),
    /// More than three parts between dots.
    #[error("a token has 3 dot-separated parts, but this text has {0}")]
    TooManyParts(usize),
    /// Five parts: a JWE.
    #[error("this is an encrypted token (JWE), which only its recipient can read")]
    Encrypted,
    /// A part is not base64url without padding.
    #[error("the {0} is not base64url")]
    Encoding(&'static str),
    /// A part is not a JSON object.
    #[error("the {0} is not a JSON object")]
    Json(&'static str),
    /// A claim cannot be used.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// A member of the header cannot be used.
    #[error("in the header, {0}")]
    Header(ClaimError),
}

/// The JOSE header (RFC 7515, section 4.1). It chooses neither the key nor the algorithm.
#[derive(Clone, Debug, Deserialize)]
#[expect(clippy::zero_sized_map_values, reason = "serde collects other parameters in a map only")]
pub struct Header {
    /// The signature algorithm.
    pub alg: String,
    /// The id of the issuer's key that signed the token.
    pub kid: Option<String>,
    /// What kind of JWT it is (RFC 7519, section 5.1); any JSON value.
    pub typ: Option<serde_json::Value>,
    #[serde(flatten)]
    others: BTreeMap<String, IgnoredAny>,
}

impl Header {
    /// Whether the header has this other parameter, even as `null`.
    pub fn has(&self, parameter: &str) -> bool {
        self.others.contains_key(parameter)
    }

    /// The parameters that contain or name a key. Such a key is never used.
    pub fn own_keys(&self) -> Vec<&'static str> {
        ["jwk", "jku", "x5u", "x5c"].into_iter().filter(|name| self.has(name)).collect()
    }
}

/// A decoded token. Its signature was not checked.
#[derive(Clone, Debug)]
pub struct Jwt {
    /// The JOSE header.
    pub header: Header,
    /// The claims that can be used.
    pub claims: Claims,
    /// The claims of [`Claims`] that cannot be used.
    pub errors: Vec<ClaimError>,
}

impl Jwt {
    /// Decodes `text`, trimmed. Each claim of [`Claims`] must be usable.
    pub fn decode(text: &str) -> Result<Self, JwtError> {
        let jwt = Self::decode_after(text, &mut Memo::default())?;
        jwt.errors.first().map_or(Ok(()), |error| Err(JwtError::Claim(*error)))?;
        Ok(jwt)
    }

    /// Decodes one of many tokens, most of which have the same header. Claims that cannot be used are among its `errors`.
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
        let header = last.get(header, read_header)?;
        let json = object("payload", payload)?;
        // The usual case is read at once, which is much quicker.
        let (mut claims, mut errors) = if let Ok(claims) = serde_json::from_str::<Claims>(&json) {
            (claims, Vec::new())
        } else {
            let members = parse_members("payload", &json)?;
            let mut reader = ClaimReader::new(&members);
            (Claims::one_by_one(&mut reader), reader.errors)
        };
        for (name, number) in [("exp", &mut claims.exp), ("iat", &mut claims.iat), ("nbf", &mut claims.nbf)] {
            if let Err(error) = date(name, number.as_ref()) {
                errors.push(error);
                *number = None;
            }
        }
        Ok(Self { header, claims, errors })
    }
}

/// Remembers the last text that was read and its value: in a stream of tokens the same header comes again and again.
#[derive(Debug)]
pub struct Memo<T>(Option<(String, T)>);

/// The last header of a stream.
pub type LastHeader = Memo<Header>;

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Clone> Memo<T> {
    /// The value of `text`, by `read` unless it was the last one.
    pub fn get<E>(&mut self, text: &str, read: impl Fn(&str) -> Result<T, E>) -> Result<T, E> {
        match &self.0 {
            Some((known, value)) if known == text => Ok(value.clone()),
            _ => {
                let value = read(text)?;
                self.0 = Some((text.to_owned(), value.clone()));
                Ok(value)
            }
        }
    }
}

/// The header, payload and signature of a JWS in its compact form, still encoded.
fn parts(text: &str) -> Result<[&str; 3], JwtError> {
    let all: Vec<&str> = text.splitn(7, '.').collect();
    match *all.as_slice() {
        [header, payload, signature] => Ok([header, payload, signature]),
        [_, _, _, _, _] if !text.contains(char::is_whitespace) => Err(JwtError::Encrypted),
        [alone] if is_opaque(alone) => Err(JwtError::Opaque),
        [alone] if !alone.is_empty() && !alone.starts_with("eyJ") => Err(JwtError::NotAToken),
        [] | [_] | [_, _] => Err(JwtError::TooFewParts(all.len())),
        _ => Err(JwtError::TooManyParts(text.split('.').count())),
    }
}

/// Whether it is long enough for a token and has only RFC 6750's characters.
fn is_opaque(text: &str) -> bool {
    text.len() >= 20 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_~+/=".contains(&byte))
}

/// The header of a JWS. The payload is not read.
pub fn header(text: &str) -> Result<Header, JwtError> {
    let [header, ..] = parts(text)?;
    read_header(header)
}

fn read_header(text: &str) -> Result<Header, JwtError> {
    let json = object("header", text)?;
    serde_json::from_str(&json).or_else(|_| {
        let members = parse_members("header", &json)?;
        let mut reader = ClaimReader::new(&members);
        let alg: Option<String> = reader.text("alg");
        reader.text("kid");
        let missing = || alg.is_none().then(|| ClaimError::missing("alg"));
        let error = reader.errors.first().copied().or_else(missing);
        Err(error.map_or(JwtError::Json("header"), JwtError::Header))
    })
}

/// All members of the header and of the payload, as they are written, in their order.
pub fn members(text: &str) -> Result<[Members; 2], JwtError> {
    let [header, payload, _] = parts(text)?;
    let read = |part, text| object(part, text).and_then(|json| parse_members(part, &json));
    Ok([read("header", header)?, read("payload", payload)?])
}

/// The payload of a JWS as a `T`. A claim of `T` that occurs twice is an error.
pub fn payload<T: DeserializeOwned>(text: &str) -> Result<T, JwtError> {
    let [_, payload, _] = parts(text)?;
    read("payload", payload)
}

/// The scopes in what is left of a token that was cut off.
pub fn scopes_of_fragment(text: &str) -> Option<ScopeSet> {
    let payload = text.trim().split('.').nth(1)?;
    // Three bytes are four digits; the last group may be incomplete.
    let whole = payload.get(..payload.len() / 4 * 4)?;
    let json = URL_SAFE_NO_PAD.decode(whole).ok()?;
    let json = String::from_utf8_lossy(&json);
    let (_, rest) = json.split_once("\"scope\"")?;
    let value = rest.trim_start().strip_prefix(':')?;
    let scope: String = serde_json::Deserializer::from_str(value).into_iter().next()?.ok()?;
    Some(ScopeSet::from_wire(&scope))
}

/// What a bearer token says about its scopes and its lifetime.
#[derive(Default)]
pub struct Claimed {
    /// The granted scopes, separated by spaces.
    pub scope: Option<String>,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
    /// When it was issued.
    pub issued_at: Option<Timestamp>,
}

impl Claimed {
    /// How many seconds it lives: from when it was issued, else from `now`.
    pub fn lifetime(&self, now: Timestamp) -> Option<i64> {
        Some(self.expires_at?.as_second() - self.issued_at.unwrap_or(now).as_second())
    }
}

/// Reads only these claims, so that it does not matter if others are malformed. All are missing if the token is no JWT. Fails if
/// it looks like a JWT but one of these claims cannot be read.
pub fn claimed(token: &str) -> Result<Claimed, JwtError> {
    let Ok([_, payload, _]) = parts(token) else { return Ok(Claimed::default()) };
    let members = parse_members("payload", &object("payload", payload)?)?;
    let mut reader = ClaimReader::new(&members);
    let (scope, exp, iat) = (reader.text("scope"), reader.seconds("exp"), reader.seconds("iat"));
    reader.errors.first().map_or(Ok(()), |error| Err(*error))?;
    let (expires_at, issued_at) = (date("exp", exp.as_ref())?, date("iat", iat.as_ref())?);
    Ok(Claimed { scope, expires_at, issued_at })
}

/// Reads a part of a token, which is an object in JSON.
pub(super) fn read<T: DeserializeOwned>(part: &'static str, text: &str) -> Result<T, JwtError> {
    serde_json::from_str(&object(part, text)?).map_err(|_| JwtError::Json(part))
}

/// The JSON of a part, which begins as an object does.
fn object(part: &'static str, text: &str) -> Result<String, JwtError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| JwtError::Encoding(part))?;
    // serde also reads a struct from an array, which RFC 7519, section 7.2, does not allow.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(JwtError::Json(part));
    }
    // Checks for UTF-8 once, and not for each string.
    String::from_utf8(bytes).map_err(|_| JwtError::Json(part))
}

/// The members of a JSON object, in their order, even if a name occurs twice.
pub type Members = Vec<(String, Box<RawValue>)>;

fn parse_members(part: &'static str, json: &str) -> Result<Members, JwtError> {
    struct Object(Members);

    impl<'de> Deserialize<'de> for Object {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct All;

            impl<'de> Visitor<'de> for All {
                type Value = Object;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("an object")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                    let mut members = Vec::new();
                    while let Some(member) = map.next_entry()? {
                        members.push(member);
                    }
                    Ok(Object(members))
                }
            }

            deserializer.deserialize_map(All)
        }
    }

    let Object(members) = serde_json::from_str(json).map_err(|_| JwtError::Json(part))?;
    Ok(members)
}

/// Whether `text` contains a JWT: every JOSE header starts with `eyJ` and ends at a dot. Keeps tokens out of argv and out of
/// messages.
pub fn contains_token(text: &str) -> bool {
    first_token(text).is_some()
}

/// `text` with `mark` instead of each JWT.
pub fn without_tokens<'a>(text: &'a str, mark: &str) -> Cow<'a, str> {
    let (mut clean, mut rest) = (String::new(), text);
    while let Some((start, end)) = first_token(rest) {
        clean.push_str(rest.get(..start).unwrap_or_default());
        clean.push_str(mark);
        rest = rest.get(end..).unwrap_or_default();
    }
    if clean.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(clean + rest) }
}

/// Where the first JWT begins and ends.
fn first_token(text: &str) -> Option<(usize, usize)> {
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    text.match_indices("eyJ").find_map(|(start, _)| {
        let rest = text.get(start..)?.as_bytes();
        let header = rest.iter().take_while(|byte| is_base64url(**byte)).count();
        let length = rest.iter().take_while(|byte| is_base64url(**byte) || **byte == b'.').count();
        (header >= 8 && rest.get(header) == Some(&b'.')).then_some((start, start + length))
    })
}

#[cfg(test)]
mod tests;

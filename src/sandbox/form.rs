//! The body of a token request, read as Keycloak reads it: strictly, and within its bounds.

use std::borrow::Cow;
use std::collections::BTreeSet;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use url::form_urlencoded;

/// The longest value, in bytes.
const MAX_VALUE: usize = 128 * 1024;

/// How many parameters there may be.
const MAX_PARAMETERS: usize = 1000;

/// The parameters as they were sent, in order.
#[derive(Debug)]
pub(super) struct Form<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// Why a body is no form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FormError {
    /// A percent sign that starts no escape, or too many parameters: Keycloak breaks down over both.
    Breakdown,
    /// A value is too long.
    TooLarge,
}

impl<'a> Form<'a> {
    /// Reads a body. One that is not called a form, JSON say, is a form without parameters.
    ///
    /// # Errors
    /// [`FormError`], see its variants.
    pub(super) fn read(headers: &HeaderMap, body: &'a [u8]) -> Result<Self, FormError> {
        if !is_form(headers) {
            return Ok(Self(Vec::new()));
        }
        if !is_escaped(body) {
            return Err(FormError::Breakdown);
        }
        let pairs = pairs(body);
        if pairs.iter().any(|(_, value)| value.len() > MAX_VALUE) {
            return Err(FormError::TooLarge);
        }
        if pairs.len() > MAX_PARAMETERS {
            return Err(FormError::Breakdown);
        }
        Ok(Self(pairs))
    }

    /// The first value of `name`.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
    }

    /// Whether any parameter is there twice, known or not.
    pub(super) fn repeats(&self) -> bool {
        let names: BTreeSet<&str> = self.0.iter().map(|(name, _)| name.as_ref()).collect();
        names.len() < self.0.len()
    }
}

/// The parameters of a body, empty ones included: `&&` has one between its two signs, but none comes after the last sign.
fn pairs(body: &[u8]) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    if body.is_empty() {
        return Vec::new();
    }
    let body = body.strip_suffix(b"&").unwrap_or(body);
    body.split(|byte| *byte == b'&')
        .map(|pair| form_urlencoded::parse(pair).next().unwrap_or_default())
        .collect()
}

/// The type is compared as it is written: Keycloak takes no capitals.
fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim() == "application/x-www-form-urlencoded"
}

/// Whether each percent sign starts an escape.
pub(super) fn is_escaped(text: &[u8]) -> bool {
    let hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    text.iter().enumerate().all(|(at, byte)| *byte != b'%' || hex(text.get(at + 1)) && hex(text.get(at + 2)))
}

/// Decodes one value. An `&` in it was not encoded as it should be, and stands for itself.
pub(super) fn decode(text: &str) -> String {
    let pair = format!("v={}", text.replace('&', "%26"));
    form_urlencoded::parse(pair.as_bytes()).next().map_or_else(String::new, |(_, value)| value.into_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn called(kind: &str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())])
    }

    pub(in crate::sandbox) fn read(body: &str) -> Result<Form<'_>, FormError> {
        Form::read(&called("application/x-www-form-urlencoded"), body.as_bytes())
    }

    #[test]
    fn a_form_is_known_by_its_content_type() {
        let has = |kind: &str| Form::read(&called(kind), b"a=b").unwrap().first("a").is_some();
        assert!(has("application/x-www-form-urlencoded"));
        assert!(has("application/x-www-form-urlencoded; charset=UTF-8"));
        assert!(!has("Application/X-WWW-Form-Urlencoded"));
        assert!(!has("application/json"));
        assert!(Form::read(&HeaderMap::new(), b"a=%").unwrap().first("a").is_none());
    }

    #[test]
    fn the_bounds_are_keycloaks() {
        for broken in ["a=%", "a=%2", "a=%zz", "%=a"] {
            assert_eq!(read(broken).unwrap_err(), FormError::Breakdown, "{broken}");
        }
        let value = |length: usize| format!("a={}", "x".repeat(length));
        assert!(read(&value(131_072)).is_ok());
        assert_eq!(read(&value(131_073)).unwrap_err(), FormError::TooLarge);
        assert!(read(&"p=v&".repeat(1000)).is_ok());
        assert_eq!(read(&"p=v&".repeat(1001)).unwrap_err(), FormError::Breakdown);
        assert!(read(&"&".repeat(1000)).is_ok());
        assert_eq!(read(&"&".repeat(1001)).unwrap_err(), FormError::Breakdown);
    }

    #[test]
    fn what_is_there_twice_is_noticed() {
        assert!(!read("a=1&b=1").unwrap().repeats());
        assert!(read("a=1&b=1&a=1").unwrap().repeats());
        for once in ["", "&", "a=1&", "a=1&&", "&a=1", "a=1&&b=1&", "a=1&=&", "a=1&=="] {
            assert!(!read(once).unwrap().repeats(), "{once}");
        }
        for twice in ["&&a=1", "a=1&&&", "a=1&&&b=1", "a=1&&b=1&&", "a=1&=&=", "a=1&&=", "a=1&=&&"] {
            assert!(read(twice).unwrap().repeats(), "{twice}");
        }
    }

    #[test]
    fn an_unencoded_ampersand_stands_for_itself() {
        assert_eq!(decode("a&b=c"), "a&b=c");
        assert_eq!(decode("a+b%26"), "a b&");
    }
}

//! Reads the body of a token request as a form.

use std::collections::BTreeSet;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use url::form_urlencoded;

/// The parameters, decoded, in the order they were sent.
pub(super) struct Form(Vec<(String, String)>);

/// A percent sign without two hexadecimal digits after it. Keycloak answers it with 500: a client that does not encode its
/// secret must fail here as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadEscape;

impl Form {
    /// Reads a body. One whose content type is not a form's, such as JSON, has no parameters.
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, BadEscape> {
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if kind.split(';').next() != Some("application/x-www-form-urlencoded") {
            return Ok(Self(Vec::new()));
        }
        if !is_escaped(body) {
            return Err(BadEscape);
        }
        Ok(Self(form_urlencoded::parse(body).into_owned().collect()))
    }

    /// The first value of `name`.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter was sent twice. RFC 6749, section 3.2, forbids that.
    pub(super) fn repeats(&self) -> bool {
        let names: BTreeSet<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        names.len() < self.0.len()
    }
}

fn is_escaped(text: &[u8]) -> bool {
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    text.iter()
        .enumerate()
        .all(|(at, byte)| *byte != b'%' || is_hex(text.get(at + 1)) && is_hex(text.get(at + 2)))
}

/// Decodes one value. An `&` that was not encoded stands for itself.
pub(super) fn decode(text: &str) -> Result<String, BadEscape> {
    if !is_escaped(text.as_bytes()) {
        return Err(BadEscape);
    }
    let pair = format!("v={}", text.replace('&', "%26"));
    Ok(form_urlencoded::parse(pair.as_bytes()).map(|(_, value)| value.into_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";

    fn read(kind: &str, body: &str) -> Result<Form, BadEscape> {
        Form::read(&HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]), body.as_bytes())
    }

    #[test]
    fn a_form_is_recognised_by_its_content_type() {
        for kind in [FORM, "application/x-www-form-urlencoded; charset=UTF-8"] {
            let form = read(kind, "%61=%c3%BC+%2b").ok().unwrap();
            assert_eq!(form.first("a"), Some("ü +"), "{kind}");
        }
        assert!(read("application/json", "a=%").ok().unwrap().first("a").is_none());
        assert!(Form::read(&HeaderMap::new(), b"a=b").ok().unwrap().first("a").is_none());
    }

    #[test]
    fn a_percent_sign_must_start_an_escape() {
        for bad in ["a=%", "a=%2", "a=%zz", "%=a"] {
            assert!(read(FORM, bad).is_err(), "{bad}");
            assert_eq!(decode(bad), Err(BadEscape));
        }
        assert_eq!(decode("a&b=c+d%26").unwrap(), "a&b=c d&");
    }

    #[test]
    fn a_repeated_parameter_is_noticed() {
        for (body, repeats) in [("", false), ("a=1&b=1", false), ("a=1&b=1&a=1", true)] {
            assert_eq!(read(FORM, body).ok().unwrap().repeats(), repeats, "{body}");
        }
    }
}

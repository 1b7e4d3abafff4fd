//! The body of a token request, read as Keycloak reads it: strictly, and within its bounds.

use std::borrow::Cow;
use std::collections::BTreeSet;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use url::form_urlencoded;

/// The longest name and the longest value, in bytes as they were sent.
const MAX_LENGTH: usize = 128 * 1024;

/// How many parameters there may be.
const MAX_PARAMETERS: usize = 1000;

/// The content type of a form.
const FORM: &str = "application/x-www-form-urlencoded";

/// The parameters as they were sent, in order.
#[derive(Debug)]
pub(super) struct Form<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    called: Called,
}

/// What the content type calls the body. Keycloak reads it twice: whoever asks for a parameter goes by how the type begins,
/// whoever asks for the client by the type itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Called {
    /// A form.
    Form,
    /// Something whose name begins as a form's does, in which the client is not looked for.
    Nearly,
    /// The same, over which Keycloak stumbles as soon as it looks.
    Unreadably,
    /// No form: it has no parameters.
    Other,
}

/// Why a body is no form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FormError {
    /// A percent sign that starts no escape, or one in a charset that nobody knows, or too many parameters: Keycloak breaks
    /// down over all three.
    Breakdown,
    /// A name or a value is too long.
    TooLarge,
}

impl<'a> Form<'a> {
    /// Reads a body. One that is not called a form, JSON say, is a form without parameters.
    ///
    /// # Errors
    /// [`FormError`], see its variants; of two the one that comes first.
    pub(super) fn read(headers: &HeaderMap, body: &'a [u8]) -> Result<Self, FormError> {
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let called = called(kind);
        if called == Called::Other {
            return Ok(Self { pairs: Vec::new(), called });
        }
        let named = Charset::named(kind);
        let mut pairs = Vec::new();
        for pair in split(body) {
            if parts(pair).iter().any(|part| part.len() > MAX_LENGTH) {
                return Err(FormError::TooLarge);
            }
            // Where nothing is to be decoded nobody asks for the charset.
            let is_plain = !pair.iter().any(|byte| matches!(byte, b'%' | b'+'));
            let charset = named.or(is_plain.then_some(Charset::Utf8)).ok_or(FormError::Breakdown)?;
            if pairs.len() == MAX_PARAMETERS || !is_escaped(pair) {
                return Err(FormError::Breakdown);
            }
            pairs.push(charset.decode(pair));
        }
        Ok(Self { pairs, called })
    }

    /// What the content type calls it.
    pub(super) fn called(&self) -> Called {
        self.called
    }

    /// The first value of `name`.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
    }

    /// Whether any parameter is there twice, known or not.
    pub(super) fn repeats(&self) -> bool {
        let names: BTreeSet<&str> = self.pairs.iter().map(|(name, _)| name.as_ref()).collect();
        names.len() < self.pairs.len()
    }
}

/// The parameters of a body, empty ones included: `&&` has one between its two signs, but none comes after the last sign.
fn split(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let rest = body.strip_suffix(b"&").unwrap_or(body);
    rest.split(|byte| *byte == b'&').filter(|_| !body.is_empty())
}

/// Name and value, as they were sent.
fn parts(pair: &[u8]) -> [&[u8]; 2] {
    let mut parts = pair.splitn(2, |byte| *byte == b'=');
    [parts.next().unwrap_or_default(), parts.next().unwrap_or_default()]
}

/// The type is compared as it is written: Keycloak takes no capitals.
fn called(kind: &str) -> Called {
    match kind.split(';').next().and_then(|kind| kind.strip_prefix(FORM)) {
        None => Called::Other,
        Some("") => Called::Form,
        Some(more) if more.contains(['/', ',']) => Called::Unreadably,
        Some(_) => Called::Nearly,
    }
}

/// How escapes are decoded. Java knows many more; a form that names one of those is one of nobody's here.
#[derive(Clone, Copy)]
enum Charset {
    Utf8,
    Latin1,
    Ascii,
}

impl Charset {
    /// The one that the content type names, UTF-8 where it names none.
    fn named(kind: &str) -> Option<Self> {
        let named = kind.split(';').find_map(|part| part.trim().strip_prefix("charset="));
        let Some(name) = named else { return Some(Self::Utf8) };
        match name.trim_matches('"').to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Some(Self::Utf8),
            "iso-8859-1" | "iso8859-1" | "iso_8859-1" | "latin1" => Some(Self::Latin1),
            "us-ascii" | "ascii" => Some(Self::Ascii),
            _ => None,
        }
    }

    fn decode(self, pair: &[u8]) -> (Cow<'_, str>, Cow<'_, str>) {
        let parse = |pair| form_urlencoded::parse(pair).next().unwrap_or_default();
        if matches!(self, Self::Utf8) {
            return parse(pair);
        }
        let [name, value] = parts(pair).map(|part| self.transcode(part));
        (name.into(), value.into())
    }

    /// Decodes a name or a value byte by byte.
    fn transcode(self, part: &[u8]) -> String {
        let mut text = String::new();
        let mut bytes = part.iter().copied();
        while let Some(byte) = bytes.next() {
            let byte = match byte {
                b'+' => b' ',
                b'%' => bytes.by_ref().take(2).fold(0, |all, digit| all << 4 | hexadecimal(digit)),
                byte => byte,
            };
            let is_foreign = matches!(self, Self::Ascii) && !byte.is_ascii();
            text.push(if is_foreign { char::REPLACEMENT_CHARACTER } else { char::from(byte) });
        }
        text
    }
}

/// The value of a digit, which [`is_escaped`] has seen to be one.
fn hexadecimal(digit: u8) -> u8 {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).unwrap_or_default()
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

    fn of_kind(kind: &str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())])
    }

    pub(in crate::sandbox) fn read(body: &str) -> Result<Form<'_>, FormError> {
        Form::read(&of_kind(FORM), body.as_bytes())
    }

    #[test]
    fn a_form_is_known_by_its_content_type() {
        let has = |kind: &str| Form::read(&of_kind(kind), b"a=b").unwrap().first("a").is_some();
        assert!(has("application/x-www-form-urlencoded"));
        assert!(has("application/x-www-form-urlencoded; charset=UTF-8"));
        assert!(!has("Application/X-WWW-Form-Urlencoded"));
        assert!(!has("application/json"));
        assert!(Form::read(&HeaderMap::new(), b"a=%").unwrap().first("a").is_none());
    }

    #[test]
    fn what_is_nearly_called_a_form_is_told_apart() {
        for (more, expected) in [
            ("", Called::Form),
            ("; x=a/b", Called::Form),
            ("x", Called::Nearly),
            (" ; charset=utf-8", Called::Nearly),
            (" text", Called::Nearly),
            (", text/plain", Called::Unreadably),
            ("/x", Called::Unreadably),
        ] {
            let kind = format!("{FORM}{more}");
            assert_eq!(Form::read(&of_kind(&kind), b"a=b").unwrap().called(), expected, "{kind}");
        }
    }

    #[test]
    fn escapes_are_decoded_by_the_charset() {
        for (charset, text) in [
            ("", "ü +"),
            ("; charset=UTF-8", "ü +"),
            ("; charset=UTF-8; charset=nonsense", "ü +"),
            ("; charset=\"ISO-8859-1\"", "\u{c3}\u{bc} +"),
            ("; charset=ascii", "\u{fffd}\u{fffd} +"),
        ] {
            let kind = of_kind(&format!("{FORM}{charset}"));
            let form = Form::read(&kind, b"%61=%c3%BC+%2b").unwrap();
            assert_eq!(form.first("a"), Some(text), "{charset}");
        }
        for charset in ["", "nonsense", "utf-16"] {
            let kind = of_kind(&format!("{FORM}; charset={charset}"));
            assert_eq!(Form::read(&kind, b"a=%41").unwrap_err(), FormError::Breakdown, "{charset}");
            assert_eq!(Form::read(&kind, b"a=b+c").unwrap_err(), FormError::Breakdown, "{charset}");
            assert_eq!(Form::read(&kind, b"a=b").unwrap().first("a"), Some("b"), "{charset}");
        }
    }

    #[test]
    fn the_bounds_are_keycloaks() {
        for broken in ["a=%", "a=%2", "a=%zz", "%=a"] {
            assert_eq!(read(broken).unwrap_err(), FormError::Breakdown, "{broken}");
        }
        let value = |length: usize| format!("a={}", "x".repeat(length));
        assert!(read(&value(131_072)).is_ok());
        assert_eq!(read(&value(131_073)).unwrap_err(), FormError::TooLarge);
        assert_eq!(read(&"%41".repeat(43_691)).unwrap_err(), FormError::TooLarge, "a name, as it was sent");
        assert_eq!(read(&format!("a=%&{}", value(131_073))).unwrap_err(), FormError::Breakdown);
        assert_eq!(read(&format!("{}=%", "x".repeat(131_073))).unwrap_err(), FormError::TooLarge);
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

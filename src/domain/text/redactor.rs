//! Cuts secrets out of text before it is shown: those that are known, since a server may repeat what it was sent, and every
//! JWT, since somebody may have put one where a name belongs.
//!
//! A secret is found as it is and within base64 and hex. Percent, JSON and HTML escapes are decoded first, up to twice. ASCII
//! case is ignored: header names and host names are in lower case, and hex digits in either.

use std::borrow::Cow;
use std::cell::RefCell;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use memchr::memmem;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::domain::client::secret::{REDACTED, Secret};
use crate::domain::token::jwt::without_tokens;

use super::excerpt::CUT;

mod decoded;

use decoded::{Decoded, folded};

/// Shorter values, in bytes, are not cut out, because too many ordinary words would be cut out with them.
const SHORTEST: usize = 8;

/// The number of secrets that are known at once. A command that runs for days mints many tokens, and the oldest have expired.
const MOST: usize = 50;

/// The longest part of an escape that a cut may leave before its mark, in bytes.
const LONGEST_ESCAPE: usize = 12;

/// The known secrets, to be cut out of texts.
#[derive(Default)]
pub struct Redactor {
    known: RefCell<Vec<(Secret, Vec<Needle>)>>,
}

/// A form of a secret that is looked for.
struct Needle {
    text: Zeroizing<Vec<u8>>,
    /// Whether the base64 around it is cut out too: it holds bits of the secret's first and last byte.
    is_base64: bool,
}

impl<'a> FromIterator<&'a Secret> for Redactor {
    fn from_iter<T: IntoIterator<Item = &'a Secret>>(secrets: T) -> Self {
        let redactor = Self::default();
        secrets.into_iter().for_each(|secret| redactor.add(secret));
        redactor
    }
}

impl Redactor {
    /// Adds a secret.
    pub fn add(&self, secret: &Secret) {
        if secret.expose().len() < SHORTEST {
            return;
        }
        let mut known = self.known.borrow_mut();
        known.retain(|(other, _)| !other.is_same(secret));
        known.push((secret.clone(), needles(secret)));
        if known.len() > MOST {
            known.remove(0);
        }
    }

    /// Whether a known secret is in `text`.
    pub fn finds_in(&self, text: &str) -> bool {
        matches!(self.without_known(text), Cow::Owned(_))
    }

    /// `text` without the secrets and tokens.
    pub fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match without_tokens(text, REDACTED) {
            Cow::Borrowed(text) => self.without_known(text),
            Cow::Owned(text) => Cow::Owned(self.without_known(&text).into_owned()),
        }
    }

    /// `text` without the known secrets.
    pub fn without_known<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.known.borrow().is_empty() || text.len() < SHORTEST {
            return Cow::Borrowed(text);
        }
        let plain = Decoded::plain(text);
        let mut found = self.found(text, &plain);
        for once in plain.decoded() {
            found.extend(self.found(text, &once));
            found.extend(once.decoded().flat_map(|twice| self.found(text, &twice)));
        }
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        found.sort_unstable();
        let (mut clean, mut shown) = (String::new(), 0);
        for (start, end) in found {
            if let Some(before) = text.get(shown..start) {
                clean.push_str(before);
                clean.push_str(REDACTED);
            }
            shown = shown.max(end);
        }
        Cow::Owned(clean + text.get(shown..).unwrap_or_default())
    }

    /// The places of the secrets in `text`, found in its decoded form.
    fn found(&self, text: &str, decoded: &Decoded) -> Vec<(usize, usize)> {
        let known = self.known.borrow();
        let needles = known.iter().flat_map(|(_, needles)| needles);
        let places = needles.flat_map(|needle| {
            let found = needle.occurrences(decoded.bytes()).into_iter();
            found.map(|(start, end)| (decoded.place(start, end), needle.is_base64))
        });
        places.map(|(place, is_base64)| if is_base64 { whole_base64(text, place) } else { place }).collect()
    }

    /// `value` without the secrets, in names as well.
    pub fn apply_json(&self, value: Value) -> Value {
        // One search of all texts is much faster than a search of each, and hardly any value has a secret.
        let mut texts = String::new();
        collect_texts(&value, &mut texts);
        if let Cow::Borrowed(_) = self.apply(&texts) {
            return value;
        }
        let clean = |text: &str| self.apply(text).into_owned();
        map_json(value, &clean, &clean)
    }
}

/// Adds the names, texts and numbers of `value` to `all`, each on a line.
fn collect_texts(value: &Value, all: &mut String) {
    match value {
        Value::String(text) => all.extend([text, "\n"]),
        Value::Number(number) => all.extend([&*number.to_string(), "\n"]),
        Value::Array(values) => values.iter().for_each(|value| collect_texts(value, all)),
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            all.extend([name, "\n"]);
            collect_texts(value, all);
        }),
        Value::Bool(_) | Value::Null => {}
    }
}

/// `value` with `name` applied to its names, and `text` to its texts and numbers: a secret may consist of digits.
pub fn map_json(value: Value, name: &impl Fn(&str) -> String, text: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(string) => text(&string).into(),
        Value::Number(number) => {
            let changed = text(&number.to_string());
            if changed == number.to_string() { Value::Number(number) } else { changed.into() }
        }
        Value::Array(values) => values.into_iter().map(|value| map_json(value, name, text)).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(key, value)| (name(&key), map_json(value, name, text))).collect()
        }
        Value::Bool(_) | Value::Null => value,
    }
}

impl Needle {
    /// Its places in `text`. Where the text was cut, the beginning of a secret counts too.
    fn occurrences(&self, text: &[u8]) -> Vec<(usize, usize)> {
        let beginning = memmem::Finder::new(self.text.get(..SHORTEST).unwrap_or(&self.text));
        let (mut found, mut rest) = (Vec::new(), text);
        while let Some(at) = beginning.find(rest) {
            let start = text.len() - rest.len() + at;
            rest = rest.get(at..).unwrap_or_default();
            let length = rest.iter().zip(&*self.text).take_while(|(one, other)| one == other).count();
            if length == self.text.len() || is_cut(rest, length) {
                found.push((start, start + length));
            }
            rest = rest.get(1..).unwrap_or_default();
        }
        found
    }
}

/// Whether `text` is cut at this place, or in the escape that begins there.
fn is_cut(text: &[u8], at: usize) -> bool {
    let rest = text.get(at..).unwrap_or_default();
    let escape = if rest.first().is_some_and(|byte| b"%\\&".contains(byte)) { LONGEST_ESCAPE } else { 0 };
    (0..=escape).any(|length| rest.get(length..).is_some_and(|rest| rest.starts_with(CUT.as_bytes())))
}

/// The forms to look for: the secret, its hex digits, and its base64 at each of the three offsets.
fn needles(secret: &Secret) -> Vec<Needle> {
    let text = secret.expose();
    let needle = |text: String, is_base64| {
        let text = Zeroizing::new(text);
        Needle { text: text.bytes().map(folded).collect::<Vec<_>>().into(), is_base64 }
    };
    let hex = text.bytes().flat_map(|byte| [byte >> 4, byte & 15]);
    let hex = hex.filter_map(|digit| char::from_digit(digit.into(), 16)).collect();
    let mut needles = vec![needle(text.to_owned(), false), needle(hex, false)];
    // Basic authentication holds a form-encoded secret (RFC 6749, section 2.3.1), and a token's claims are JSON.
    let form: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let json = Value::from(text).to_string();
    let json = json.get(1..json.len() - 1).unwrap_or_default();
    let others = [form.as_str(), json].into_iter().filter(|written| *written != text);
    for written in others.chain([text]) {
        needles.extend((0..3).map(|before| needle(base64_behind(before, written), true)));
    }
    needles
}

/// The base64 digits of `text` behind so many other bytes, without the digits that depend on what surrounds it.
fn base64_behind(before: usize, text: &str) -> String {
    let bytes = [&[0; 2][..before.min(2)], text.as_bytes()].concat();
    let encoded = STANDARD_NO_PAD.encode(&bytes);
    // Of 6 bits each.
    let (first, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
    encoded.get(first..end).unwrap_or_default().to_owned()
}

/// The whole base64 text around a place.
fn whole_base64(text: &str, (start, end): (usize, usize)) -> (usize, usize) {
    let is_digit = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte);
    let bytes = text.as_bytes();
    let before = bytes.get(..start).unwrap_or_default().iter().rev().take_while(is_digit).count();
    let after = bytes.get(end..).unwrap_or_default().iter().take_while(is_digit).count();
    (start - before, end + after)
}

#[cfg(test)]
mod tests;

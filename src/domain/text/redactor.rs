//! Takes the secrets in hand out of text before it is shown: a server may repeat what it was sent.
//!
//! A secret is found as it is and within base64 and hex; percent-, JSON- and HTML-escapes are decoded before, twice. ASCII
//! case makes no difference: header names and host names are in lower case, and hex digits in either.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use memchr::memmem;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::domain::client::secret::Secret;

use super::quotation::CUT;

mod decoded;

use decoded::{Decoded, alike};

/// Shown instead of a secret.
const REDACTED: &str = "[redacted]";

/// A shorter value, in bytes, is not taken out: it would take too many ordinary words with it.
const SHORTEST: usize = 8;

/// How many secrets are known at once. A command that stays mints tokens for days, and the oldest have expired.
const MOST: usize = 50;

/// How much of an escape may be left where a text is cut.
const LONGEST_ESCAPE: usize = 12;

/// The secrets in hand.
#[derive(Default)]
pub struct Redactor {
    known: RefCell<Vec<Known>>,
}

struct Known {
    secret: Secret,
    /// What is looked for: made when the first text is shown, since many commands show none.
    needles: OnceCell<Vec<Needle>>,
}

struct Needle {
    text: Zeroizing<Vec<u8>>,
    /// Whether the base64 around it goes too: it holds bits of the secret's first and last byte.
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
    /// From now on no text shows `secret`.
    pub fn add(&self, secret: &Secret) {
        if secret.expose().len() < SHORTEST {
            return;
        }
        let mut known = self.known.borrow_mut();
        let new = || Known { secret: secret.clone(), needles: OnceCell::new() };
        let place = known.iter().position(|other| other.secret.is_same(secret));
        let latest = place.map_or_else(new, |place| known.remove(place));
        known.push(latest);
        if known.len() > MOST {
            known.remove(0);
        }
    }

    /// Whether a secret is in `text`.
    pub fn finds_in(&self, text: &str) -> bool {
        matches!(self.apply(text), Cow::Owned(_))
    }

    /// `text` without the secrets.
    pub fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.known.borrow().is_empty() || text.len() < SHORTEST {
            return Cow::Borrowed(text);
        }
        let plain = Decoded::plain(text);
        let mut found = self.found(text, &plain);
        for once in plain.decoded().chain(plain.unwrapped()) {
            found.extend(self.found(text, &once));
            found.extend(once.decoded().chain(once.unwrapped()).flat_map(|twice| self.found(text, &twice)));
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

    /// Where the secrets are in `text`, of which `decoded` was made.
    fn found(&self, text: &str, decoded: &Decoded) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for known in self.known.borrow().iter() {
            for needle in known.needles.get_or_init(|| needles(&known.secret)) {
                let places = needle.occurrences(decoded.bytes()).into_iter();
                let places = places.map(|(start, end)| decoded.place(start, end));
                if needle.is_base64 {
                    found.extend(places.map(|place| whole_base64(text, place)));
                } else {
                    found.extend(places);
                }
            }
        }
        found
    }

    /// `value` without the secrets, in names as well.
    pub fn apply_json(&self, value: Value) -> Value {
        if self.known.borrow().is_empty() {
            return value;
        }
        // One search of all texts is much quicker than a search of each, and hardly any value has a secret.
        let mut texts = String::new();
        collect_texts(&value, &mut texts);
        if self.finds_in(&texts) { self.apply_to_each(value) } else { value }
    }

    fn apply_to_each(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.apply(&text).into_owned()),
            Value::Array(values) => values.into_iter().map(|value| self.apply_to_each(value)).collect(),
            Value::Object(members) => {
                let members = members.into_iter();
                let clean =
                    |(name, value): (String, _)| (self.apply(&name).into_owned(), self.apply_to_each(value));
                Value::Object(members.map(clean).collect())
            }
            // A secret of digits is a number, too.
            Value::Number(number) if self.finds_in(&number.to_string()) => REDACTED.into(),
            Value::Number(_) | Value::Bool(_) | Value::Null => value,
        }
    }
}

/// Adds the names, strings and numbers of `value` to `all`, each on a line.
fn collect_texts(value: &Value, all: &mut String) {
    match value {
        Value::String(text) => *all += text,
        Value::Number(number) => *all += &number.to_string(),
        Value::Array(values) => values.iter().for_each(|value| collect_texts(value, all)),
        Value::Object(members) => {
            for (name, value) in members {
                *all += name;
                all.push('\n');
                collect_texts(value, all);
            }
        }
        Value::Bool(_) | Value::Null => {}
    }
    all.push('\n');
}

impl Needle {
    /// Where it is in `text`: all of it, or its beginning where the text was cut.
    fn occurrences(&self, text: &[u8]) -> Vec<(usize, usize)> {
        let whole = memmem::find_iter(text, &*self.text).map(|start| (start, start + self.text.len()));
        let mut found: Vec<_> = whole.collect();
        if memmem::find(text, CUT.as_bytes()).is_some() {
            found.extend(cut_off(&self.text, text));
        }
        found
    }
}

/// Where `text` is cut after the beginning of `needle`. Knuth-Morris-Pratt, so that a hostile server cannot make it slow.
fn cut_off(needle: &[u8], text: &[u8]) -> Vec<(usize, usize)> {
    // For each beginning of the needle, how much of the needle's beginning it ends with.
    let mut borders = vec![0];
    for (at, byte) in needle.iter().enumerate().skip(1) {
        borders.push(longer(needle, &borders, borders.get(at - 1).copied().unwrap_or_default(), *byte));
    }
    let (mut found, mut length) = (Vec::new(), 0);
    for (at, byte) in text.iter().enumerate() {
        if length >= SHORTEST && is_cut(text, at) {
            found.push((at - length, at));
        }
        length = longer(needle, &borders, length, *byte);
    }
    found
}

/// How much of the needle's beginning a text ends with that ended with `length` of it, and goes on with `byte`.
fn longer(needle: &[u8], borders: &[usize], mut length: usize, byte: u8) -> usize {
    while length > 0 && needle.get(length) != Some(&byte) {
        length = borders.get(length - 1).copied().unwrap_or_default();
    }
    length + usize::from(needle.get(length) == Some(&byte))
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
        Needle { text: text.bytes().map(alike).collect::<Vec<_>>().into(), is_base64 }
    };
    let hex = text.bytes().flat_map(|byte| [byte >> 4, byte & 15]);
    let hex = hex.filter_map(|digit| char::from_digit(digit.into(), 16)).collect();
    let mut needles = vec![needle(text.to_owned(), false), needle(hex, false)];
    // Basic authentication has a form-encoded secret in it (RFC 6749, section 2.3.1), a token's claims are JSON.
    let form: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let json = Value::from(text).to_string();
    let json = json.get(1..json.len() - 1).unwrap_or_default();
    let others = [form.as_str(), json].into_iter().filter(|written| *written != text);
    for written in others.chain([text]) {
        needles.extend((0..3).map(|before| needle(base64_behind(before, written), true)));
    }
    needles
}

/// The digits that base64 has for `text` behind so many bytes, without those that depend on what is around it.
fn base64_behind(before: usize, text: &str) -> String {
    let bytes = [&[0; 2][..before.min(2)], text.as_bytes()].concat();
    let encoded = STANDARD_NO_PAD.encode(&bytes);
    // Of 6 bits each.
    let (first, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
    encoded.get(first..end).unwrap_or_default().to_owned()
}

/// From the first to the last digit of the base64 text that a piece was found in.
fn whole_base64(text: &str, (start, end): (usize, usize)) -> (usize, usize) {
    let is_digit = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte);
    let bytes = text.as_bytes();
    let before = bytes.get(..start).unwrap_or_default().iter().rev().take_while(is_digit).count();
    let after = bytes.get(end..).unwrap_or_default().iter().take_while(is_digit).count();
    (start - before, end + after)
}

#[cfg(test)]
mod tests;

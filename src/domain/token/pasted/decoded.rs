//! Decodes what programs put around and into a text: escapes, percent-encoding, HTML's entities, a mail's quoted-printable, a
//! terminal's colours. No such code begins with a character of a token or contains the start of one, so an intact token
//! stays intact. The number of line breaks stays, too.

use std::borrow::Cow;
use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::wrapping::Wrapping;

/// A decoded line break: white space, but no further line of the text.
pub(super) const BREAK: char = '\u{b}';

/// How often a code may be encoded itself, as a JSON text in a string of JSON.
const MAX_ROUNDS: usize = 8;

/// The longest control sequence with a text, as a terminal's link has.
const MAX_SEQUENCE: usize = 4096;

const ENTITIES: [(&str, char); 12] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("period", '.'),
    ("equals", '='),
    ("colon", ':'),
    ("lowbar", '_'),
    ("hyphen", '-'),
    ("shy", '\u{ad}'),
];

/// A text without codes, and the kinds that it had.
pub(super) fn decoded(text: &str) -> (Cow<'_, str>, BTreeSet<Wrapping>) {
    decoded_of(text, |_| true)
}

/// A text without the codes of some kinds.
pub(super) fn decoded_of(text: &str, is_wanted: fn(Wrapping) -> bool) -> (Cow<'_, str>, BTreeSet<Wrapping>) {
    let (mut decoded, mut kinds) = (Cow::Borrowed(text), BTreeSet::new());
    for _ in 0..MAX_ROUNDS {
        let Some(next) = once(&decoded, is_wanted, &mut kinds) else { break };
        if let Cow::Owned(last) = std::mem::replace(&mut decoded, Cow::Owned(next)) {
            drop(Zeroizing::new(last));
        }
    }
    (decoded, kinds)
}

/// The text from a byte on.
pub(super) fn after(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default()
}

/// At most the last bytes of a text.
pub(super) fn tail(text: &str, most: usize) -> &str {
    let from = (text.len().saturating_sub(most)..=text.len()).find(|at| text.is_char_boundary(*at));
    after(text, from.unwrap_or_default())
}

/// One round; `None` if there is nothing to decode.
fn once(text: &str, is_wanted: fn(Wrapping) -> bool, kinds: &mut BTreeSet<Wrapping>) -> Option<String> {
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    let begins_a_code = |byte: &u8| matches!(byte, b'\\' | b'%' | b'&' | b'=' | b'^' | 0x1b | 0 | 0xc2..);
    while let Some(found) = text.as_bytes().get(at..)?.iter().position(begins_a_code) {
        at += found;
        let rest = after(text, at);
        let Some((length, replacement, kind)) = code(rest).filter(|(.., kind)| is_wanted(*kind)) else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        if out.is_empty() {
            out.reserve(text.len());
        }
        out.push_str(text.get(copied..at)?);
        out.extend(replacement);
        kinds.insert(kind);
        at += length;
        copied = at;
    }
    (copied > 0).then(|| out + after(text, copied))
}

/// The code at the start of a text: its length, the character it stands for, if any, and its kind.
fn code(text: &str) -> Option<(usize, Option<char>, Wrapping)> {
    let first = text.chars().next()?;
    let rest = after(text, first.len_utf8());
    let (length, c, kind) = match first {
        '\\' => with_kind(escape(rest)?, Wrapping::Escapes),
        '%' => with_kind((2, hex(rest.get(..2)?)?), Wrapping::PercentEncoding),
        '&' => with_kind(entity(rest)?, Wrapping::Html),
        '=' => with_kind(quoted_printable(rest)?, Wrapping::QuotedPrintable),
        '\u{1b}' | '\u{9b}' | '^' => return Some((sequence(text)?, None, Wrapping::Colours)),
        c if is_invisible(c) => return Some((c.len_utf8(), None, Wrapping::InvisibleCharacters)),
        // Hyphens of word processors.
        '\u{2010}' | '\u{2011}' => return Some((3, Some('-'), Wrapping::InvisibleCharacters)),
        _ => return None,
    };
    // Other bytes are parts of characters.
    let is_character = c.is_ascii() || matches!(kind, Wrapping::Escapes | Wrapping::Html);
    is_character.then_some((1 + length, Some(if matches!(c, '\n' | '\r') { BREAK } else { c }), kind))
}

fn with_kind((length, c): (usize, char), kind: Wrapping) -> (usize, char, Wrapping) {
    (length, c, kind)
}

fn hex(digits: &str) -> Option<char> {
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|_| is_hex).and_then(char::from_u32)
}

/// What follows a backslash. `\e` alone is none: a token begins with an `e`.
fn escape(text: &str) -> Option<(usize, char)> {
    let of_digits = |count: usize| Some((1 + count, hex(text.get(1..=count)?)?));
    match text.chars().next()? {
        'n' | 'r' | 't' => Some((1, BREAK)),
        c @ ('\\' | '/' | '"' | '\'') => Some((1, c)),
        'u' => of_digits(4),
        'x' => of_digits(2),
        'e' if text.starts_with("e[") => Some((1, '\u{1b}')),
        '0' if text.starts_with("033[") => Some((3, '\u{1b}')),
        _ => None,
    }
}

/// What follows an `=`, unless it is a letter or a digit, which no mail encodes.
fn quoted_printable(text: &str) -> Option<(usize, char)> {
    let digits = text.get(..2).filter(|digits| !digits.contains(|c: char| c.is_ascii_lowercase()))?;
    hex(digits).filter(|c| !c.is_ascii_alphanumeric()).map(|c| (2, c))
}

/// What follows an `&`.
fn entity(text: &str) -> Option<(usize, char)> {
    let name = text.get(..text.as_bytes().iter().take(10).position(|byte| *byte == b';')?)?;
    let named = || ENTITIES.iter().find(|(known, _)| *known == name).map(|(_, c)| *c);
    let c = match name.strip_prefix('#') {
        None => named()?,
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(digits) => hex(digits)?,
            None => number.parse().ok().and_then(char::from_u32)?,
        },
    };
    Some((name.len() + 1, c))
}

/// The length of a terminal's control sequence (ECMA-48, sections 5.4 and 5.6), whose first character may be written `^[`.
fn sequence(text: &str) -> Option<usize> {
    if let Some(rest) = text.strip_prefix("\u{1b}]") {
        let length = rest.find(['\u{7}', '\u{1b}']).filter(|length| *length < MAX_SEQUENCE);
        return Some(2 + length.map_or(0, |length| length + 1));
    }
    let starts = ["\u{1b}[", "^[[", "\u{9b}"];
    let Some(start) = starts.into_iter().find(|start| text.starts_with(start)) else {
        // Such as the end of a sequence with a text: the character and a backslash.
        return text.starts_with('\u{1b}').then(|| 1 + usize::from(text.starts_with("\u{1b}\\")));
    };
    let parameters = after(text, start.len()).bytes().take_while(|byte| matches!(byte, 0x20..=0x3f)).count();
    let rest = after(text, start.len() + parameters);
    let has_end = rest.starts_with(|c: char| matches!(c, '@'..='~')) && !rest.starts_with("eyJ");
    Some(start.len() + parameters + usize::from(has_end))
}

/// Characters without width, and NUL, which every other byte of UTF-16 is.
fn is_invisible(c: char) -> bool {
    matches!(c, '\0' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

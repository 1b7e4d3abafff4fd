//! Says where a token was in a text: the names, quotes and words around it.

use std::collections::BTreeSet;

use super::decoded::{after, tail};
use super::wrapping::Wrapping;

/// How much of the text before a token is looked at, in bytes.
const BEFORE: usize = 200;

/// A text's kind is told by so many bytes.
const BEGINNING: usize = 64 * 1024;

/// Names that may be repeated. Other names are a part of the paste, which is not shown.
const NAMES: [&str; 8] = [
    "access_token",
    "accessToken",
    "id_token",
    "idToken",
    "refresh_token",
    "refreshToken",
    "token",
    "CORTI_ACCESS_TOKEN",
];

/// Which of an OAuth answer's tokens it is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Access,
    /// An ID or a refresh token.
    Other,
}

/// What surrounds a token.
pub(super) struct Place {
    /// Goes on after `read from: `.
    pub(super) words: String,
    pub(super) cleaned: BTreeSet<Wrapping>,
    pub(super) role: Option<Role>,
}

const QUOTES: [char; 16] = [
    '"', '\'', '`', '<', '>', '(', ')', '[', ']', '{', '}', '*', '\u{201c}', '\u{201d}', '\u{2018}',
    '\u{2019}',
];

/// The text without white space and quotes at its end.
fn unquoted(text: &str) -> &str {
    text.trim_end_matches(|c: char| c.is_whitespace() || QUOTES.contains(&c) || c == '\\')
}

/// Describes the place of the token between `start` and `end`.
pub(super) fn describe(text: &str, start: usize, end: usize) -> Place {
    let (mut before, rest) = (tail(text.get(..start).unwrap_or_default(), BEFORE), after(text, end));
    let mut cleaned = BTreeSet::new();
    let mut has_quotes = before.ends_with(QUOTES) || rest.starts_with(QUOTES);
    while let Some(other) = without_bearer(unquoted(before)) {
        cleaned.insert(Wrapping::Bearer);
        before = other;
        has_quotes |= before.ends_with(QUOTES);
    }
    let key = Key::before(before);
    let kind = key.kind(cleaned.contains(&Wrapping::Bearer));
    cleaned.extend(kind);
    let has_words = |text: &str| text.contains(char::is_alphanumeric);
    let is_enclosed = matches!(kind, Some(Wrapping::Json | Wrapping::Url)) || rest.starts_with(QUOTES);
    if !is_enclosed && has_words(rest) || kind.is_none() && has_words(before) {
        cleaned.insert(Wrapping::Words);
    }
    let is_punctuated = rest.starts_with([',', ';', '.', ':', '!', '?']) && !has_words(rest);
    if kind != Some(Wrapping::Json) && (has_quotes && kind != Some(Wrapping::Url) || is_punctuated) {
        cleaned.insert(Wrapping::Quotes);
    }
    if kind.is_none() && rest.starts_with("</") {
        cleaned.insert(Wrapping::Html);
    }
    let has = |kind| cleaned.contains(&kind);
    let words = match kind {
        Some(kind) => key.words(kind),
        None if has(Wrapping::Html) => key.words(Wrapping::Html),
        None if has(Wrapping::Bearer) => "the text after `Bearer`".to_owned(),
        None if has(Wrapping::Words) => "between other words".to_owned(),
        None if has(Wrapping::Quotes) => "a text in quotes".to_owned(),
        None => String::new(),
    };
    Place { words, cleaned, role: role(key.name) }
}

/// The name that a token has in its text.
struct Key<'a> {
    /// The line up to the token.
    line: &'a str,
    /// What is before the name.
    before: &'a str,
    name: &'a str,
    /// What is between the name and the token: `:`, `=` or `,`.
    separator: Option<char>,
    /// Whether the name is a value itself: `"name": "authorization", "value": `.
    is_value: bool,
}

impl<'a> Key<'a> {
    fn before(text: &'a str) -> Self {
        let text = unquoted(text);
        let unseparated = unquoted(text.trim_end_matches([':', '=', ',', '>']));
        let before =
            unseparated.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || "_-.$[]".contains(c));
        let (line, name) = (text.rsplit('\n').next().unwrap_or_default(), after(unseparated, before.len()));
        let separator = text.chars().next_back().filter(|c| ":=,".contains(*c));
        let pair =
            named_by_a_pair(before).filter(|_| name.eq_ignore_ascii_case("value") && separator == Some(':'));
        Self { line, before, name: pair.unwrap_or(name), separator, is_value: pair.is_some() }
    }

    /// What the token is a value of.
    fn kind(&self, is_bearer: bool) -> Option<Wrapping> {
        let lowered = |text: &str| text.to_ascii_lowercase();
        let (line, name) = (lowered(self.line), lowered(self.name));
        let is_set = line.trim_start().starts_with("set ") || line.contains("set -");
        let is_authorization = name.ends_with("authorization") && (self.separator.is_some() || is_bearer);
        let tag = line.rsplit_once('<').map(|(_, tag)| tag).unwrap_or_default();
        let is_in_a_tag = tag.starts_with(char::is_alphabetic) && !tag.contains('>');
        Some(match self.separator {
            _ if is_authorization || is_bearer && line.contains("authorization") => Wrapping::Header,
            _ if line.contains("cookie:") || name == "cookie" => Wrapping::Cookie,
            Some('=') if self.before.ends_with(['?', '&', '#', ';']) => Wrapping::Url,
            Some(':') if self.before.ends_with('"') || self.is_value => Wrapping::Json,
            _ if is_in_a_tag => Wrapping::Html,
            _ if name.is_empty() => return None,
            Some('=') => Wrapping::Assignment,
            _ if is_set => Wrapping::Assignment,
            Some(':') => Wrapping::Label,
            _ => return None,
        })
    }

    /// The kind of place in words, and the name if it is a usual one.
    fn words(&self, kind: Wrapping) -> String {
        let name = NAMES.into_iter().find(|name| *name == self.name);
        let named = |what: &str| name.map_or_else(|| what.to_owned(), |name| format!("the {name} in {what}"));
        match kind {
            Wrapping::Header => "an Authorization header".to_owned(),
            Wrapping::Cookie => "a cookie".to_owned(),
            Wrapping::Url => named("a URL"),
            Wrapping::Json => named("a JSON object"),
            Wrapping::Html => "HTML or XML".to_owned(),
            Wrapping::Label => {
                name.map_or("the text after a label".to_owned(), |name| format!("the line `{name}:`"))
            }
            _ => name.map_or("a variable".to_owned(), |name| format!("the variable {name}")),
        }
    }
}

/// The text before `Bearer`. Some clients send it twice.
fn without_bearer(text: &str) -> Option<&str> {
    let text = text.trim_end_matches(['+', ':']).trim_end();
    let (rest, word) = text.split_at_checked(text.len().checked_sub("bearer".len())?)?;
    word.eq_ignore_ascii_case("bearer").then_some(rest)
}

/// The name in `"name": "…", "value": `, as lists of headers and variables are written.
fn named_by_a_pair(text: &str) -> Option<&str> {
    let is_name = |(_, key): &(usize, &str)| ["name", "key", "Name", "Key"].contains(key);
    let words: Vec<&str> = text.split('"').collect();
    let (at, _) = words.iter().copied().enumerate().rev().find(is_name)?;
    words.get(at + 2).copied()
}

fn role(name: &str) -> Option<Role> {
    let name = name.to_ascii_lowercase().replace(['_', '-'], "");
    if name.ends_with("accesstoken") || name == "token" {
        return Some(Role::Access);
    }
    ["idtoken", "refreshtoken"].iter().any(|other| name.ends_with(other)).then_some(Role::Other)
}

/// Where such a text comes from; goes on after a place.
pub(super) fn document(text: &str) -> &'static str {
    let beginning = text.get(..text.len().min(BEGINNING)).unwrap_or(text);
    let has = |word: &str| beginning.contains(word);
    if has("\"log\"") && has("\"entries\"") {
        " in a HAR"
    } else if has("getpostman.com") || has("_postman_") {
        " in a Postman export"
    } else if has("insomnia") {
        " in an Insomnia export"
    } else {
        ""
    }
}

/// A few characters around a place.
pub(super) fn around(text: &str, at: usize) -> &str {
    let before = tail(text.get(..at).unwrap_or_default(), 8);
    let from = at - before.len();
    let to = (at + 8).min(text.len());
    text.get(from..to).unwrap_or(before)
}

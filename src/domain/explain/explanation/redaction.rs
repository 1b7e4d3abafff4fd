//! Takes out of a server's words what must not be repeated: tokens, and the client secret, should it have echoed them.

use crate::domain::text::redactor::Redactor;

/// How much of a server's sentence is shown, in characters.
const LONGEST: usize = 300;

/// How much of it is looked at once what is known was taken out: no sentence is longer.
const LOOKED_AT: usize = 2048;

/// What stands in a secret's place.
const BLOT: &str = "[redacted]";

/// Names of form fields that hold a secret.
const FIELDS: [&str; 5] = ["client_secret=", "access_token=", "refresh_token=", "password=", "token="];

/// Names of secrets, in lower case, however name and value are set apart.
const NAMES: [&str; 15] = [
    "client_secret",
    "client-secret",
    "clientsecret",
    "access_token",
    "accesstoken",
    "refresh_token",
    "refreshtoken",
    "id_token",
    "idtoken",
    "client_assertion",
    "code_verifier",
    "password",
    "passwd",
    "api_key",
    "authorization",
];

/// Words that a sentence may have before a colon too: what follows must look like a secret, or the word stand in quotes.
const WORDS: [&str; 2] = ["token", "secret"];

/// The schemes of an `Authorization` header.
const SCHEMES: [&str; 4] = ["bearer", "basic", "digest", "dpop"];

/// What a challenge has behind its scheme in place of credentials.
const PARAMETERS: [&str; 4] = ["realm=", "error=", "error_description=", "scope="];

/// What may stand between a scheme and its credentials in a URL and a form, beside white space.
const GAPS: [&str; 3] = ["+", "%2520", "%20"];

/// What may stand between a name and its value.
const SIGNS: [&str; 6] = ["=>", ":", "=", "%3D", "%3d", "%3A"];

/// What is known to be secret.
pub struct Redaction {
    /// The token in use, the client's secret and what a saved request has, where they are known.
    pub known: Redactor,
}

impl Redaction {
    /// `text` without secrets, and at most [`LONGEST`] characters of it.
    pub(super) fn apply(&self, text: &str) -> String {
        let text = self.known.apply(text);
        let text = without_named(at_most(LOOKED_AT, &text));
        let words: Vec<String> = text.split(' ').map(blotted).collect();
        let text = words.join(" ");
        match at_most(LONGEST, &text) {
            start if start.len() < text.len() => format!("{start}…"),
            _ => text,
        }
    }
}

/// The first so many characters.
fn at_most(count: usize, text: &str) -> &str {
    text.char_indices().nth(count).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// One word, without a token and without the value of a field that holds a secret.
fn blotted(word: &str) -> String {
    let field = FIELDS.iter().filter_map(|name| Some(word.find(name)? + name.len())).min();
    let token = word.find("eyJ").filter(|start| {
        let rest = word.get(*start..).unwrap_or_default();
        rest.len() >= 16
    });
    match field.into_iter().chain(token).min() {
        Some(start) => format!("{}{BLOT}", word.get(..start).unwrap_or_default()),
        None => word.to_owned(),
    }
}

/// `text` without the values that a name or a scheme says to be secret.
fn without_named(text: &str) -> String {
    let (mut clean, mut rest) = (String::new(), text);
    while let Some((start, end)) = first_value(rest) {
        clean.push_str(rest.get(..start).unwrap_or_default());
        clean.push_str(BLOT);
        rest = rest.get(end..).unwrap_or_default();
    }
    clean + rest
}

/// Where the first such value begins and ends.
fn first_value(text: &str) -> Option<(usize, usize)> {
    let lower = text.to_ascii_lowercase();
    // `id_token` also ends `invalid_token`.
    let begins = |at: usize| !lower.get(..at).is_some_and(|before| before.ends_with(char::is_alphabetic));
    let after = |names: &[&'static str]| -> Vec<usize> {
        let found = names.iter().flat_map(|name| lower.match_indices(name));
        found.filter(|(at, _)| begins(*at)).map(|(at, name)| at + name.len()).collect()
    };
    let named = after(&NAMES).into_iter().filter_map(|at| value(text, at, false));
    let worded = after(&WORDS).into_iter().filter_map(|at| value(text, at, true));
    let presented = after(&SCHEMES).into_iter().filter_map(|at| credentials(text, at));
    let found = named.chain(worded).chain(presented);
    let found = found.filter(|(start, end)| start < end && text.get(*start..*end) != Some(BLOT));
    // Of two that begin together the first one, which a name has.
    found.min_by_key(|(start, _)| *start)
}

/// The value of the name that ends at `at`.
fn value(text: &str, at: usize, is_word: bool) -> Option<(usize, usize)> {
    let rest = text.get(at..)?;
    let after = rest.trim_start_matches(['"', '\'', '`', '\\', ' ']);
    let is_quoted = rest.trim_start_matches('\\').starts_with(['"', '\'', '`']);
    let is_field = after.starts_with('=');
    let written = SIGNS.iter().find_map(|sign| after.strip_prefix(sign))?.trim_start();
    let written = written.trim_start_matches(['[', '(']);
    let start = text.len() - written.len();
    let quote = written.trim_start_matches('\\');
    if let Some(mark) = quote.chars().next().filter(|mark| "\"'`".contains(*mark)) {
        let depth = written.len() - quote.len();
        let from = start + depth + mark.len_utf8();
        return Some((from, from + until_quote(text.get(from..)?, mark, depth)));
    }
    let schemes = schemes(written);
    let start = start + schemes;
    let is_header = text.get(..at)?.to_ascii_lowercase().ends_with("authorization");
    let behind = text.get(start..)?;
    let end = start + if is_header { of_header(behind, schemes > 0) } else { word(behind) };
    let is_certain = !is_word || is_quoted || is_field || !is_plain(text.get(start..end)?);
    is_certain.then_some((start, end))
}

/// How long the word is that `text` begins with, without what a list or an object goes on with.
fn word(text: &str) -> usize {
    let word = text.split(char::is_whitespace).next().unwrap_or_default();
    word.trim_end_matches([',', '}']).len()
}

/// How long the value of an `Authorization` header is that `text` begins with: a scheme that is not known is followed by its
/// credentials, and parameters by one another.
fn of_header(text: &str, is_behind_scheme: bool) -> usize {
    let mut end = 0;
    for piece in text.split_inclusive(char::is_whitespace) {
        let is_scheme = end == 0 && !is_behind_scheme && is_plain(piece.trim_end());
        end += piece.len();
        let so_far = text.get(..end).unwrap_or_default();
        let is_open = so_far.contains('=') && so_far.matches('"').count() % 2 == 1;
        let is_parameter = so_far.contains('=') && piece.trim_end().ends_with(',');
        if !(is_scheme || is_open || is_parameter) {
            break;
        }
    }
    text.get(..end).unwrap_or_default().trim_end().trim_end_matches([',', '}']).len()
}

/// How far it is to the quote that closes: one behind no more backslashes than the one that opened.
fn until_quote(text: &str, mark: char, depth: usize) -> usize {
    let closes = |at: &usize| {
        let before = text.get(..*at).unwrap_or_default();
        before.len() - before.trim_end_matches('\\').len() <= depth
    };
    let end = text.match_indices(mark).map(|(at, _)| at).find(closes);
    end.map_or(text.len(), |end| text.get(..end).unwrap_or_default().trim_end_matches('\\').len())
}

/// How long the schemes are that `text` begins with: one is written twice by mistake.
fn schemes(text: &str) -> usize {
    let mut length = 0;
    loop {
        match scheme(text.get(length..).unwrap_or_default()) {
            0 => return length,
            more => length += more,
        }
    }
}

/// How long the scheme is that `text` begins with, the gap after it included.
fn scheme(text: &str) -> usize {
    let lower = text.to_ascii_lowercase();
    let found = SCHEMES.iter().find_map(|scheme| {
        let rest = lower.strip_prefix(scheme)?;
        Some(lower.len() - behind_gap(rest)?.len())
    });
    found.unwrap_or_default()
}

/// What follows the gap that `text` begins with.
fn behind_gap(text: &str) -> Option<&str> {
    let escaped = || GAPS.iter().find_map(|gap| text.strip_prefix(gap));
    text.strip_prefix(char::is_whitespace).or_else(escaped).map(str::trim_start)
}

/// What follows the scheme that ends at `at`, unless it is a word of the sentence or a challenge's parameter.
fn credentials(text: &str, at: usize) -> Option<(usize, usize)> {
    let rest = text.get(at..)?;
    let after = behind_gap(rest)?;
    let start = text.len() - after.len();
    let end = start + after.find(char::is_whitespace).unwrap_or(after.len());
    let is_parameter = PARAMETERS.iter().any(|name| after.starts_with(name));
    (!is_parameter && !is_plain(text.get(start..end)?)).then_some((start, end))
}

/// Whether it is a word as sentences have them, or a mark. Base64 pads with `=` and changes its case within a word.
fn is_plain(word: &str) -> bool {
    let letters = word.trim_matches(|c: char| c.is_ascii_punctuation() && c != '=');
    let inner = letters.get(1..).unwrap_or_default();
    let mixed = letters.len() >= 8
        && inner.contains(|c: char| c.is_ascii_uppercase())
        && inner.contains(|c: char| c.is_ascii_lowercase());
    letters.len() <= 16 && letters.chars().all(char::is_alphabetic) && !mixed
}

#[cfg(test)]
mod tests;

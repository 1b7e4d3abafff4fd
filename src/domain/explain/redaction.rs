//! Cuts secrets out of a server's words: known ones, and whatever follows the name of a secret or a scheme.
//!
//! After a name such as `client_secret:` the rest of the text is cut, because nothing shows where the secret ends.

use crate::domain::client::secret::REDACTED;
use crate::domain::text::excerpt::at_most;
use crate::domain::text::redactor::Redactor;

/// The longest text of a server that is shown, in characters.
const LONGEST: usize = 300;

/// Names of secrets, in lower case.
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

/// Names that sentences have before a colon too.
const WORDS: [&str; 2] = ["token", "secret"];

/// The schemes of an `Authorization` header.
const SCHEMES: [&str; 4] = ["bearer", "basic", "digest", "dpop"];

/// Parameters of a challenge, which follow a scheme and are no credentials.
const PARAMETERS: [&str; 4] = ["realm=", "error=", "error_description=", "scope="];

/// What separates a scheme from credentials in a URL or a form.
const ENCODED_SPACES: [&str; 3] = ["+", "%2520", "%20"];

/// What separates a name from its value.
const SIGNS: [&str; 6] = ["=>", ":", "=", "%3D", "%3d", "%3A"];

/// `text` without secrets, and at most [`LONGEST`] characters of it. The `known` ones are the token, the client secret and
/// those of a saved request.
pub(super) fn redact(text: &str, known: &Redactor) -> String {
    let text = known.without_known(text);
    let text = match first_named(&text) {
        Some(start) => format!("{}{REDACTED}", text.get(..start).unwrap_or_default()),
        None => text.into_owned(),
    };
    let words: Vec<String> = text.split(' ').map(without_jwt).collect();
    at_most(LONGEST, &words.join(" ")).into_owned()
}

/// Cuts a JWT off the end of a word.
fn without_jwt(word: &str) -> String {
    match word.find("eyJ").filter(|start| word.len() - start >= 16) {
        Some(start) => format!("{}{REDACTED}", word.get(..start).unwrap_or_default()),
        None => word.to_owned(),
    }
}

/// Where the first secret with a name or a scheme begins.
fn first_named(text: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let places = |name: &&'static str| lower.match_indices(*name).map(|(at, name)| (at, at + name.len()));
    // `id_token` also ends `invalid_token`, which is no name.
    let is_part = |at: usize| lower.get(..at).is_some_and(|before| before.ends_with(char::is_alphabetic));
    let named = NAMES.iter().flat_map(places).filter_map(|(at, end)| value(text, end, is_part(at), false));
    let worded = WORDS.iter().flat_map(places).filter_map(|(at, end)| value(text, end, is_part(at), true));
    let presented = SCHEMES.iter().flat_map(places).filter(|(at, _)| !is_part(*at));
    let presented = presented.filter_map(|(_, end)| credentials(text, end));
    named.chain(worded).chain(presented).min()
}

/// Where the value of the name that ends at `end` begins. `is_part` says that the name is the end of a longer word, which is
/// a name only before `=`.
fn value(text: &str, end: usize, is_part: bool, is_word: bool) -> Option<usize> {
    let rest = text.get(end..)?;
    let is_quoted = rest.trim_start_matches('\\').starts_with(['"', '\'', '`']);
    let after = rest.trim_start_matches(['"', '\'', '`', '\\', ' ']);
    let is_field = after.starts_with('=');
    let value = SIGNS.iter().find_map(|sign| after.strip_prefix(sign))?;
    let value = value.trim_start_matches(|c: char| c.is_whitespace() || "\"'`\\[(".contains(c));
    let is_secret = is_field || !is_part && (!is_word || is_quoted || !begins_with_plain_word(value));
    (is_secret && !value.is_empty() && !value.starts_with(REDACTED)).then(|| text.len() - value.len())
}

/// Where the credentials behind the scheme that ends at `end` begin.
fn credentials(text: &str, end: usize) -> Option<usize> {
    let rest = text.get(end..)?;
    let encoded = || ENCODED_SPACES.iter().find_map(|space| rest.strip_prefix(space));
    let value = rest.strip_prefix(char::is_whitespace).or_else(encoded)?.trim_start();
    let is_parameter = PARAMETERS.iter().any(|name| value.starts_with(name));
    (!is_parameter && !begins_with_plain_word(value)).then(|| text.len() - value.len())
}

/// Whether the first word is one of a sentence. Base64 is padded with `=` and changes its case within a word.
fn begins_with_plain_word(text: &str) -> bool {
    let word = text.split_whitespace().next().unwrap_or_default();
    let letters = word.trim_matches(|c: char| c.is_ascii_punctuation() && c != '=');
    let inner = letters.get(1..).unwrap_or_default();
    let mixed = letters.len() >= 8
        && inner.contains(|c: char| c.is_ascii_uppercase())
        && inner.contains(|c: char| c.is_ascii_lowercase());
    letters.len() <= 16 && letters.chars().all(char::is_alphabetic) && !mixed
}

#[cfg(test)]
mod tests;

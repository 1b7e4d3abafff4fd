//! Finds the token in what people paste: in a header, a URL, a JSON answer or a wrapped mail. Everything that is removed is
//! named, except white space around the token.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::Value;

mod words;

use words::{without_space, without_words};

/// Something that was removed around or in a token. It is named by these words in `cleaned` of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wrapping {
    /// A JSON object with the token in a field.
    Json,
    /// The name of an `Authorization` header, and the text before it.
    Header,
    /// A URL with the token in its query or fragment.
    Url,
    /// `NAME=` of an environment variable.
    Assignment,
    /// `Bearer`.
    Bearer,
    /// Quotes, brackets or punctuation around the token.
    Quotes,
    /// `%20` and the like.
    PercentEncoding,
    /// Words after the token.
    Words,
    /// Line breaks and spaces in the token.
    WhiteSpace,
    /// Characters without width, such as a byte order mark.
    InvisibleCharacters,
}

impl Wrapping {
    /// Goes on after the word `read`.
    fn meaning(self) -> &'static str {
        match self {
            Self::Json => "from the token field of a JSON object",
            Self::Header => "from an Authorization header",
            Self::Url => "from a URL",
            Self::Assignment => "from an assignment to a variable",
            Self::Bearer => "without `Bearer`",
            Self::Quotes => "without quotes or punctuation",
            Self::PercentEncoding => "without percent-encoding",
            Self::Words => "without the words after it",
            Self::WhiteSpace => "without line breaks or spaces",
            Self::InvisibleCharacters => "without invisible characters",
        }
    }
}

/// Removes one kind of wrapping; `None` if it is not there.
type Step = fn(&str) -> Option<String>;

/// The token in a pasted text.
#[derive(Debug, PartialEq, Eq)]
pub struct Pasted<'a> {
    /// The text that is left. It need not be a token.
    pub token: Cow<'a, str>,
    /// What was removed, each kind once, sorted.
    pub cleaned: Vec<Wrapping>,
}

impl<'a> Pasted<'a> {
    /// Says where the token was and what was removed, such as `read from a URL, without percent-encoding`; `None` if it was
    /// alone.
    pub fn remark(cleaned: &[Wrapping]) -> Option<String> {
        let meanings: Vec<&str> = cleaned.iter().map(|wrapping| wrapping.meaning()).collect();
        (!meanings.is_empty()).then(|| format!("read {}", meanings.join(", ")))
    }

    /// A text without wrappings. White space around it is trimmed.
    pub fn bare(text: &'a str) -> Self {
        Self { token: Cow::Borrowed(text.trim()), cleaned: Vec::new() }
    }
}

/// Removes what people paste with a token.
pub fn clean(text: &str) -> Pasted<'_> {
    let mut pasted = Pasted::bare(text);
    if is_bare(&pasted.token) {
        return pasted;
    }
    // A step may uncover another wrapping: a URL in quotes, a header in the JSON of a browser's console.
    let steps: [(Wrapping, Step); 10] = [
        (Wrapping::InvisibleCharacters, without_invisible),
        (Wrapping::Json, out_of_json),
        (Wrapping::Header, after_header),
        (Wrapping::Url, out_of_url),
        (Wrapping::Assignment, after_assignment),
        (Wrapping::Quotes, without_quotes),
        (Wrapping::PercentEncoding, percent_decoded),
        (Wrapping::Bearer, after_bearer),
        (Wrapping::Words, without_words),
        (Wrapping::WhiteSpace, without_space),
    ];
    for _ in 0..4 {
        let before = pasted.cleaned.len();
        for (wrapping, step) in steps {
            if let Some(rest) = step(&pasted.token) {
                pasted.token = Cow::Owned(rest.trim().to_owned());
                if !pasted.cleaned.contains(&wrapping) {
                    pasted.cleaned.push(wrapping);
                }
            }
        }
        if is_bare(&pasted.token) || pasted.cleaned.len() == before {
            break;
        }
    }
    // Too short for a token. The error should then be about the text as it was pasted.
    if pasted.token.len() < 20 {
        return Pasted::bare(text);
    }
    pasted.cleaned.sort_unstable();
    pasted
}

/// Whether a line is a whole JWT, or has one in it.
pub fn is_token_line(line: &str) -> bool {
    let token = clean(line).token;
    token.starts_with("eyJ") && matches!(token.bytes().filter(|byte| *byte == b'.').count(), 2 | 4)
}

/// Whether the text has one token per line: its first two lines that are not blank are whole tokens. `None` if more of the text
/// is needed to tell.
pub fn has_token_per_line(text: &[u8], has_ended: bool) -> Option<bool> {
    let last_break = text.iter().rposition(|byte| *byte == b'\n').unwrap_or_default();
    let complete = if has_ended { text } else { text.get(..last_break)? };
    let mut lines = lines_are_tokens(complete);
    match (lines.next(), lines.next()) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => has_ended.then_some(false),
    }
}

/// Whether the text has several lines and one of them is a whole token.
pub fn has_token_line(text: &[u8]) -> bool {
    let lines: Vec<bool> = lines_are_tokens(text).collect();
    lines.len() > 1 && lines.contains(&true)
}

/// For each line that is not blank: whether it is a whole token.
fn lines_are_tokens(text: &[u8]) -> impl Iterator<Item = bool> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    lines.map(|line| std::str::from_utf8(line).is_ok_and(is_token_line))
}

fn is_bare(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

fn without_invisible(text: &str) -> Option<String> {
    text.contains(is_invisible).then(|| text.replace(is_invisible, ""))
}

/// The token in the JSON of a token endpoint, a vendor's SDK or this tool, which may be the only item of a list.
fn out_of_json(text: &str) -> Option<String> {
    let names =
        ["access_token", "accessToken", "token", "id_token", "idToken", "refresh_token", "refreshToken"];
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let answer = match serde_json::from_str(text).ok()? {
        Value::Array(mut items) if items.len() == 1 => items.pop()?,
        other => other,
    };
    names.iter().find_map(|name| answer.get(name)?.as_str()).map(str::to_owned)
}

/// The text after the name of an `Authorization` header, if there is one.
pub fn after_header(text: &str) -> Option<String> {
    let rest = after_word(text, "authorization")?;
    // In a program's source a quote is before the colon: `'Authorization': 'Bearer …'`.
    let rest = rest.trim_start_matches(['"', '\'', '`', ' ']).strip_prefix([':', '='])?;
    Some(rest.trim_start().to_owned())
}

/// The text after the first `word`, in upper or lower case.
fn after_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    text.get(text.to_ascii_lowercase().find(word)? + word.len()..)
}

/// The token in a query, or in a fragment as in OAuth's implicit grant (RFC 6749, section 4.2.2).
fn out_of_url(text: &str) -> Option<String> {
    let mut values = text.split(['?', '#', '&']).skip(1).filter_map(|pair| pair.split_once('='));
    let (_, value) = values.find(|(name, _)| matches!(*name, "token" | "access_token" | "id_token"))?;
    Some(value.to_owned())
}

fn without_quotes(text: &str) -> Option<String> {
    let is_mark = |c: char| "\"'`<>()[],;\u{201c}\u{201d}\u{2018}\u{2019}".contains(c);
    let rest = text.trim_matches(|c: char| is_mark(c) || c.is_whitespace());
    // The rest of a shell command may follow the quoted header.
    let rest = rest.split(['"', '\'']).next().unwrap_or_default();
    (rest.len() < text.len()).then(|| rest.to_owned())
}

/// `export CORTI_ACCESS_TOKEN=…`.
fn after_assignment(text: &str) -> Option<String> {
    let (name, value) = text.split_once('=')?;
    let name = name.trim().strip_prefix("export ").unwrap_or(name).trim();
    // A token's header with wrong padding is no name.
    let is_name = !name.is_empty()
        && !name.starts_with("eyJ")
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_name && !value.is_empty() && value.bytes().any(|byte| byte != b'=')).then(|| value.to_owned())
}

fn percent_decoded(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    (decoded != text).then(|| decoded.into_owned())
}

/// Removes every `Bearer`: some clients send it twice.
fn after_bearer(text: &str) -> Option<String> {
    let is_between = |c: char| c.is_whitespace() || c == '+' || c == ':';
    let mut left = text;
    while let Some((word, rest)) = left.split_at_checked("bearer".len())
        && rest.starts_with(is_between)
        && word.eq_ignore_ascii_case("bearer")
    {
        left = rest.trim_start_matches(is_between);
    }
    (left.len() < text.len()).then(|| left.to_owned())
}

#[cfg(test)]
mod tests;

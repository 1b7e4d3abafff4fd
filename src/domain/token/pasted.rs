//! What people paste where a token is wanted: the token out of a header, a URL, a JSON answer or a wrapped mail, and the
//! name of everything that was taken off. Nothing is taken off unseen but white space around it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde::{Serialize, Serializer};
use serde_json::Value;

mod words;

use words::{without_space, without_words};

/// Something that was taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Junk {
    /// A JSON object with the token in a field.
    Json,
    /// The name of an `Authorization` header, and what stood before it.
    Header,
    /// A URL with the token in its query or its fragment.
    Url,
    /// `NAME=` of an environment variable.
    Assignment,
    /// `Bearer`.
    Bearer,
    /// Quotes, brackets or punctuation around it.
    Quotes,
    /// `%20` and the like.
    Percent,
    /// Words behind it.
    Words,
    /// Line breaks and spaces in it.
    Space,
    /// Characters without width, such as a byte order mark.
    Invisible,
}

impl Junk {
    /// The word for it in `cleaned`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Header => "header",
            Self::Url => "url",
            Self::Assignment => "assignment",
            Self::Bearer => "bearer",
            Self::Quotes => "quotes",
            Self::Percent => "percent-encoding",
            Self::Words => "words",
            Self::Space => "white-space",
            Self::Invisible => "invisible-characters",
        }
    }

    /// The same in plain words.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Json => "a JSON object around it",
            Self::Header => "an `Authorization` header's name",
            Self::Url => "a URL around it",
            Self::Assignment => "a variable's name",
            Self::Bearer => "`Bearer`",
            Self::Quotes => "quotes or punctuation around it",
            Self::Percent => "percent-encoding",
            Self::Words => "words behind it",
            Self::Space => "line breaks or spaces in it",
            Self::Invisible => "invisible characters",
        }
    }
}

impl Serialize for Junk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Takes one kind of junk off, where it is there.
type Step = fn(&str) -> Option<String>;

/// A text that was pasted, as the token it was meant to be.
#[derive(Debug, PartialEq, Eq)]
pub struct Pasted<'a> {
    /// What is left. It need not be a token.
    pub token: Cow<'a, str>,
    /// What was taken off, each kind once, in order.
    pub cleaned: Vec<Junk>,
}

impl<'a> Pasted<'a> {
    /// What was taken off, in words; `None` where nothing was.
    pub fn remark(cleaned: &[Junk]) -> Option<String> {
        let junk: Vec<&str> = cleaned.iter().map(|junk| junk.meaning()).collect();
        (!junk.is_empty()).then(|| format!("taken off the text: {}", junk.join(", ")))
    }

    /// A text with nothing around it but white space.
    pub fn bare(text: &'a str) -> Self {
        Self { token: Cow::Borrowed(text.trim()), cleaned: Vec::new() }
    }
}

/// Takes off what people paste along with a token.
pub fn clean(text: &str) -> Pasted<'_> {
    let mut pasted = Pasted::bare(text);
    if is_bare(&pasted.token) {
        return pasted;
    }
    // Each step can lay another bare: a URL in quotes, a header in the JSON of a browser's console.
    let steps: [(Junk, Step); 10] = [
        (Junk::Invisible, without_invisible),
        (Junk::Json, out_of_json),
        (Junk::Header, after_header),
        (Junk::Url, out_of_url),
        (Junk::Assignment, after_assignment),
        (Junk::Quotes, without_quotes),
        (Junk::Percent, percent_decoded),
        (Junk::Bearer, after_bearer),
        (Junk::Words, without_words),
        (Junk::Space, without_space),
    ];
    for _ in 0..4 {
        let before = pasted.cleaned.len();
        for (junk, step) in steps {
            if let Some(rest) = step(&pasted.token) {
                pasted.token = Cow::Owned(rest.trim().to_owned());
                if !pasted.cleaned.contains(&junk) {
                    pasted.cleaned.push(junk);
                }
            }
        }
        if is_bare(&pasted.token) || pasted.cleaned.len() == before {
            break;
        }
    }
    // Too short for any token: whatever it is, the user should be told of it as it is.
    if pasted.token.len() < 20 {
        return Pasted::bare(text);
    }
    pasted.cleaned.sort_unstable();
    pasted
}

/// Whether a line is a whole JWT for itself, so that many such lines are many tokens.
pub fn is_whole(line: &str) -> bool {
    let token = clean(line).token;
    token.starts_with("eyJ") && matches!(token.bytes().filter(|byte| *byte == b'.').count(), 2 | 4)
}

/// Whether these are many tokens, one a line: the first two lines that are not blank are whole ones. `None` where more of
/// the text must be seen to tell.
pub fn are_many(text: &[u8], has_ended: bool) -> Option<bool> {
    let mut lines = text.split(|byte| *byte == b'\n').peekable();
    let mut whole = 0;
    while let Some(line) = lines.next() {
        let is_complete = has_ended || lines.peek().is_some();
        if line.trim_ascii().is_empty() {
            continue;
        }
        if !is_complete {
            return None;
        }
        if !std::str::from_utf8(line).is_ok_and(is_whole) {
            return Some(false);
        }
        whole += 1;
        if whole == 2 {
            return Some(true);
        }
    }
    has_ended.then_some(false)
}

/// Whether one of several lines is a whole token, so that a text that is none may be many.
pub fn has_whole_line(text: &[u8]) -> bool {
    let lines = || text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    lines().nth(1).is_some() && lines().any(|line| std::str::from_utf8(line).is_ok_and(is_whole))
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

/// The token endpoint's answer, a vendor SDK's, or the JSON of this tool or another; alone in a list, too.
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

/// What follows the name of an `Authorization` header, where there is one.
pub fn after_header(text: &str) -> Option<String> {
    let (_, rest) = split_at_word(text, "authorization")?;
    // `'Authorization': 'Bearer …'` of a program's source has a quote before the colon.
    let rest = rest.trim_start_matches(['"', '\'', '`', ' ']).strip_prefix([':', '='])?;
    Some(rest.trim_start().to_owned())
}

/// What stands before and after the first `word`, in whatever case it is written.
fn split_at_word<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let lower = text.to_ascii_lowercase();
    let start = lower.find(word)?;
    Some((text.get(..start)?, text.get(start + word.len()..)?))
}

/// The token in a query, or in a fragment, where OAuth's implicit grant puts it (RFC 6749, section 4.2.2).
fn out_of_url(text: &str) -> Option<String> {
    let values = text.split(['?', '#', '&']).skip(1).filter_map(|pair| pair.split_once('='));
    let is_token = |name: &str| matches!(name, "token" | "access_token" | "id_token");
    values.into_iter().find(|(name, _)| is_token(name)).map(|(_, value)| value.to_owned())
}

fn without_quotes(text: &str) -> Option<String> {
    let marks = [
        '"', '\'', '`', '<', '>', '(', ')', '[', ']', ',', ';', '\u{201c}', '\u{201d}', '\u{2018}',
        '\u{2019}',
    ];
    let rest = text.trim_matches(|c: char| marks.contains(&c) || c.is_whitespace());
    // What a shell's command goes on with after the quoted header.
    let rest = rest.split(['"', '\'']).next().unwrap_or_default();
    (rest.len() < text.len()).then(|| rest.to_owned())
}

/// `export CORTI_ACCESS_TOKEN=…`.
fn after_assignment(text: &str) -> Option<String> {
    let (name, value) = text.split_once('=')?;
    let name = name.trim().strip_prefix("export ").unwrap_or(name).trim();
    // A header with padding that does not belong there is no name.
    let is_name = !name.is_empty()
        && !name.starts_with("eyJ")
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_name && !value.is_empty() && value.bytes().any(|byte| byte != b'=')).then(|| value.to_owned())
}

fn percent_decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return None;
    }
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    (decoded != text).then(|| decoded.into_owned())
}

/// However many there are: some clients put another one before it.
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

//! Finds the tokens in what people paste: a chat, a mail, a log, an export, the output of a program. It is a search: whatever
//! surrounds a token need not be known. What is known is named, so that the person can tell where the token was.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::jwt::{Jwt, JwtError};

mod base64;
mod decoded;
mod end;
mod none;
mod place;
mod scan;
mod wrapping;

pub use none::NoToken;
pub use wrapping::Wrapping;

use decoded::{BREAK, after, decoded, decoded_of};
use place::{Place, Role};
use scan::{Token, gap, scan};

/// The longest text that is searched, in bytes. A browser's HAR of a long session has some 10 MB.
pub const MAX_TEXT: usize = 64 * 1024 * 1024;

/// How often base64 is decoded: a token in a Kubernetes secret may be encoded twice.
const MAX_DEPTH: usize = 2;

/// The search ends after so many different tokens.
pub const MAX_FOUND: usize = 100;

/// A token, and where it was in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The token alone.
    pub token: Zeroizing<String>,
    /// What was removed, each kind once, sorted.
    pub cleaned: Vec<Wrapping>,
    /// Where it was; empty if nothing is to be said.
    words: String,
    /// The number of its first line, if the text has several.
    line: Option<usize>,
    /// In how many pieces it was, and whether these were lines.
    pieces: usize,
    in_lines: bool,
    role: Option<Role>,
}

impl Found {
    /// A text that is just a token.
    pub fn bare(text: &str) -> Self {
        let token = Zeroizing::new(text.trim().to_owned());
        Self {
            token,
            cleaned: Vec::new(),
            words: String::new(),
            line: None,
            pieces: 1,
            in_lines: false,
            role: None,
        }
    }

    /// Where it was, such as `the access_token in a JSON object, line 3`; empty if it was alone.
    pub fn place(&self) -> String {
        let line = self.line.map(|line| format!("line {line}"));
        let words = (!self.words.is_empty()).then(|| self.words.clone());
        [words, line].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// A sentence that says where it was and what was removed; `None` if it was alone.
    pub fn remark(&self) -> Option<String> {
        let has = |kind| self.cleaned.contains(&kind);
        let what = if self.in_lines { "lines" } else { "pieces" };
        let rejoined = (self.pieces > 1).then(|| format!("rejoined from {} {what}", self.pieces));
        let others = [
            (Wrapping::Base64, "decoded from base64"),
            (Wrapping::PercentEncoding, "percent-decoded"),
            (Wrapping::Escapes, "backslash escapes decoded"),
            (Wrapping::QuotedPrintable, "quoted-printable decoded"),
            (Wrapping::Colours, "colours removed"),
            (Wrapping::InvisibleCharacters, "invisible characters removed"),
        ];
        let others = others.into_iter().filter(|(kind, _)| has(*kind)).map(|(_, words)| words.to_owned());
        let rest: Vec<String> = rejoined.into_iter().chain(others).collect();
        let place = self.place();
        let start = if self.words.is_empty() { "read from " } else { "read from: " };
        match (place.is_empty(), rest.is_empty()) {
            (true, true) => None,
            (true, false) => Some(format!("read, {}", rest.join(", "))),
            (false, true) => Some(format!("{start}{place}")),
            (false, false) => Some(format!("{start}{place}, {}", rest.join(", "))),
        }
    }
}

/// Every different token in a text, in order; not empty.
pub fn search(text: &str) -> Result<Vec<Found>, NoToken> {
    let mut found = Vec::new();
    let flaw = search_in(text, 0, &mut found);
    if found.is_empty() && flaw.is_none() && Jwt::decode(text).is_ok() {
        found.push(Found::bare(text));
    }
    if found.is_empty() { Err(NoToken::of(text, flaw)) } else { Ok(found) }
}

/// The index of the token that is meant: the only one, or the access token of an OAuth answer, beside ID and refresh tokens.
pub fn preferred(found: &[Found]) -> Option<usize> {
    let (access, others): (Vec<usize>, Vec<usize>) =
        (0..found.len()).partition(|at| found.get(*at).is_some_and(|it| it.role == Some(Role::Access)));
    match (found.len(), access.as_slice()) {
        (1, _) => Some(0),
        (_, [access]) => {
            let is_other = |at: &usize| found.get(*at).is_some_and(|it| it.role == Some(Role::Other));
            others.iter().all(is_other).then_some(*access)
        }
        _ => None,
    }
}

/// The token that is meant, if it is clear.
pub fn only(text: &str) -> Result<Found, NoToken> {
    let mut found = search(text)?;
    match preferred(&found) {
        Some(at) => Ok(found.swap_remove(at)),
        None => Err(NoToken::Several(found.len())),
    }
}

/// Whether no line of a text has more than one token that may be meant, and several lines have one.
pub fn is_one_a_line(text: &str) -> bool {
    let lines: Vec<_> = text.lines().map(only).collect();
    let has_several = lines.iter().any(|line| matches!(line, Err(NoToken::Several(_))));
    !has_several && lines.iter().filter(|line| line.is_ok()).count() > 1
}

/// A text whose URLs with a token are whole again if they were wrapped. Its percent-encoding stays.
pub fn rejoined(text: &str) -> String {
    let is_around =
        |kind| matches!(kind, Wrapping::Escapes | Wrapping::Colours | Wrapping::InvisibleCharacters);
    let (plain, _) = decoded_of(text, is_around);
    let (mut rejoined, mut copied) = (String::new(), 0);
    for token in scan(&plain).0 {
        let before = plain.get(copied..token.start).unwrap_or_default();
        let (rest, url) =
            before.split_at(before.rfind("wss://").or_else(|| before.rfind("ws://")).unwrap_or(before.len()));
        let whole = without_breaks(url);
        let is_url = ["?token=", "&token=", ";token="].iter().any(|name| whole.contains(name));
        rejoined.push_str(rest);
        rejoined.push_str(if is_url { &whole } else { url });
        rejoined.push_str(&token.text);
        copied = token.end;
    }
    rejoined + after(&plain, copied)
}

/// A text without its line breaks and the marks of quoted lines.
fn without_breaks(text: &str) -> String {
    let (mut whole, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(char::is_whitespace) {
        let (line, behind) = rest.split_at(at);
        let (between, next) = behind.split_at(gap(behind));
        whole.push_str(line);
        whole.push_str(if between.contains(['\n', BREAK]) { "" } else { between });
        rest = next;
    }
    whole + rest
}

/// Adds the tokens of a text. Returns what is wrong with the first text that seems to be one and is none.
fn search_in(text: &str, depth: usize, found: &mut Vec<Found>) -> Option<JwtError> {
    let (plain, kinds) = decoded(text);
    let (tokens, mut flaw) = scan(&plain);
    let mut lines = LineCounter::of(&plain);
    for token in &tokens {
        add(found, &token.text, || Found {
            line: lines.at(token.start),
            ..describe(token, text, &plain, &kinds)
        });
    }
    if depth < MAX_DEPTH && found.len() < MAX_FOUND {
        let mut lines = LineCounter::of(&plain);
        for (start, text) in base64::texts(&plain, &tokens) {
            let (mut inside, line) = (Vec::new(), lines.at(start));
            flaw = flaw.or(search_in(&text, depth + 1, &mut inside));
            for mut it in inside {
                it.cleaned.push(Wrapping::Base64);
                let token = it.token.clone();
                add(found, &token, || Found { line, ..it });
            }
        }
    }
    flaw
}

/// Adds a token, unless it is known or there are enough. An access token is one wherever it is called that.
fn add(found: &mut Vec<Found>, token: &str, make: impl FnOnce() -> Found) {
    let is_full = found.len() == MAX_FOUND;
    match found.iter_mut().find(|it| *it.token == token) {
        Some(known) if known.role.is_some() => {}
        Some(known) => known.role = make().role,
        None if is_full => {}
        None => found.push(make()),
    }
}

fn describe(token: &Token, text: &str, plain: &str, kinds: &BTreeSet<Wrapping>) -> Found {
    let Place { mut words, mut cleaned, role } = place::describe(plain, token.start, token.end);
    words.push_str(if words.is_empty() { "" } else { place::document(plain) });
    let inside = plain.get(token.start..token.end).unwrap_or_default();
    if inside.contains(char::is_whitespace) {
        cleaned.insert(Wrapping::WhiteSpace);
    }
    // What was decoded elsewhere says nothing of the token.
    let is_as_it_was = [token.start, token.end].iter().all(|at| text.contains(place::around(plain, *at)))
        && !inside.contains(BREAK)
        && (token.pieces > 1 || text.contains(&token.text));
    let is_removed = |kind: &Wrapping| matches!(kind, Wrapping::InvisibleCharacters | Wrapping::Colours);
    cleaned.extend(kinds.iter().filter(|kind| !is_as_it_was || is_removed(kind)));
    let (pieces, in_lines) = (token.pieces, inside.contains(['\n', BREAK]));
    let (token, cleaned) = (Zeroizing::new(token.text.clone()), cleaned.into_iter().collect());
    Found { token, cleaned, words, line: None, pieces, in_lines, role }
}

/// Tells the number of the line, if there are several with words. The places must ascend.
struct LineCounter<'a> {
    text: &'a str,
    has_several: bool,
    line: usize,
    counted: usize,
}

impl<'a> LineCounter<'a> {
    fn of(text: &'a str) -> Self {
        let has_several = text.lines().filter(|line| !line.trim().is_empty()).nth(1).is_some();
        Self { text, has_several, line: 1, counted: 0 }
    }

    fn at(&mut self, at: usize) -> Option<usize> {
        let passed = self.text.get(self.counted..at).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', passed.as_bytes()).count();
        self.counted = at.max(self.counted);
        self.has_several.then_some(self.line)
    }
}

/// Whether a text is a token and nothing else.
pub fn is_bare(text: &str) -> bool {
    let signature = text.trim().rsplit('.').next().unwrap_or_default();
    Jwt::decode(text).is_ok_and(|jwt| end::is_plausible(&jwt.header.alg, signature.len()))
        && !text.trim_end().ends_with('.')
}

/// Whether a line has one whole token in it.
pub fn is_token_line(line: &str) -> bool {
    only(line).is_ok()
}

/// Whether a line is a token, with nothing around it but what programs write around each of many.
fn is_whole(line: &str) -> bool {
    use Wrapping::{Bearer, Header, InvisibleCharacters, Json, PercentEncoding, Quotes, Url};
    let usual = [Bearer, Header, InvisibleCharacters, Json, PercentEncoding, Quotes, Url];
    only(line).is_ok_and(|found| found.cleaned.iter().all(|kind| usual.contains(kind)))
}

/// Whether the text has one token per line: its first two lines that are not blank are whole tokens. `None` if more of the text
/// is needed to tell.
pub fn has_token_per_line(text: &[u8], has_ended: bool) -> Option<bool> {
    let last_break = text.iter().rposition(|byte| *byte == b'\n').unwrap_or_default();
    let complete = if has_ended { text } else { text.get(..last_break)? };
    let lines = complete.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let mut lines = lines.map(|line| std::str::from_utf8(line).is_ok_and(is_whole));
    match (lines.next(), lines.next()) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => has_ended.then_some(false),
    }
}

#[cfg(test)]
mod tests;

//! Searches a text for tokens: a start `eyJ` from where a header can be read, and what follows it. Line breaks, quotes,
//! elements of HTML and the marks at the start of a quoted line may be anywhere in a token.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;

use crate::domain::token::jwt::{self, Header, JwtError, MAX_TOKEN_BYTES};

use super::decoded::{BREAK, after};
use super::end::{End, Piece, Signature};

/// The longest header that is read, in characters. One with certificates has a few thousand.
const MAX_HEADER: usize = 8 * 1024;

/// A signature of several pieces is not longer.
const MAX_JOINED_SIGNATURE: usize = 4 * 1024;

/// An encrypted token has four; one more shows that it is none.
const MAX_DOTS: usize = 5;

/// The longest element of HTML in a token.
const MAX_ELEMENT: usize = 1024;

/// A token in a text.
pub(super) struct Token {
    /// Where it begins and ends.
    pub(super) start: usize,
    pub(super) end: usize,
    /// The token without what was in it.
    pub(super) text: String,
    /// In how many pieces it was.
    pub(super) pieces: usize,
}

/// Every token, in order; and what is wrong with the first text that looks like one and is none. Where the end of a token is
/// not clear, each possible one is a token.
pub(super) fn scan(text: &str) -> (Vec<Token>, Option<JwtError>) {
    let (mut tokens, mut flaw, mut at) = (Vec::new(), None, 0);
    while let Some(start) = next_start(text, at..text.len()) {
        match read(text, start) {
            Ok(found) => {
                at = found.iter().map(|token| token.end).max().unwrap_or(start + 1);
                tokens.extend(found);
            }
            Err((error, next)) => {
                flaw = flaw.or(error);
                at = next;
            }
        }
    }
    (tokens, flaw)
}

/// Where the next `eyJ` begins, within this range. A line may break in it.
fn next_start(text: &str, range: Range<usize>) -> Option<usize> {
    let is_start = |at: &usize| {
        let mut rest = after(text, at + 1);
        ['y', 'J'].iter().all(|c| {
            let next = after(rest, gap(rest)).strip_prefix(*c);
            rest = next.unwrap_or_default();
            next.is_some()
        })
    };
    memchr::memchr_iter(b'e', text.as_bytes().get(range.clone())?).map(|at| range.start + at).find(is_start)
}

/// The length of what may interrupt a token.
pub(super) fn gap(text: &str) -> usize {
    let (mut at, mut is_new_line) = (0, false);
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = after(text, at);
        at += match c {
            '\n' | BREAK => {
                is_new_line = true;
                1
            }
            '\\' | '"' | '\'' | '`' | '^' => 1,
            '>' | '<' | '|' | '│' | '+' | '*' | '#' if is_new_line && element(rest) == 0 => c.len_utf8(),
            '<' if element(rest) > 0 => element(rest),
            '=' | '+' | '|' | '│' if ends_a_line(after(rest, c.len_utf8())) => c.len_utf8(),
            c if c.is_whitespace() => c.len_utf8(),
            _ => break,
        };
    }
    at
}

fn ends_a_line(text: &str) -> bool {
    text.trim_start_matches([' ', '\t', '\r']).starts_with(['\n', BREAK])
}

/// The length of the HTML tag at the start of a text; 0 if there is none, or it holds a token itself.
fn element(text: &str) -> usize {
    let name = text.strip_prefix('<').map(|rest| rest.trim_start_matches(['/', '!'])).unwrap_or_default();
    let length = name.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"-:".contains(byte)).count();
    let is_name = (1..20).contains(&length) && after(name, length).starts_with([' ', '\n', '\t', '/', '>']);
    let end =
        after(text, 1).bytes().take(MAX_ELEMENT).position(|byte| b"<>".contains(&byte)).map(|end| end + 1);
    let is_end = |end: &usize| {
        after(text, *end).starts_with('>') && text.get(..*end).is_some_and(|tag| !tag.contains("eyJ"))
    };
    let end = end.filter(|end| is_name && is_end(end));
    end.map_or(0, |end| end + 1)
}

/// How many characters of a token are next, at most `limit`, and up to so many dots.
fn width(text: &str, limit: usize, mut dots: usize) -> usize {
    let is_character = |byte: &u8| {
        dots -= usize::from(*byte == b'.' && dots > 0);
        byte.is_ascii_alphanumeric() || b"-_".contains(byte) || *byte == b'.' && dots > 0
    };
    text.bytes().take(limit).take_while(is_character).count()
}

/// The header that begins at `start`, and where the dot after it is; without a dot, its beginning and where it stops.
fn header(text: &str, start: usize) -> Result<(String, usize), (String, usize)> {
    // Most of what begins like a header is none.
    let begins = text.get(start..start + 8).and_then(|begins| URL_SAFE_NO_PAD.decode(begins).ok());
    if begins.is_some_and(|json| !json.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ')) {
        return Err((String::new(), start + 1));
    }
    // Otherwise each of many starts in a long text would be read up to the longest header.
    let begins = text.get(start..start + 64).and_then(|begins| URL_SAFE_NO_PAD.decode(begins).ok());
    if begins
        .is_some_and(|json| serde_json::from_slice::<IgnoredAny>(&json).is_err_and(|error| error.is_syntax()))
    {
        return Err((String::new(), start + 1));
    }
    let (mut header, mut at) = (String::new(), start);
    loop {
        let rest = after(text, at);
        let piece = rest.get(..width(rest, MAX_HEADER, 2)).unwrap_or_default();
        if let Some((end, _)) = piece.split_once('.') {
            return Ok((header + end, at + end.len()));
        }
        header.push_str(piece);
        at += piece.len();
        let gap = gap(after(text, at));
        if piece.is_empty() || gap == 0 || header.len() > MAX_HEADER {
            return Err((header, at));
        }
        at += gap;
    }
}

fn read_header(text: &str) -> Option<Header> {
    jwt::read("header", text).ok()
}

/// Where another token begins in this range.
fn next_token(text: &str, mut range: Range<usize>) -> Option<usize> {
    while let Some(start) = next_start(text, range.clone()) {
        range.start = match header(text, start) {
            Ok((header, _)) if read_header(&header).is_some() => return Some(start),
            Ok(_) => start + 1,
            Err((_, stop)) => stop.max(start + 1),
        };
    }
    None
}

/// The characters of a token from `start` on, without what interrupts them, up to the next token or what is no part of one.
fn join(text: &str, start: usize) -> (String, Vec<Piece>) {
    let (mut joined, mut pieces, mut at, mut dots) = (String::new(), Vec::new(), start, Vec::new());
    loop {
        let rest = after(text, at);
        let mut width = width(rest, MAX_TOKEN_BYTES + 1 - joined.len(), MAX_DOTS + 1 - dots.len());
        let here = rest.bytes().take(width).enumerate().filter(|(_, byte)| *byte == b'.');
        dots.extend(here.map(|(dot, _)| at + dot));
        // Another token may follow the payload, with or without a gap.
        let other = dots.get(1).and_then(|dot| next_token(text, at.max(dot + 1)..at + width));
        width = other.map_or(width, |other| other - at);
        joined.push_str(rest.get(..width).unwrap_or_default());
        at += width;
        if width > 0 {
            pieces.push(Piece { joined: joined.len(), end: at, width });
        }
        let gap = gap(after(text, at));
        let signature = dots.get(1).map_or(0, |dot| at - dot);
        let is_long = joined.len() > MAX_TOKEN_BYTES || signature > MAX_JOINED_SIGNATURE;
        if other.is_some() || width == 0 || gap == 0 || dots.len() >= MAX_DOTS || is_long {
            return (joined, pieces);
        }
        at += gap;
    }
}

/// The token at `start`, once for each place where it may end. Else what is wrong with it, if it seems to be one, and where the
/// search goes on.
fn read(text: &str, start: usize) -> Result<Vec<Token>, (Option<JwtError>, usize)> {
    let (head, dot) = header(text, start).map_err(|(begun, stop)| {
        let flaw = begins_a_header(&begun).then_some(JwtError::TooFewParts(1));
        (flaw, stop.max(start + 1))
    })?;
    let Some(head) = read_header(&head) else {
        let is_cut = after(text, dot).starts_with("..") && begins_a_header(&head);
        return Err((is_cut.then_some(JwtError::TooFewParts(1)), start + 1));
    };
    let (joined, pieces) = join(text, start);
    let dots: Vec<usize> = joined.match_indices('.').map(|(dot, _)| dot).collect();
    let stop = pieces.last().map_or(start + 1, |piece| piece.end);
    if head.has("enc") {
        // A JWE (RFC 7516, section 3.1) has five parts.
        let error = if dots.len() < 4 { JwtError::TooFewParts(dots.len() + 1) } else { JwtError::Encrypted };
        return Err((Some(error), stop));
    }
    let first = dots.first().map_or(0, |dot| dot + 1);
    let is_payload =
        |end: usize| jwt::read::<IgnoredAny>("payload", joined.get(first..end).unwrap_or_default());
    let second = dots.get(1).copied().unwrap_or(joined.len());
    let payload = is_payload(second);
    if dots.len() < 2 || payload.is_err() {
        // The payload may be all there is of it, with words behind it.
        let is_cut = dots.len() < 2
            || pieces.iter().take(64).any(|it| it.joined < second && is_payload(it.joined).is_ok());
        let flaw = match second.saturating_sub(first) {
            0 => Some(JwtError::TooFewParts(1)),
            _ if is_cut => Some(JwtError::TooFewParts(2)),
            _ => payload.err(),
        };
        return Err((flaw, start + 1));
    }
    let signature = Signature::new(&head.alg, &joined, second + 1, &pieces, text, start);
    let ends = signature.ends().map_err(|flaw| (Some(flaw), start + 1))?;
    let token = |end: End| {
        let text = joined.get(..end.length).unwrap_or_default().to_owned();
        Token { start, end: end.at, text, pieces: end.piece + 1 }
    };
    Ok(ends.into_iter().map(token).collect())
}

/// Whether a text without a dot is the beginning of a token's header, and not any JSON.
fn begins_a_header(text: &str) -> bool {
    let whole = text.get(..text.len() / 4 * 4).unwrap_or_default();
    let json = URL_SAFE_NO_PAD.decode(whole).unwrap_or_default();
    let has = |name: &str| memchr::memmem::find(&json, name.as_bytes()).is_some();
    json.len() > 8 && (has("\"alg\"") || has("\"kid\"") || has("\"typ\""))
}

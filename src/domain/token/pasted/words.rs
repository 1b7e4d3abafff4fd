//! White space behind a token's beginning: a token that a terminal or a mail wrapped, or words behind a whole one.

use crate::domain::token::jwt;

/// Longer than any word, name or id that stands behind a token; a UUID has 36 characters.
const NO_WORD: usize = 48;

/// White space, and what a shell's line ends with that goes on.
fn is_break(c: char) -> bool {
    c.is_whitespace() || c == '\\'
}

/// A word that may be a part of a token.
struct Part<'a> {
    text: &'a str,
    /// Where it ends in the whole text.
    end: usize,
}

/// Whether a word is a token for itself.
fn is_token(word: &str) -> bool {
    word.matches('.').count() >= 2 && jwt::contains_token(word)
}

/// A token that a terminal or a mail wrapped. Words that are not parts of one are left as they are, and so are several
/// tokens.
pub(super) fn without_space(text: &str) -> Option<String> {
    let parts_of_a_token = text.bytes().all(|byte| {
        byte.is_ascii_alphanumeric() || b"-._~+/=\\".contains(&byte) || byte.is_ascii_whitespace()
    });
    let is_one = parts_of_a_token
        && text.contains('.')
        && text.split(is_break).filter(|word| is_token(word)).count() < 2;
    (text.contains(is_break) && is_one).then(|| text.replace(is_break, ""))
}

/// The token that the text begins with, as it is wrapped there, where words follow it.
pub(super) fn without_words(text: &str) -> Option<String> {
    if !text.starts_with("eyJ") || !text.contains(is_break) {
        return None;
    }
    let end = end_of_token(&parts(text))?;
    let (token, rest) = text.split_at_checked(end)?;
    // Of two tokens none is the one that was meant.
    (rest.contains(is_break) && !rest.split(is_break).any(is_token)).then(|| token.to_owned())
}

/// The words of the text as far as they may be parts of one token; a mark behind one ends it.
fn parts(text: &str) -> Vec<Part<'_>> {
    let is_digit = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let (mut parts, mut start) = (Vec::new(), 0);
    for piece in text.split_inclusive(is_break) {
        let word = piece.trim_end_matches(is_break);
        let part = word.trim_end_matches([',', ';', ':', '!', '?']);
        if !part.chars().all(is_digit) {
            break;
        }
        if !part.is_empty() {
            parts.push(Part { text: part, end: start + part.len() });
        }
        if part.len() < word.len() {
            break;
        }
        start += piece.len();
    }
    parts
}

/// Where a signed token that begins with these parts ends: after the longest signature that its algorithm makes, else
/// where lines of one width end.
fn end_of_token(parts: &[Part<'_>]) -> Option<usize> {
    let (mut joined, mut ends, mut dots) = (String::new(), Vec::new(), 0);
    for part in parts {
        let (count, mut text) = (part.text.matches('.').count(), part.text);
        if dots + count == 3 {
            // The full stop of a sentence.
            text = text.strip_suffix('.').unwrap_or(text);
        }
        dots += count;
        if dots > 3 || (dots == 3 && text.len() == part.text.len()) {
            break;
        }
        joined.push_str(text);
        ends.push((joined.len(), part.end - (part.text.len() - text.len())));
    }
    let lengths = signature_lengths(&jwt::header(&joined).ok()?.alg);
    let signature = joined.rfind('.')? + 1;
    let is_signature = |end: usize| end.checked_sub(signature).is_some_and(|len| lengths.contains(&len));
    let last = match ends.iter().rposition(|(end, _)| is_signature(*end)) {
        Some(last) => last,
        None => end_of_lines(parts, ends.iter().position(|(end, _)| *end > signature)?),
    };
    ends.get(last).or(ends.last()).map(|(_, end)| *end)
}

/// The last of the lines that a token was wrapped into, if it may end after `whole` or later: of those behind it each is
/// as long as no word is, or of the width that all lines have but the first, which may have stood behind something, and
/// the last.
fn end_of_lines(parts: &[Part<'_>], whole: usize) -> usize {
    let width = |at: usize| parts.get(at).map_or(0, |part| part.text.len());
    let is_line = |at: &usize| width(*at) >= NO_WORD || width(*at) == width(whole);
    let full = (whole + 1..parts.len()).take_while(is_line).last().unwrap_or(whole);
    let are_lines = full > 0 && width(0) <= width(full) && (1..full).all(|at| width(at) == width(full));
    if are_lines && (1..width(full)).contains(&width(full + 1)) { full + 1 } else { full }
}

/// How many characters a signature of this algorithm may have (RFC 7518, sections 3.2 to 3.5; RFC 8037, section 3.1); of
/// an RSA key with 2048, 3072 or 4096 bits.
fn signature_lengths(algorithm: &str) -> &'static [usize] {
    match algorithm {
        "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => &[342, 512, 683],
        "ES256" | "HS512" => &[86],
        "EdDSA" => &[86, 152],
        "ES384" => &[128],
        "ES512" => &[176],
        "HS256" => &[43],
        "HS384" => &[64],
        "none" => &[0],
        _ => &[],
    }
}

//! Handles white space after the start of a token: the token was wrapped by a terminal or a mail, or words follow it.

use crate::domain::token::jwt;

/// Longer than any word, name or id after a token; a UUID has 36 characters.
const NO_WORD: usize = 48;

/// White space, and the backslash by which a shell's line continues.
fn is_break(c: char) -> bool {
    c.is_whitespace() || c == '\\'
}

/// A word that may be a part of a token, and where it ends in the whole text.
type Part<'a> = (&'a str, usize);

/// Whether a word is a whole token.
fn is_token(word: &str) -> bool {
    word.matches('.').count() >= 2 && jwt::contains_token(word)
}

/// Joins a token that was wrapped. `None` if there are other words or several tokens.
pub(super) fn without_space(text: &str) -> Option<String> {
    let parts_of_a_token = text.bytes().all(|byte| {
        byte.is_ascii_alphanumeric() || b"-._~+/=\\".contains(&byte) || byte.is_ascii_whitespace()
    });
    let is_one = parts_of_a_token
        && text.contains('.')
        && text.split(is_break).filter(|word| is_token(word)).count() < 2;
    (text.contains(is_break) && is_one).then(|| text.replace(is_break, ""))
}

/// The token at the start of the text, still wrapped, if words follow it.
pub(super) fn without_words(text: &str) -> Option<String> {
    if !text.starts_with("eyJ") || !text.contains(is_break) {
        return None;
    }
    let end = end_of_token(&parts(text))?;
    let (token, rest) = text.split_at_checked(end)?;
    // With two tokens it is unclear which one was meant.
    (rest.contains(is_break) && !rest.split(is_break).any(is_token)).then(|| token.to_owned())
}

/// The first words of the text that may be parts of one token. A punctuation mark ends the token.
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
            parts.push((part, start + part.len()));
        }
        if part.len() < word.len() {
            break;
        }
        start += piece.len();
    }
    parts
}

/// Where a signed token with these parts ends: after the longest signature of its algorithm, else where lines of one width
/// end.
fn end_of_token(parts: &[Part<'_>]) -> Option<usize> {
    let (mut joined, mut ends, mut dots) = (String::new(), Vec::new(), 0);
    for (part, end) in parts {
        let (count, mut text) = (part.matches('.').count(), *part);
        if dots + count == 3 {
            // The full stop of a sentence, not of the token.
            text = text.strip_suffix('.').unwrap_or(text);
        }
        dots += count;
        if dots > 3 || (dots == 3 && text.len() == part.len()) {
            break;
        }
        joined.push_str(text);
        ends.push((joined.len(), end - (part.len() - text.len())));
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

/// The last of the lines that a token was wrapped into, if its first possible end is in line `whole`. A later line belongs to
/// it if it is longer than any word, or as wide as all lines but the first, which may have begun with something else. The
/// last line may be shorter.
fn end_of_lines(parts: &[Part<'_>], whole: usize) -> usize {
    let width = |at: usize| parts.get(at).map_or(0, |(part, _)| part.len());
    let is_line = |at: &usize| width(*at) >= NO_WORD || width(*at) == width(whole);
    let full = (whole + 1..parts.len()).take_while(is_line).last().unwrap_or(whole);
    let are_lines = full > 0 && width(0) <= width(full) && (1..full).all(|at| width(at) == width(full));
    if are_lines && (1..width(full)).contains(&width(full + 1)) { full + 1 } else { full }
}

/// How many characters a signature of this algorithm may have (RFC 7518, sections 3.2 to 3.5; RFC 8037, section 3.1). For RSA
/// these are keys with 2048, 3072 or 4096 bits.
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

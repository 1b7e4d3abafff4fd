//! Finds out where a token ends of which the signature may be wrapped, and words may follow.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::token::jwt::JwtError;

use super::decoded::{BREAK, after, tail};

/// Longer than any word, name or id after a token; a UUID has 36 characters.
const NO_WORD: usize = 48;

/// Longer lines are not wrapped, in bytes.
const MAX_LINE: usize = 1024;

/// A shorter word behind a token says nothing.
const MIN_LINE: usize = 8;

/// A shorter signature is an example's, most likely: few tokens are cut so near the beginning of their third part.
const MADE_UP: usize = 32;

/// The longest line of a wrapped text, in characters, with its line break (RFC 2045, section 6.8).
const LONGEST_LINE: usize = 78;

/// Within so many characters the rest of a token follows, after marks between its lines.
const MAX_MARK: usize = 64;

/// An uninterrupted piece of a token.
pub(super) struct Piece {
    /// The length of the token with it.
    pub(super) joined: usize,
    /// Where it ends in the text.
    pub(super) end: usize,
    pub(super) width: usize,
}

/// Where a token may end.
#[derive(Clone, Copy)]
pub(super) struct End {
    /// The length of the token.
    pub(super) length: usize,
    /// The place in the text.
    pub(super) at: usize,
    /// In which piece it is.
    pub(super) piece: usize,
}

/// The signature of a token, and what follows it.
pub(super) struct Signature<'a> {
    /// How long it may be; empty if its algorithm is not known.
    lengths: &'static [usize],
    may_be_empty: bool,
    /// The token and what follows it.
    joined: &'a str,
    /// Where the signature begins in `joined`.
    start: usize,
    pieces: &'a [Piece],
    text: &'a str,
    /// Where the token begins in the text.
    token: usize,
}

impl<'a> Signature<'a> {
    pub(super) fn new(
        algorithm: &str,
        joined: &'a str,
        start: usize,
        pieces: &'a [Piece],
        text: &'a str,
        token: usize,
    ) -> Self {
        let may_be_empty = algorithm.trim().eq_ignore_ascii_case("none");
        Self { lengths: lengths(algorithm), may_be_empty, joined, start, pieces, text, token }
    }

    /// Where the token ends. There are several if that is not clear.
    pub(super) fn ends(&self) -> Result<Vec<End>, JwtError> {
        let ends = self.ends_of_pieces();
        let mut known: Option<End> = None;
        for end in ends.iter().filter_map(|end| self.of_known_length(*end)) {
            let before = known.or(ends.first().copied()).map_or(0, |end| end.piece);
            // A line may break after what would be a shorter key's signature; words may follow it, too.
            if known.is_none_or(|known| known.piece < end.piece) && self.are_lines(before, end.piece) {
                known = Some(end);
            }
        }
        if let Some(end) = known.or_else(|| self.before_emphasis(*ends.first()?)) {
            return Ok(vec![end]);
        }
        // Only the dot of a token that was cut, or wrapped there.
        let begun = ends.iter().take_while(|end| end.length == self.start && !self.may_be_empty).count();
        let mut possible = self.last_lines(ends.get(begun..).unwrap_or_default());
        if possible.is_empty() || possible.iter().any(|end| self.goes_on(*end)) {
            return Err(JwtError::TooFewParts(2));
        }
        if possible.iter().any(|end| self.is_before_a_part(*end)) {
            return Err(JwtError::TooManyParts(self.joined.matches('.').count() + 1));
        }
        // What is longer than a signature of its algorithm has something behind it, most likely.
        let shorter: Vec<End> = possible.iter().filter_map(|end| self.shortened(*end)).collect();
        possible.retain(|end| !self.is_padded(*end) && URL_SAFE_NO_PAD.decode(self.until(*end)).is_ok());
        if possible.iter().any(|end| self.is_cut(*end)) {
            return Err(JwtError::TooFewParts(2));
        }
        possible.splice(0..0, shorter);
        match possible.first() {
            None => Err(JwtError::Encoding("signature")),
            Some(end) if begun > 0 && is_word(self.until(*end)) => Err(JwtError::TooFewParts(2)),
            Some(_) => Ok(possible),
        }
    }

    /// The signature if it ends there.
    fn until(&self, end: End) -> &'a str {
        self.joined.get(self.start..end.length).unwrap_or_default()
    }

    fn piece(&self, piece: &Piece) -> &'a str {
        self.joined.get(piece.joined - piece.width..piece.joined).unwrap_or_default()
    }

    /// The ends of all pieces that belong to the signature or follow it, up to a third dot.
    fn ends_of_pieces(&self) -> Vec<End> {
        let dot = after(self.joined, self.start).find('.').map_or(self.joined.len(), |dot| self.start + dot);
        let pieces = self.pieces.iter().enumerate().filter(|(_, piece)| piece.joined >= self.start);
        let is_behind = |begin: usize| begin > dot || begin == dot && dot > self.start;
        let pieces = pieces.take_while(|(_, piece)| !is_behind(piece.joined - piece.width));
        let end = |(at, piece): (usize, &Piece)| {
            let length = piece.joined.min(dot);
            End { length, at: piece.end - (piece.joined - length), piece: at }
        };
        pieces.map(end).collect()
    }

    /// The end of a signature with one of the lengths of its algorithm, in this piece. Marks of Markdown or of a comment may
    /// follow, which may be a part of a signature, too.
    fn of_known_length(&self, end: End) -> Option<End> {
        let signature = self.until(end);
        let begin = self.pieces.get(end.piece).map_or(0, |piece| piece.joined - piece.width);
        let least = signature.trim_end_matches(['_', '-']).len().max((begin + 1).saturating_sub(self.start));
        let is_possible = |length: &&usize| (least.min(signature.len())..=signature.len()).contains(*length);
        let excess = signature.len() - self.lengths.iter().rev().find(is_possible)?;
        Some(End { length: end.length - excess, at: end.at - excess, ..end })
    }

    /// Whether what is between these pieces are lines of a token, and not words.
    fn are_lines(&self, from: usize, to: usize) -> bool {
        let between = self.pieces.get(from + 1..to).unwrap_or_default();
        let words = between.iter().filter(|piece| piece.width > 2 && is_word(self.piece(piece))).count();
        words * 2 <= between.len()
    }

    /// Whether a signature that is shorter than any of its algorithm is followed by what shows that the rest is missing, or by
    /// what may be the rest.
    fn is_cut(&self, end: End) -> bool {
        let is_short = self.lengths.first().is_some_and(|least| self.until(end).len() < *least);
        let rest = after(self.text, end.at);
        let before = self.text.get(..self.token).unwrap_or_default();
        let mut next = rest.chars();
        let closes = match next.next() {
            None => true,
            Some('<') => next.next() == Some('/'),
            Some('>') => before.ends_with('<'),
            Some(mark @ ('*' | '~' | '_')) => before.ends_with(mark),
            Some(c) => {
                "\"'`,;)]}|&\\%=".contains(c)
                    || self.until(end).len() < MADE_UP
                    || rest.trim_start_matches(['.', '!', '?']).trim().is_empty()
            }
        };
        let shown = rest.trim_start_matches(|c: char| c.is_whitespace() || "\"'`[(<+&".contains(c));
        let marks = ["..", "\u{2026}", "hellip", "#8230", "truncated", "redacted", "cut"];
        let is_marked = marks.iter().any(|mark| shown.starts_with(mark));
        let is_rest = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let behind: String = rest.chars().take(MAX_MARK).collect();
        let mut words = behind.split(|c| !is_rest(c));
        let continues =
            words.any(|word| word.len() >= MIN_LINE && !word.starts_with("eyJ") && is_mixed(word));
        is_short && (!closes || is_marked || continues)
    }

    /// The end after a signature of a known length, if more follows without a gap.
    fn shortened(&self, end: End) -> Option<End> {
        let length = self.until(end).len();
        let excess = length - self.lengths.iter().rev().find(|known| (1..length).contains(*known))?;
        let width = self.pieces.get(end.piece).map_or(0, |piece| piece.width);
        (excess < width).then(|| End { length: end.length - excess, at: end.at - excess, ..end })
    }

    /// The end before Markdown's emphasis, where it is around the token.
    fn before_emphasis(&self, end: End) -> Option<End> {
        let before = self.text.get(..self.token)?;
        let marks = after(before, before.trim_end_matches('_').len());
        let is_around = !marks.is_empty() && self.until(end).ends_with(marks);
        is_around.then(|| End { length: end.length - marks.len(), at: end.at - marks.len(), ..end })
    }

    /// Where the last line ends into which a token was wrapped. A full line is followed by another one, which belongs to the
    /// token, too, and so does one that is longer than any word. If it may be a word nevertheless, both ends are possible.
    fn last_lines(&self, ends: &[End]) -> Vec<End> {
        let width = |at: usize| self.pieces.get(at).map_or(0, |piece| piece.width);
        // The first line may begin with something else.
        let before = tail(self.text.get(..self.token).unwrap_or_default(), MAX_LINE);
        let before = before.rsplit(['\n', BREAK]).next().unwrap_or_default();
        let first_line = before.len() + width(0);
        let first = ends.first().map_or(0, |end| end.piece);
        let mut is_even = (1..first).all(|at| width(at) == width(1));
        let mut possible = Vec::new();
        for (index, end) in ends.iter().enumerate() {
            let (at, here) = (end.piece, width(end.piece));
            is_even &= at == 0 || here == width(1);
            let is_full = is_even && (at > 1 || at == 1 && [width(0), first_line].contains(&here));
            let next = self.pieces.get(at + 1).filter(|_| index + 1 < ends.len());
            let is_next = |it: &&Piece| is_full || it.width >= NO_WORD || at < 2 && it.width == here;
            let Some(next) = next.filter(is_next) else {
                possible.push(*end);
                break;
            };
            let is_clear = if is_full { !is_word(self.piece(next)) } else { next.width == here };
            if !is_clear {
                possible.push(*end);
            }
        }
        possible
    }

    /// Whether the token was cut there, or the rest of it is encoded in some way.
    fn goes_on(&self, end: End) -> bool {
        let rest = after(self.text, end.at);
        let next = self.pieces.iter().find(|piece| piece.end - piece.width >= end.at);
        let seems_more = next.is_some_and(|piece| is_random(self.piece(piece)));
        rest.starts_with("..")
            || rest.starts_with(['\u{2026}', '\u{2013}', '%'])
            || !self.lengths.is_empty() && seems_more
    }

    /// Whether padding follows, which no token has, and not a line break of quoted-printable.
    fn is_padded(&self, end: End) -> bool {
        let rest = after(self.text, end.at);
        rest.starts_with('=') && !after(rest, 1).starts_with(['\r', '\n'])
    }

    /// Whether a fourth part follows, and not the end of a sentence.
    fn is_before_a_part(&self, end: End) -> bool {
        let is_sentence = self.pieces.iter().any(|piece| piece.joined == end.length + 1);
        after(self.joined, end.length).starts_with('.') && !is_sentence
    }
}

/// Whether a signature of this length is not a little longer than one of its algorithm, to which something was glued, or a little
/// shorter, as when its last line is missing. A very short one is made up.
pub(super) fn is_plausible(algorithm: &str, length: usize) -> bool {
    let lengths = lengths(algorithm);
    let is_glued = |known: usize| length > known && length < known + NO_WORD;
    let is_cut = |known: usize| length < known && length + LONGEST_LINE > known && length > MADE_UP;
    lengths.contains(&length) || !lengths.iter().any(|known| is_glued(*known) || is_cut(*known))
}

/// Whether it may be a word of a text: letters, of which only the first may be a capital.
pub(super) fn is_word(text: &str) -> bool {
    text.len() < NO_WORD && !text.is_empty() && text.bytes().skip(1).all(|byte| byte.is_ascii_lowercase())
}

/// Whether it is more likely a part of a token than a word, a name or an id.
fn is_random(text: &str) -> bool {
    text.len() >= 16 && is_mixed(text)
}

/// Whether it has digits, capitals and small letters.
fn is_mixed(text: &str) -> bool {
    let has = |is: fn(&u8) -> bool| text.as_bytes().iter().any(is);
    has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase)
}

/// How many characters a signature of this algorithm may have (RFC 7518, sections 3.2 to 3.5; RFC 8037, section 3.1). For RSA
/// these are keys with 2048, 3072, 4096 or 8192 bits.
fn lengths(algorithm: &str) -> &'static [usize] {
    match algorithm {
        "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => &[342, 512, 683, 1366],
        "ES256" | "ES256K" | "HS512" | "Ed25519" => &[86],
        "EdDSA" => &[86, 152],
        "ES384" => &[128],
        "ES512" => &[176],
        "HS256" => &[43],
        "HS384" => &[64],
        "Ed448" => &[152],
        "none" => &[0],
        _ => &[],
    }
}

//! Finds and decodes the base64 in a text: a Kubernetes secret, a mail's body, a header of Basic authentication.

use base64::Engine as _;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::decoded::{BREAK, after};
use super::end::is_word;
use super::scan::{Token, gap};

/// Shorter base64 holds no token.
const MIN_LENGTH: usize = 60;

/// A line of base64 has at least this many characters where it is wrapped.
const MIN_LINE: usize = 20;

/// How much of the decoded bytes tells whether they are text.
const BEGINNING: usize = 48;

/// The decoded texts outside of `tokens`, and where each begins. What touches a dot may be a part of a token.
pub(super) fn texts<'a>(
    text: &'a str,
    tokens: &'a [Token],
) -> impl Iterator<Item = (usize, Zeroizing<String>)> + 'a {
    let mut at = 0;
    let runs = std::iter::from_fn(move || {
        at += after(text, at).bytes().position(is_digit)?;
        let next = tokens.partition_point(|token| token.end <= at);
        let start = at;
        if let Some(token) = tokens.get(next).filter(|token| token.start <= at) {
            at = token.end;
            return Some((start, Vec::new()));
        }
        let (runs, end) = runs(text, start);
        at = end;
        let touches_a_dot =
            text.get(..start).is_some_and(|it| it.ends_with('.')) || after(text, end).starts_with('.');
        Some((start, if touches_a_dot { Vec::new() } else { runs }))
    });
    runs.flat_map(|(start, runs)| runs.into_iter().filter_map(move |run| Some((start, decode(&run)?))))
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte)
}

/// How many digits a text begins with.
fn width(text: &str) -> usize {
    text.bytes().take_while(|byte| is_digit(*byte)).count()
}

/// The base64 that begins here, perhaps in several lines, and where it ends. Two if the last line may be a word behind it; none if
/// it does not end where lines of base64 end.
fn runs(text: &str, start: usize) -> (Vec<String>, usize) {
    let (mut run, mut at) = (String::new(), start);
    loop {
        let line = text.get(at..at + width(after(text, at))).unwrap_or_default();
        run.push_str(line);
        at += line.len();
        // A plus sign may be a digit of the next line.
        let between = text.get(at..at + gap(after(text, at))).unwrap_or_default().trim_end_matches('+');
        let breaks = between.contains(['\n', BREAK]);
        let rest = after(text, at + between.len());
        let (next, behind) = rest.split_at_checked(width(rest)).unwrap_or_default();
        let is_padded = behind.trim_start_matches('=').len() < behind.len();
        let is_label = behind.starts_with(':')
            || is_padded && behind.trim_start_matches('=').starts_with(char::is_alphanumeric);
        if !breaks || next.is_empty() || is_label || run.len() < MIN_LINE {
            return (vec![run], at);
        }
        if is_word(next) && !is_padded {
            let more = after(behind, gap(behind));
            let more = more.get(..width(more)).unwrap_or_default();
            let is_last = more.is_empty() || is_word(more);
            return (if is_last { vec![[&run, next].concat(), run] } else { Vec::new() }, at);
        }
        if line.len() < MIN_LINE {
            return (Vec::new(), at);
        }
        at += between.len();
    }
}

/// The text that is encoded, if it is one.
fn decode(digits: &str) -> Option<Zeroizing<String>> {
    if digits.len() < MIN_LENGTH {
        return None;
    }
    let alphabet: &Alphabet = if digits.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    // The last characters may be a word behind it.
    let whole = digits.get(..digits.len() - usize::from(digits.len() % 4 == 1))?;
    let bytes = Zeroizing::new(GeneralPurpose::new(alphabet, config).decode(whole).ok()?);
    let is_text = |byte: &u8| byte.is_ascii_graphic() || b" \t\r\n\0\x1b".contains(byte) || *byte >= 0x80;
    let beginning =
        bytes.get(..BEGINNING.min(bytes.len())).filter(|beginning| beginning.iter().all(is_text))?;
    let is_utf8 = std::str::from_utf8(beginning).map_or_else(|error| error.error_len().is_none(), |_| true);
    (is_utf8 || beginning.starts_with(b"\xff\xfe"))
        .then(|| Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()))
}

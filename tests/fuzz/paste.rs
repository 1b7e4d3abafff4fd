//! From any pasted text, the token is no longer than the text, and lines are the same however the bytes are split.

#![no_main]

use corti_auth_fuzz::domain::text::lines::{Line, Lines};
use corti_auth_fuzz::domain::token::pasted;
use libfuzzer_sys::fuzz_target;

/// The longest accepted line, in bytes.
const LIMIT: usize = 16;

fn cut(chunks: &mut dyn Iterator<Item = &[u8]>) -> Vec<Option<Vec<u8>>> {
    let owned = |line: Line<'_>| match line {
        Line::Bytes(bytes) => {
            assert!(bytes.len() <= LIMIT);
            Some(bytes.to_vec())
        }
        Line::TooLong => None,
    };
    let (mut lines, mut all) = (Lines::new(LIMIT), Vec::new());
    for mut chunk in chunks {
        while let Some(line) = lines.next(&mut chunk) {
            all.push(owned(line));
        }
    }
    all.extend(lines.last().map(owned));
    all
}

fuzz_target!(|data: &[u8]| {
    let size = usize::from(data.first().copied().unwrap_or_default()) + 1;
    assert_eq!(cut(&mut data.chunks(size)), cut(&mut std::iter::once(data)));
    let so_far = pasted::has_token_per_line(data, false);
    assert!(so_far.is_none() || so_far == pasted::has_token_per_line(data, true));
    let Ok(text) = std::str::from_utf8(data) else { return };
    let pasted = pasted::clean(text);
    assert!(pasted.token.len() <= text.len());
    assert_eq!(pasted.cleaned.is_empty(), pasted.token == text.trim());
    assert!(pasted.cleaned.windows(2).all(|pair| pair[0] < pair[1]));
});

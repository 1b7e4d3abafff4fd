//! How much of a server's text is repeated.

use std::borrow::Cow;

/// In characters: a reason fits, a page does not.
const MAX_QUOTED: usize = 500;

/// Marks the end of a text that was cut. A secret that is cut is known by it: see [`super::redactor`].
pub const CUT: &str = "…";

/// The beginning of a server's text, with a mark where there is more.
pub fn quoted(text: &str) -> Cow<'_, str> {
    at_most(MAX_QUOTED, text)
}

/// The first so many characters of a text, with a mark where there are more.
pub fn at_most(count: usize, text: &str) -> Cow<'_, str> {
    let cut = text.char_indices().nth(count).and_then(|(end, _)| text.get(..end));
    cut.map_or(Cow::Borrowed(text), |beginning| format!("{beginning}{CUT}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let whole = "é".repeat(MAX_QUOTED);
        assert_eq!(quoted(&whole), whole);
        assert_eq!(quoted(&format!("{whole}x")), format!("{whole}…"));
    }
}

//! Cuts a server's long text.

use std::borrow::Cow;

/// In characters: enough for a reason, too short for a page.
const MAX_QUOTED: usize = 500;

/// The mark at the end of a cut text. [`super::redactor`] finds a secret that was cut by it.
pub const CUT: &str = "…";

/// The beginning of a server's text, with a mark if it was cut.
pub fn quoted(text: &str) -> Cow<'_, str> {
    at_most(MAX_QUOTED, text)
}

/// The first `count` characters of a text, with a mark if it was cut.
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

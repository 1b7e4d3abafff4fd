//! How much of a server's text is repeated. It is cut where it is shown, after a secret in it was blotted out: half a secret
//! would not be found.

use std::borrow::Cow;

/// In characters: a reason fits, a page does not.
const MAX_QUOTED: usize = 500;

/// The beginning of a server's text, with a mark where there is more.
pub fn quoted(text: &str) -> Cow<'_, str> {
    let cut = text.char_indices().nth(MAX_QUOTED).and_then(|(end, _)| text.get(..end));
    cut.map_or(Cow::Borrowed(text), |beginning| format!("{beginning}…").into())
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

//! Lays a page out as text: values aligned, tones as colours, secrets redacted, everything printable.

use crate::domain::text::page::{Line, Page, Tone, printable};
use crate::domain::text::redactor::Redactor;

/// `text` without secrets and control characters.
pub(super) fn shown(text: &str, redactor: &Redactor) -> String {
    printable(&redactor.apply(text)).into_owned()
}

/// Lays a page out. The values of neighbouring fields are aligned.
pub(super) fn layout(page: &Page, colour: bool, redactor: &Redactor) -> String {
    let shown = |text: &String| shown(text, redactor);
    let is_field = |line: &Line| matches!(line, Line::Field(..));
    let mut out = Vec::new();
    for block in page.lines.chunk_by(|one, next| is_field(one) && is_field(next)) {
        let labels = block.iter().map(|line| match line {
            Line::Field(label, ..) => label.chars().count(),
            Line::Text(..) | Line::Row(_) => 0,
        });
        let width = labels.max().unwrap_or_default();
        out.extend(block.iter().map(|line| match line {
            Line::Text(tone, text) => paint(&shown(text), *tone, colour),
            Line::Row(cells) => cells.iter().map(shown).collect::<Vec<_>>().join("\t"),
            Line::Field(label, tone, value) => {
                format!("{:width$}  {}", shown(label), paint(&shown(value), *tone, colour))
            }
        }));
    }
    out.join("\n")
}

pub(super) fn paint(text: &str, tone: Tone, colour: bool) -> String {
    let code = match tone {
        _ if !colour => return text.to_owned(),
        Tone::Plain => return text.to_owned(),
        Tone::Strong => "1",
        Tone::Good => "32",
        Tone::Caution => "33",
        Tone::Bad => "1;31",
        Tone::Dim => "2",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_aligned_by_block() {
        let page = Page::new().line("head").field("a", "1").field("long", "2").line("").field("b", "3");
        assert_eq!(layout(&page, false, &Redactor::default()), "head\na     1\nlong  2\n\nb  3");
    }

    #[test]
    fn a_cell_cannot_make_another() {
        let page = Page::new().row(vec!["a".into(), "x\ty\nz".into(), String::new()]);
        assert_eq!(layout(&page, true, &Redactor::default()), "a\tx\\u{9}y\\u{a}z\t");
    }

    #[test]
    fn colours_surround_printable_text_only() {
        let page = Page::new().toned_field("a", Tone::Bad, "x\u{1b}[2J");
        assert_eq!(layout(&page, true, &Redactor::default()), "a  \u{1b}[1;31mx\\u{1b}[2J\u{1b}[0m");
    }
}

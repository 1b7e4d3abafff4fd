//! Lays a page out as text: values aligned, tones as colours, secrets redacted, everything printable, wrapped on a terminal.

use unicode_width::UnicodeWidthStr as _;

use crate::domain::text::page::{Column, Line, Page, Tone, printable};
use crate::domain::text::redactor::Redactor;

use super::Look;

/// The width of a check's mark.
const MARK: usize = 7;

/// Between columns.
const GAP: usize = 2;

/// However narrow the terminal is, wrapped text has this many columns.
const LEAST: usize = 16;

/// The beginnings of commands in hints. A command stays on one line, so that it can be copied.
const COMMANDS: [&str; 19] = [
    "$env:",
    "${EDITOR:-vi} ",
    "Get-",
    "Remove-Item ",
    "Rename-Item ",
    "chmod ",
    "command -v ",
    "corti-auth ",
    "curl ",
    "dbus-run-session ",
    "export ",
    "icacls ",
    "ls -",
    "printenv ",
    "rm ",
    "sed -",
    "sudo ",
    "systemd-ask-password ",
    "unset ",
];

/// `text` without secrets and control characters.
pub(super) fn shown(text: &str, redactor: &Redactor) -> String {
    printable(&redactor.apply(text)).into_owned()
}

/// Lays a page out. The values of neighbouring fields and checks are aligned.
pub(super) fn layout(page: &Page, look: Look, redactor: &Redactor) -> String {
    let shown = |text: &String| shown(text, redactor);
    let mut out = Vec::new();
    for block in page.lines.chunk_by(|one, next| label(one).is_some() && label(next).is_some()) {
        let widths = block.iter().filter_map(label).map(|label| shown(label).width());
        let width = widths.max().unwrap_or_default();
        out.extend(block.iter().map(|line| match line {
            Line::Text(tone, text) => {
                let text = shown(text);
                // Spaces, or a number in a list: the text goes on below what comes after it.
                let rest = text.trim_start_matches(' ');
                let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
                let rest = digits.strip_prefix(". ").filter(|_| digits != text).unwrap_or(rest);
                let head = text.strip_suffix(rest).unwrap_or_default();
                paint(head, *tone, look.colour) + &wrapped(rest, *tone, head.len(), look)
            }
            Line::Field(label, tone, value) => {
                padded(&shown(label), width + GAP) + &wrapped(&shown(value), *tone, width + GAP, look)
            }
            Line::Check(tone, mark, name, fact) => {
                let mark = paint(mark, *tone, look.colour) + &" ".repeat(MARK.saturating_sub(mark.len()));
                let tone = if *tone == Tone::Dim { Tone::Dim } else { Tone::Plain };
                let fact = wrapped(&shown(fact), tone, MARK + GAP + width + GAP, look);
                format!("{mark}  {}{fact}", padded(&shown(name), width + GAP))
            }
            Line::Row(cells) => cells.iter().map(shown).collect::<Vec<_>>().join("\t"),
            Line::Headings(columns) => {
                let headings: Vec<String> = columns.iter().map(|column| column.heading.to_owned()).collect();
                paint(&row(columns, &headings, look), Tone::Strong, look.colour)
            }
            Line::Cells(columns, cells) => row(columns, &cells.iter().map(shown).collect::<Vec<_>>(), look),
        }));
    }
    out.join("\n")
}

/// The label of a field, or the name of a check: what comes after it is aligned.
fn label(line: &Line) -> Option<&String> {
    match line {
        Line::Field(label, ..) | Line::Check(_, _, label, _) => Some(label),
        _ => None,
    }
}

fn padded(text: &str, width: usize) -> String {
    text.to_owned() + &" ".repeat(width.saturating_sub(text.width()))
}

/// A row of a table, as wide as the terminal at most.
fn row(columns: &[Column], cells: &[String], look: Look) -> String {
    let widths = fitted(columns, look.columns.unwrap_or(usize::MAX));
    let cells = cells.iter().zip(widths).map(|(cell, width)| padded(&shortened(cell, width), width));
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// The widths of the first column and of as many others as have room. What is left goes to the first ones that want more.
fn fitted(columns: &[Column], room: usize) -> Vec<usize> {
    let mut left = room;
    let mut widths = Vec::new();
    for column in columns {
        let needed = if widths.is_empty() { column.least } else { column.least + GAP };
        if needed > left && !widths.is_empty() {
            break;
        }
        left = left.saturating_sub(needed);
        widths.push(column.least);
    }
    for (width, column) in widths.iter_mut().zip(columns) {
        let more = left.min(column.width - column.least);
        *width += more;
        left -= more;
    }
    widths
}

/// `text`, or its start and `…`.
fn shortened(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut start = String::new();
    for c in text.chars() {
        start.push(c);
        if start.width() >= width {
            start.pop();
            break;
        }
    }
    start + "…"
}

/// `text` in a tone. On a terminal it wraps between words, and goes on below its start, after `indent` columns.
pub(super) fn wrapped(text: &str, tone: Tone, indent: usize, look: Look) -> String {
    let room = look.columns.unwrap_or(usize::MAX).saturating_sub(indent).max(LEAST);
    let mut lines: Vec<String> = Vec::new();
    let (words, command) = before_command(text);
    for word in words.into_iter().flat_map(|words| words.split(' ')).chain(command) {
        match lines.last_mut() {
            Some(line) if line.is_empty() || line.width() + 1 + word.width() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            // A line neither starts nor ends with the second of two spaces.
            Some(_) if word.is_empty() => {}
            Some(line) => {
                line.truncate(line.trim_end().len());
                lines.push(word.to_owned());
            }
            None => lines.push(word.to_owned()),
        }
    }
    let lines = lines.iter().map(|line| paint(line, tone, look.colour));
    lines.collect::<Vec<_>>().join(&format!("\n{}", " ".repeat(indent)))
}

/// Splits off the command that a text ends with: at its start, or after a colon.
fn before_command(text: &str) -> (Option<&str>, Option<&str>) {
    let is_command = |text: &str| COMMANDS.iter().any(|start| text.starts_with(start));
    if is_command(text) {
        return (None, Some(text));
    }
    let splits = text.match_indices(": ").filter_map(|(at, _)| text.split_at_checked(at + 1));
    let mut splits = splits.map(|(words, rest)| (Some(words), Some(rest.trim_start())));
    splits.find(|(_, rest)| rest.is_some_and(is_command)).unwrap_or((Some(text), None))
}

pub(super) fn paint(text: &str, tone: Tone, colour: bool) -> String {
    let code = match tone {
        _ if !colour || text.is_empty() => return text.to_owned(),
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

    fn plain(columns: Option<usize>) -> Look {
        Look { colour: false, columns }
    }

    #[test]
    fn fields_are_aligned_by_block() {
        let page = Page::new().line("head").field("a", "1").field("long", "2").line("").field("b", "3");
        assert_eq!(layout(&page, plain(None), &Redactor::default()), "head\na     1\nlong  2\n\nb  3");
    }

    #[test]
    fn a_cell_cannot_make_another() {
        let page = Page::new().row(vec!["a".into(), "x\ty\nz".into(), String::new()]);
        assert_eq!(layout(&page, plain(Some(3)), &Redactor::default()), "a\tx\\u{9}y\\u{a}z\t");
    }

    #[test]
    fn colours_surround_printable_text_only() {
        let page = Page::new().toned_field("a", Tone::Bad, "x\u{1b}[2J");
        let look = Look { colour: true, columns: None };
        assert_eq!(layout(&page, look, &Redactor::default()), "a  \u{1b}[1;31mx\\u{1b}[2J\u{1b}[0m");
    }

    #[test]
    fn text_wraps_below_its_start_and_never_in_a_word() {
        let table = [
            ("one two three four", "one two three\n  four"),
            ("Grüße, 世界世界世界 end", "Grüße,\n  世界世界世界 end"),
            ("a https://example.com/a/long/path b", "a\n  https://example.com/a/long/path\n  b"),
            ("columns    that are padded", "columns    that\n  are padded"),
            ("twelve chars    padded", "twelve chars\n  padded"),
            ("say it again: corti-auth token full", "say it again:\n  corti-auth token full"),
            ("corti-auth token transcribe", "corti-auth token transcribe"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(wrapped(text, Tone::Plain, 2, plain(Some(18))), expected);
            assert_eq!(wrapped(text, Tone::Plain, 2, plain(None)), text);
        }
        // Each line has its own colour.
        let look = Look { colour: true, columns: Some(18) };
        let lines = wrapped("one two three four", Tone::Good, 2, look);
        assert_eq!(lines, "\u{1b}[32mone two three\u{1b}[0m\n  \u{1b}[32mfour\u{1b}[0m");
    }

    #[test]
    fn an_indented_or_numbered_line_keeps_its_indent() {
        let page = Page::new()
            .line("  some more words here")
            .line("12. some more words here")
            .line("1.5 s, and more words");
        let text = layout(&page, plain(Some(20)), &Redactor::default());
        assert_eq!(text, "  some more words\n  here\n12. some more words\n    here\n1.5 s, and more\nwords");
    }

    #[test]
    fn a_table_shortens_texts_and_drops_the_last_columns() {
        let columns = [Column::whole("ID", 4), Column::text("TITLE", 12, 6), Column::text("KIND", 8, 6)];
        let cells = ["1234", "世界世界世界世", "abc"].map(str::to_owned).to_vec();
        let page = Page::new().headings(&columns).cells(&columns, cells);
        let at = |columns| layout(&page, plain(columns), &Redactor::default());
        assert_eq!(at(None), "ID    TITLE         KIND\n1234  世界世界世…   abc");
        assert_eq!(at(Some(28)), at(None));
        assert_eq!(at(Some(20)), "ID    TITLE   KIND\n1234  世界…   abc");
        assert_eq!(at(Some(19)), "ID    TITLE\n1234  世界世界世…");
        assert_eq!(at(Some(3)), "ID\n1234");
    }
}

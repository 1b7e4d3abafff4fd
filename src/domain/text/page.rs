//! Text for a person: lines with a tone, and labelled fields. `output.rs` adds alignment and colours.

use std::borrow::Cow;

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup};
use icu_properties::{CodePointMapData, CodePointSetData};

/// The meaning of a text, which `output.rs` may show by a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Ordinary text.
    Plain,
    /// The most important.
    Strong,
    /// Fine.
    Good,
    /// A warning.
    Caution,
    /// Wrong.
    Bad,
    /// Secondary.
    Dim,
}

/// One line.
#[derive(Clone, Debug)]
pub enum Line {
    /// A line of text.
    Text(Tone, String),
    /// `label  value`, the values of neighbouring fields aligned.
    Field(String, Tone, String),
    /// A check: its mark in a tone, its name, and a short fact. The facts of neighbouring checks are aligned.
    Check(Tone, &'static str, String, String),
    /// Cells, separated by tabs, for another program.
    Row(Vec<String>),
    /// The headings of a table, for a person.
    Headings(Vec<Column>),
    /// A row of such a table.
    Cells(Vec<Column>, Vec<String>),
}

/// A column of a table. A narrow terminal shows it narrower, or not at all if even `least` does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its heading.
    pub heading: &'static str,
    /// The width that its cells want.
    pub width: usize,
    /// The least width, at which longer cells are shortened.
    pub least: usize,
}

impl Column {
    /// A column that is never shortened, such as one of ids.
    pub const fn whole(heading: &'static str, width: usize) -> Self {
        Self { heading, width, least: width }
    }

    /// A column of texts.
    pub const fn text(heading: &'static str, width: usize, least: usize) -> Self {
        Self { heading, width, least }
    }
}

/// Lines for a person.
#[must_use]
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The lines.
    pub lines: Vec<Line>,
}

impl Page {
    /// An empty page.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a plain line.
    pub fn line(self, text: impl Into<String>) -> Self {
        self.toned(Tone::Plain, text)
    }

    /// Adds a line in a tone.
    pub fn toned(mut self, tone: Tone, text: impl Into<String>) -> Self {
        self.lines.push(Line::Text(tone, text.into()));
        self
    }

    /// Adds a row of cells for another program.
    pub fn row(mut self, cells: Vec<String>) -> Self {
        self.lines.push(Line::Row(cells));
        self
    }

    /// Adds a check.
    pub fn check(
        mut self,
        tone: Tone,
        mark: &'static str,
        name: impl Into<String>,
        fact: impl Into<String>,
    ) -> Self {
        self.lines.push(Line::Check(tone, mark, name.into(), fact.into()));
        self
    }

    /// Adds the headings of a table for a person.
    pub fn headings(mut self, columns: &[Column]) -> Self {
        self.lines.push(Line::Headings(columns.to_vec()));
        self
    }

    /// Adds a row of that table.
    pub fn cells(mut self, columns: &[Column], cells: Vec<String>) -> Self {
        self.lines.push(Line::Cells(columns.to_vec(), cells));
        self
    }

    /// Adds `label  value`.
    pub fn field(self, label: impl Into<String>, value: impl Into<String>) -> Self {
        self.toned_field(label, Tone::Plain, value)
    }

    /// Adds `label  value` with the value in a tone.
    pub fn toned_field(mut self, label: impl Into<String>, tone: Tone, value: impl Into<String>) -> Self {
        self.lines.push(Line::Field(label.into(), tone, value.into()));
        self
    }

    /// Adds `label  value` where there is a value.
    pub fn optional(self, label: impl Into<String>, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.field(label, value),
            None => self,
        }
    }

    /// Adds the lines of another page.
    pub fn join(mut self, other: Self) -> Self {
        self.lines.extend(other.lines);
        self
    }
}

/// `text` with control and format characters written as `\u{…}`: a server's words must not control the terminal, reorder a
/// line or hide in it.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(escaped(text, |c| format!("\\u{{{:x}}}", u32::from(c))))
}

/// `value` on one line, with the same characters escaped the way JSON does it.
pub fn printable_json(value: &serde_json::Value) -> String {
    printable_json_lines(value.to_string())
}

/// Lines of JSON, with the same characters escaped the way JSON does it. Between the lines are line breaks.
pub fn printable_json_lines(text: String) -> String {
    // The usual case. Without an early exit the compiler checks many bytes at once.
    let is_plain = |byte: u8| (b' '..0x7f).contains(&byte) || byte == b'\n';
    if text.bytes().fold(true, |all, byte| all & is_plain(byte)) {
        return text;
    }
    // Apart from line breaks they occur only within strings, where JSON has this escape.
    escaped(&text, |c| match c {
        '\n' => c.into(),
        _ => c
            .encode_utf16(&mut [0; 2])
            .iter()
            .fold(String::new(), |all, unit| all + &format!("\\u{unit:04x}")),
    })
}

fn escaped(text: &str, escape: impl Fn(char) -> String) -> String {
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) {
            safe.push_str(&escape(c));
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Whether Unicode says that `c` is not visible as itself: control and format characters (with the bidirectional ones),
/// private use and unassigned characters, line and paragraph separators, and those that displays may ignore, such as
/// variation selectors and fillers.
pub fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    GeneralCategoryGroup::Other.contains(category)
        || matches!(category, GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator)
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_json() {
        let value = serde_json::json!({ "a\u{9b}": "x\u{202e}\u{1b}\u{7f}🙂\u{e0001}" });
        let text = printable_json(&value);
        assert_eq!(text, r#"{"a\u009b":"x\u202e\u001b\u007f🙂\udb40\udc01"}"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn what_steers_a_terminal_is_written_out() {
        assert_eq!(printable("Grüße 🙂"), "Grüße 🙂");
        assert_eq!(printable("a\u{1b}[2J\r\nb"), "a\\u{1b}[2J\\u{d}\\u{a}b");
        assert_eq!(printable("\u{9b}31m\u{202e}\u{2067}\u{7f}"), "\\u{9b}31m\\u{202e}\\u{2067}\\u{7f}");
    }
}

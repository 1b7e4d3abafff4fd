//! Text for a person, without colours: lines of toned words, and labelled fields. `output.rs` lays it out.

use std::borrow::Cow;
use std::fmt::Write as _;

/// How a piece of text is meant. `output.rs` turns it into a colour, or into nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Ordinary text.
    Plain,
    /// What the eye should find first.
    Strong,
    /// As it should be.
    Good,
    /// Worth a look.
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
    /// Cells separated by tabs, for another program.
    Row(Vec<String>),
}

/// Lines for a person.
#[derive(Clone, Debug, Default)]
pub struct Page {
    lines: Vec<Line>,
}

impl Page {
    /// An empty page.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a plain line.
    #[must_use]
    pub fn line(self, text: impl Into<String>) -> Self {
        self.toned(Tone::Plain, text)
    }

    /// Adds a line in a tone.
    #[must_use]
    pub fn toned(mut self, tone: Tone, text: impl Into<String>) -> Self {
        self.lines.push(Line::Text(tone, text.into()));
        self
    }

    /// Adds a row of cells for another program.
    #[must_use]
    pub fn row(mut self, cells: Vec<String>) -> Self {
        self.lines.push(Line::Row(cells));
        self
    }

    /// Adds `label  value`.
    #[must_use]
    pub fn field(self, label: impl Into<String>, value: impl Into<String>) -> Self {
        self.toned_field(label, Tone::Plain, value)
    }

    /// Adds `label  value` with the value in a tone.
    #[must_use]
    pub fn toned_field(mut self, label: impl Into<String>, tone: Tone, value: impl Into<String>) -> Self {
        self.lines.push(Line::Field(label.into(), tone, value.into()));
        self
    }

    /// Adds `label  value` where there is a value.
    #[must_use]
    pub fn optional(self, label: impl Into<String>, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.field(label, value),
            None => self,
        }
    }

    /// Adds the lines of another page.
    #[must_use]
    pub fn join(mut self, other: Self) -> Self {
        self.lines.extend(other.lines);
        self
    }

    /// The lines.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }
}

/// `text` with everything that could steer a terminal or reorder a line written as `\u{…}`: control characters,
/// bidirectional overrides, line and paragraph separators. A server's words must not move the cursor.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if steers(c) {
            // Writing to a String cannot fail.
            let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// `value` on one line, with the same characters escaped the way JSON does it.
pub fn printable_json(value: &serde_json::Value) -> String {
    printable_json_lines(value.to_string())
}

/// Lines of JSON, with the same characters escaped the way JSON does it. Between the lines are line breaks.
pub fn printable_json_lines(text: String) -> String {
    let steers = |c: char| c != '\n' && steers(c);
    // Nearly everything. Not left early, so that many bytes are looked at together.
    let is_plain = |byte: u8| (b' '..0x7f).contains(&byte) || byte == b'\n';
    if text.bytes().fold(true, |all, byte| all & is_plain(byte)) || !text.chars().any(steers) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        // Outside its strings JSON on one line has none of them, and all of them have four hex digits.
        if steers(c) {
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    safe
}

fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_json() {
        let value = serde_json::json!({ "a\u{9b}": "x\u{202e}\u{1b}\u{7f}🙂" });
        let text = printable_json(&value);
        assert_eq!(text, r#"{"a\u009b":"x\u202e\u001b\u007f🙂"}"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn what_steers_a_terminal_is_written_out() {
        assert_eq!(printable("Grüße 🙂"), "Grüße 🙂");
        assert_eq!(printable("a\u{1b}[2J\r\nb"), "a\\u{1b}[2J\\u{d}\\u{a}b");
        assert_eq!(printable("\u{9b}31m\u{202e}\u{2067}\u{7f}"), "\\u{9b}31m\\u{202e}\\u{2067}\\u{7f}");
    }
}

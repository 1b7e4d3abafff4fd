//! JSON for a person: indented, and coloured.

use serde_json::Value;

use crate::domain::text::page::{Tone, printable_json_lines};

use super::layout::paint;

/// `value` on several lines. It stays JSON, apart from the colours.
pub(super) fn indented(value: &Value, colour: bool) -> String {
    let text = printable_json_lines(format!("{value:#}"));
    if !colour {
        return text;
    }
    text.lines().map(painted).collect::<Vec<_>>().join("\n")
}

/// One line: perhaps a name, then a value or a bracket, perhaps a comma.
fn painted(line: &str) -> String {
    let body = line.trim_start();
    let indent = " ".repeat(line.len() - body.len());
    let (name, value) = match string_end(body).and_then(|end| body.split_at_checked(end)) {
        Some((name, rest)) if rest.starts_with(": ") => {
            (paint(name, Tone::Strong, true) + ": ", rest.trim_start_matches(": "))
        }
        _ => (String::new(), body),
    };
    let (value, comma) = value.strip_suffix(',').map_or((value, ""), |value| (value, ","));
    let tone = match value.chars().next() {
        Some('"') => Tone::Good,
        Some('{' | '}' | '[' | ']') | None => Tone::Plain,
        _ => Tone::Caution,
    };
    format!("{indent}{name}{}{comma}", paint(value, tone, true))
}

/// Where the string literal at the start of `text` ends.
fn string_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    let is_end = |(_, byte): &(usize, u8)| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    };
    let rest = text.strip_prefix('"')?;
    rest.bytes().enumerate().find(is_end).map(|(at, _)| at + 2)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_and_values_have_colours_and_stay_json() {
        let value = json!({ "a\": \"b": ["x\": 1,", -2, null, {}], "c": { "d": "\u{1b}[2J\n" } });
        let text = indented(&value, false);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        assert!(!text.contains('\u{1b}'), "{text}");
        let coloured = indented(&value, true);
        assert!(coloured.contains("  \u{1b}[1m\"a\\\": \\\"b\"\u{1b}[0m: ["), "{coloured}");
        assert!(coloured.contains("    \u{1b}[32m\"x\\\": 1,\"\u{1b}[0m,\n"), "{coloured}");
        assert!(coloured.contains("    \u{1b}[33m-2\u{1b}[0m,\n"), "{coloured}");
        let plain = ["1", "32", "33", "0"]
            .iter()
            .fold(coloured, |text, code| text.replace(&format!("\u{1b}[{code}m"), ""));
        assert_eq!(plain, text);
    }
}

//! Reads and writes `.env` files: one `NAME=VALUE` per line.
//!
//! Accepts blank lines, `#` comments, `export` before a name, unquoted values up to ` #`, single quotes without escapes, and
//! double quotes with the escapes `\n \r \t \" \\ \$` and a backslash before a backquote. Quoted values may have several
//! lines. `$` is not expanded, unlike in the crates that read such files: a secret may have a `$` in it.

use super::invalid::Invalid;
use super::secret::Secret;

/// One assignment.
#[derive(Debug)]
pub struct Entry {
    /// The variable.
    pub name: String,
    /// Its value, which may be a secret.
    pub value: Secret,
    /// The line on which it starts, from 1.
    pub line: usize,
}

/// Reads the assignments in order. Errors name a line and repeat nothing of the file.
pub fn parse(text: &str) -> Result<Vec<Entry>, Invalid> {
    let mut rest = text;
    let mut line = 1;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (first, after) = cut_line(rest);
        let next = if trim(first).is_empty() || trim(first).starts_with('#') {
            after
        } else {
            let (entry, next) = assignment(rest, line)?;
            entries.push(entry);
            next
        };
        line += rest.bytes().take(rest.len() - next.len()).filter(|byte| *byte == b'\n').count();
        rest = next;
    }
    Ok(entries)
}

/// Writes `value` for [`parse`] and other readers: bare if possible, else in single quotes, else with escapes.
pub fn quote(value: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "_.-+/:=@%,".contains(c);
    if value.chars().all(bare) {
        return value.to_owned();
    }
    if !value.contains(['\'', '\n', '\r', '\\']) {
        return format!("'{value}'");
    }
    let mut quoted = String::from("\"");
    for c in value.chars() {
        match c {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '"' | '\\' | '$' | '`' => quoted.extend(['\\', c]),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Reads the assignment at the start of `text`. Also gives the lines after it.
fn assignment(text: &str, line: usize) -> Result<(Entry, &str), Invalid> {
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    let not_an_assignment = || Invalid::new(format!("line {line} is not NAME=VALUE"));
    let unclosed = || Invalid::new(format!("line {line} opens a quote that is not closed"));
    let (left, right) = text.split_once('=').ok_or_else(not_an_assignment)?;
    let name = trim(left);
    let exported = name.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t']));
    let name = trim(exported.unwrap_or(name));
    // A line break is not allowed: it means that the `=` is on a later line.
    if !is_name(name) {
        return Err(not_an_assignment());
    }
    let right = right.trim_start_matches([' ', '\t']);
    let (value, rest) = if let Some(inner) = right.strip_prefix('\'') {
        let (value, rest) = inner.split_once('\'').ok_or_else(unclosed)?;
        (value.to_owned(), after_quote(rest, line)?)
    } else if let Some(inner) = right.strip_prefix('"') {
        let (value, rest) = unescaped(inner).ok_or_else(unclosed)?;
        (value, after_quote(rest, line)?)
    } else {
        let (value, rest) = cut_line(right);
        (trim(without_comment(value)).to_owned(), rest)
    };
    Ok((Entry { name: name.to_owned(), value: Secret::new(value), line }, rest))
}

/// The first line, and the lines after it.
fn cut_line(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

/// Trims blanks and the `\r` of a CRLF. Other white space may belong to a secret.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r'])
}

/// Removes the comment: a `#` at the start or after a blank. Within a word it is part of the value, as in a shell.
fn without_comment(value: &str) -> &str {
    if value.starts_with('#') {
        return "";
    }
    let start = [" #", "\t#"].iter().filter_map(|mark| value.find(mark)).min();
    start.and_then(|start| value.get(..start)).unwrap_or(value)
}

/// The lines after a quoted value. Only a comment may follow the quote.
fn after_quote(text: &str, line: usize) -> Result<&str, Invalid> {
    let (tail, rest) = cut_line(text);
    let tail = trim(tail);
    if tail.is_empty() || tail.starts_with('#') {
        return Ok(rest);
    }
    Err(Invalid::new(format!("line {line} has text after the closing quote")))
}

/// The value up to the closing `"`, and the text after it. A backslash before another character stays.
fn unescaped(text: &str) -> Option<(String, &str)> {
    let mut value = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => return Some((value, characters.as_str())),
            '\\' => match characters.next()? {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                escaped @ ('"' | '\\' | '$' | '`') => value.push(escaped),
                other => value.extend(['\\', other]),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String, usize)> {
        let entries = parse(text).unwrap();
        entries.into_iter().map(|it| (it.name, it.value.expose().to_owned(), it.line)).collect()
    }

    #[test]
    fn values() {
        for (line, value) in [
            ("A=b", "b"),
            ("A=", ""),
            ("  A = b c  ", "b c"),
            ("export A=b", "b"),
            ("export\tA=b", "b"),
            ("A=b=c==", "b=c=="),
            ("A=b # comment", "b"),
            ("A=b#c", "b#c"),
            ("A=# comment", ""),
            ("A=\t#", ""),
            ("A='b # $C \\n \"d\"' # comment", "b # $C \\n \"d\""),
            ("A=\"b # c\"", "b # c"),
            (r#"A="\n\r\t\"\\\$\`""#, "\n\r\t\"\\$`"),
            (r#"A="\d\'""#, r"\d\'"),
            ("A=${HOME}$(x)`y`", "${HOME}$(x)`y`"),
            ("A=\"$HOME ${X}\"", "$HOME ${X}"),
            ("A=b'c'\"d\"", "b'c'\"d\""),
            ("A=Schlüssel\u{a0}", "Schlüssel\u{a0}"),
            ("A='  b  '", "  b  "),
            ("A=''", ""),
            ("A=\"b\"\r", "b"),
            ("A=b\r", "b"),
        ] {
            assert_eq!(read(line), [("A".to_owned(), value.to_owned(), 1)], "{line}");
        }
    }

    #[test]
    fn files() {
        let entry = |name: &str, value: &str, line| (name.to_owned(), value.to_owned(), line);
        let text = "# a file\r\n\r\nA=1\r\nexport B='x\ny'\r\n   \nC.d-E=\"1\\\n2\" # c\nF=2";
        assert_eq!(
            read(text),
            [entry("A", "1", 3), entry("B", "x\ny", 4), entry("C.d-E", "1\\\n2", 7), entry("F", "2", 9)]
        );
        assert_eq!(read(""), []);
        assert_eq!(read("\n# only\n"), []);
        assert_eq!(read("export=1"), [entry("export", "1", 1)]);
    }

    #[test]
    fn mistakes_name_their_line_and_nothing_else() {
        for (text, error) in [
            ("A=1\nhunter2", "line 2 is not NAME=VALUE"),
            ("hunter2\nA=1", "line 1 is not NAME=VALUE"),
            ("=hunter2", "line 1 is not NAME=VALUE"),
            ("A B=hunter2", "line 1 is not NAME=VALUE"),
            ("A='1\n2'\nB='hunter2", "line 3 opens a quote that is not closed"),
            ("A=\"hunter2\\\"", "line 1 opens a quote that is not closed"),
            ("A='b'hunter2", "line 1 has text after the closing quote"),
            ("A=\"b\" hunter2", "line 1 has text after the closing quote"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), error, "{text}");
        }
    }
}

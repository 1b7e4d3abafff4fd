//! Files of variables, `NAME=VALUE` a line, as every framework's `.env` has them.
//!
//! Nothing is substituted: `$` stands for itself. The crates that read such files expand `$NAME` and `${NAME}`, which
//! would alter a secret that has a `$` in it without a word; that is why none of them is used. What is read:
//! blank lines and `#` comments, `export` before the name, values as they are up to a ` #`, single quotes with nothing
//! special in them, double quotes with `\n \r \t \" \\ \$` and a backquote after a backslash. Quoted values may go on
//! over lines.

use super::secret::Secret;

/// One assignment.
#[derive(Debug)]
pub struct Entry {
    /// The variable.
    pub name: String,
    /// Its value: any of them may be a secret.
    pub value: Secret,
    /// Where it starts, from 1.
    pub line: usize,
}

/// Why a file could not be read. No variant carries a part of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DotenvError {
    /// Neither blank, nor a comment, nor an assignment.
    #[error("line {0} is not NAME=VALUE")]
    NotAnAssignment(usize),
    /// A quote without its end.
    #[error("line {0} opens a quote that is not closed")]
    Unclosed(usize),
    /// Text that neither belongs to the value nor is a comment.
    #[error("line {0} goes on behind the closing quote")]
    BehindQuote(usize),
}

/// Reads the assignments, in their order.
///
/// # Errors
/// [`DotenvError`], see its variants.
pub fn parse(text: &str) -> Result<Vec<Entry>, DotenvError> {
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut line = 1;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (first, after) = cut_line(rest);
        let next = match trim(first) {
            "" => after,
            comment if comment.starts_with('#') => after,
            _ => {
                let (entry, next) = assignment(rest, line)?;
                entries.push(entry);
                next
            }
        };
        line += rest.bytes().take(rest.len() - next.len()).filter(|byte| *byte == b'\n').count();
        rest = next;
    }
    Ok(entries)
}

/// `value` so that [`parse`] reads it back, and other readers do as far as they can: bare where nothing in it means
/// anything, in single quotes, and with escapes where those would not do.
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

/// The assignment that `text` starts with, and the lines after it.
fn assignment(text: &str, line: usize) -> Result<(Entry, &str), DotenvError> {
    let (left, right) = text.split_once('=').ok_or(DotenvError::NotAnAssignment(line))?;
    let name = trim(left);
    let exported = name.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t']));
    let name = trim(exported.unwrap_or(name));
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    // A line break is not allowed either: then the `=` is another line's.
    if name.is_empty() || !name.chars().all(allowed) {
        return Err(DotenvError::NotAnAssignment(line));
    }
    let right = right.trim_start_matches([' ', '\t']);
    let (value, rest) = if let Some(inner) = right.strip_prefix('\'') {
        let (value, rest) = inner.split_once('\'').ok_or(DotenvError::Unclosed(line))?;
        (value.to_owned(), behind_quote(rest, line)?)
    } else if let Some(inner) = right.strip_prefix('"') {
        let (value, rest) = unescaped(inner).ok_or(DotenvError::Unclosed(line))?;
        (value, behind_quote(rest, line)?)
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

/// Without blanks and the `\r` of a CRLF around it. Other white space may be a secret's own.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r'])
}

/// A `#` starts a comment at the value's place, or behind a blank. Within a word it is part of the value, as in a
/// shell.
fn without_comment(value: &str) -> &str {
    let mut before = ' ';
    for (place, c) in value.char_indices() {
        if c == '#' && matches!(before, ' ' | '\t') {
            return value.get(..place).unwrap_or_default();
        }
        before = c;
    }
    value
}

/// The lines after a quoted value, which only a comment may follow.
fn behind_quote(text: &str, line: usize) -> Result<&str, DotenvError> {
    let (tail, rest) = cut_line(text);
    let tail = trim(tail);
    if tail.is_empty() || tail.starts_with('#') { Ok(rest) } else { Err(DotenvError::BehindQuote(line)) }
}

/// The value up to the closing `"`, and what comes behind that. A backslash before anything else stays.
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
        let text = "\u{feff}# a file\r\n\r\nA=1\r\nexport B='x\ny'\r\n   \nC.d-E=\"1\\\n2\" # c\nF=2";
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
            ("A=1\nhunter2", DotenvError::NotAnAssignment(2)),
            ("hunter2\nA=1", DotenvError::NotAnAssignment(1)),
            ("=hunter2", DotenvError::NotAnAssignment(1)),
            ("A B=hunter2", DotenvError::NotAnAssignment(1)),
            ("A='1\n2'\nB='hunter2", DotenvError::Unclosed(3)),
            ("A=\"hunter2\\\"", DotenvError::Unclosed(1)),
            ("A='b'hunter2", DotenvError::BehindQuote(1)),
            ("A=\"b\" hunter2", DotenvError::BehindQuote(1)),
        ] {
            let found = parse(text).unwrap_err();
            assert!(found == error && !found.to_string().contains("hunter"), "{text}: {found}");
        }
    }
}

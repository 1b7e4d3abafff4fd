//! Quoting for a POSIX shell.

/// `text` as one word of a POSIX shell: as it is where nothing in it means anything, else in single quotes.
pub fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_quotes_gets_them() {
        assert_eq!(quote("http://127.0.0.1:80"), "http://127.0.0.1:80");
        assert_eq!(quote("a b$(x)`y`"), "'a b$(x)`y`'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote(""), "''");
    }
}

//! Quoting for a POSIX shell.

/// `text` as one word of a POSIX shell: as it is where nothing in it means anything, else in quotes.
pub fn quote(text: &str) -> String {
    // Only a NUL could not be quoted, and no argument or variable has one.
    shlex::Quoter::new().allow_nul(true).quote(text).map_or_else(|_| text.to_owned(), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_text_is_one_word_again() {
        assert_eq!(quote("http://127.0.0.1:80"), "http://127.0.0.1:80");
        for text in ["a b$(x)`y`", "it's", "", "\"\\!#&;|<>*?~", "\u{fc}\n"] {
            assert_eq!(shlex::split(&quote(text)), Some(vec![text.to_owned()]), "{text}");
        }
    }
}

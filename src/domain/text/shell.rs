//! Quotes values for shells.

/// The shells that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// A POSIX shell: sh, dash, bash, zsh, ksh.
    Posix,
    /// fish.
    Fish,
    /// PowerShell.
    PowerShell,
}

impl Shell {
    /// The line that exports the variable `name` with `value`.
    pub fn export(self, name: &str, value: &str) -> String {
        match self {
            Self::Posix => format!("export {name}={}", quote(value)),
            Self::Fish => format!("set -gx {name} {}", quote_for_fish(value)),
            Self::PowerShell => format!("$env:{name} = {}", quote_for_powershell(value)),
        }
    }
}

/// `text` as one word of a POSIX shell, in quotes where it needs them.
pub fn quote(text: &str) -> String {
    // Only a NUL cannot be quoted, and arguments and variables have none.
    shlex::Quoter::new().allow_nul(true).quote(text).map_or_else(|_| text.to_owned(), Into::into)
}

/// In fish's single quotes only a backslash before a quote or a backslash is special.
fn quote_for_fish(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

/// In PowerShell's single quotes only a quote is special, and is written twice. The typographic quotes (U+2018 to U+201B)
/// are quotes too (its language specification, section 2.3.5.2).
fn quote_for_powershell(text: &str) -> String {
    let times = |c| if matches!(c, '\'' | '\u{2018}'..='\u{201b}') { 2 } else { 1 };
    let quoted: String = text.chars().flat_map(|c| std::iter::repeat_n(c, times(c))).collect();
    format!("'{quoted}'")
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

    #[test]
    fn powershell_takes_typographic_quotes_for_quotes() {
        let line = |value: &str| Shell::PowerShell.export("A", value);
        assert_eq!(line("x"), "$env:A = 'x'");
        assert_eq!(line("it's $(x) `n \"y\" \\"), "$env:A = 'it''s $(x) `n \"y\" \\'");
        assert_eq!(
            line("\u{2018};x;\u{2019}\u{201a}\u{201b}\u{201c}"),
            "$env:A = '\u{2018}\u{2018};x;\u{2019}\u{2019}\u{201a}\u{201a}\u{201b}\u{201b}\u{201c}'"
        );
    }
}

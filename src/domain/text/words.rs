//! Splits a text into the words of a command, and joins words so that they are split the same way again.

use std::iter::repeat_n;

use super::shell::Shell;

/// The rules for quotes and backslashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordRules {
    /// The rules of a POSIX shell.
    Posix,
    /// The rules of Microsoft's C runtime (since 2008): only `"` quotes, and a backslash is special only before `"`. A path needs
    /// quotes only if it has a space.
    Windows,
}

impl WordRules {
    /// The rules of this system.
    pub const HERE: Self = if cfg!(windows) { Self::Windows } else { Self::Posix };

    /// The words of `text`; `None` if a quote is not closed. Nothing is expanded.
    pub fn split(self, text: &str) -> Option<Vec<String>> {
        match self {
            Self::Posix => shlex::split(text),
            Self::Windows => split_for_windows(text),
        }
    }

    /// The words as a text, in quotes where they need them.
    pub fn join(self, words: &[String]) -> String {
        let quote = |word: &String| match self {
            Self::Posix => Shell::Posix.quote(word),
            Self::Windows => quote_for_windows(word),
        };
        words.iter().map(quote).collect::<Vec<_>>().join(" ")
    }
}

fn split_for_windows(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), None, false);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        // A text in config.toml may have several lines.
        if !is_quoted && c.is_ascii_whitespace() {
            words.extend(word.take());
            continue;
        }
        let word: &mut String = word.get_or_insert_default();
        match c {
            '\\' => {
                let mut count = 1;
                while rest.next_if_eq(&'\\').is_some() {
                    count += 1;
                }
                if rest.peek() == Some(&'"') {
                    word.extend(repeat_n('\\', count / 2));
                    word.extend(rest.next_if(|_| count % 2 == 1));
                } else {
                    word.extend(repeat_n('\\', count));
                }
            }
            // Two quotes within quotes are one that belongs to the word.
            '"' if is_quoted && rest.next_if_eq(&'"').is_some() => word.push('"'),
            '"' => is_quoted = !is_quoted,
            c => word.push(c),
        }
    }
    words.extend(word);
    (!is_quoted).then_some(words)
}

fn quote_for_windows(word: &str) -> String {
    if !word.is_empty() && !word.contains(|c: char| c == '"' || c.is_ascii_whitespace()) {
        return word.to_owned();
    }
    // Each part is followed by a quote, before which backslashes count twice.
    let parts = word.split('"').map(|part| {
        let count = part.len() - part.trim_end_matches('\\').len();
        part.to_owned() + &"\\".repeat(count)
    });
    format!("\"{}\"", parts.collect::<Vec<_>>().join("\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_words_are_split_the_same_way_again() {
        let words = [
            "",
            "a b",
            "it's",
            "\"",
            "a\"\"b",
            r"C:\a b\",
            r"C:\a\",
            r#"\\"\"#,
            "$x `y` %z%",
            "\u{fc}\n\t",
            "",
        ];
        for rules in [WordRules::Posix, WordRules::Windows] {
            for words in words.iter().map(std::slice::from_ref).chain([&words[..]]) {
                let words: Vec<String> = words.iter().map(ToString::to_string).collect();
                let text = rules.join(&words);
                assert_eq!(rules.split(&text), Some(words), "{rules:?} {text}");
            }
        }
    }

    #[test]
    fn windows_rules_keep_the_backslashes_of_paths() {
        let split = |text| WordRules::Windows.split(text);
        let words = |words: &[&str]| Some(words.iter().map(ToString::to_string).collect::<Vec<_>>());
        for (text, wanted) in [
            (r#""C:\a b\tool.exe" get C:\x\y 'a'"#, &[r"C:\a b\tool.exe", "get", r"C:\x\y", "'a'"][..]),
            (r"\\host\share\tool.exe", &[r"\\host\share\tool.exe"]),
            // The examples of Microsoft's page "Parsing C command-line arguments", with each quote closed.
            (r#""a b c" d e"#, &["a b c", "d", "e"]),
            (r#""ab\"c" "\\" d"#, &["ab\"c", r"\", "d"]),
            (r#"a\\\b d"e f"g h"#, &[r"a\\\b", "de fg", "h"]),
            (r#"a\\\"b c d"#, &[r#"a\"b"#, "c", "d"]),
            (r#"a\\\\"b c" d e"#, &[r"a\\b c", "d", "e"]),
            (r#"a"b"" c d""#, &["ab\" c d"]),
            (" a\t\r\n\"\" ", &["a", ""]),
            ("  ", &[]),
        ] {
            assert_eq!(split(text), words(wanted), "{text}");
        }
        assert_eq!(split(r#"op "x"#), None);
        assert_eq!(split(r#""C:\a\""#), None, "an escaped quote closes nothing");
        let joined = |word: &str| WordRules::Windows.join(&[word.to_owned()]);
        assert_eq!(joined(r"C:\a\b"), r"C:\a\b");
        assert_eq!(joined(r"C:\a b\"), r#""C:\a b\\""#);
    }
}

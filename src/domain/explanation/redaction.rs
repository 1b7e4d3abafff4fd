//! Takes out of a server's words what must not be repeated: tokens, and the client secret, should it have echoed them.

use crate::domain::secret::Secret;

/// How much of a server's sentence is shown, in characters.
const LONGEST: usize = 300;

/// Names of form fields that hold a secret.
const FIELDS: [&str; 5] = ["client_secret=", "access_token=", "refresh_token=", "password=", "token="];

/// What is known to be secret.
pub struct Redaction<'a> {
    /// The token in use and the client's secret, where they are known.
    pub known: Vec<&'a Secret>,
}

impl Redaction<'_> {
    /// `text` without secrets, and at most [`LONGEST`] characters of it.
    pub(super) fn apply(&self, text: &str) -> String {
        let text = self.known.iter().fold(text.to_owned(), |text, secret| secret.blotted_out(&text));
        let words: Vec<String> = text.split(' ').map(blotted).collect();
        let text = words.join(" ");
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text,
        }
    }
}

/// One word, without a token and without the value of a field that holds a secret.
fn blotted(word: &str) -> String {
    let field = FIELDS.iter().filter_map(|name| Some(word.find(name)? + name.len())).min();
    let token = word.find("eyJ").filter(|start| {
        let rest = word.get(*start..).unwrap_or_default();
        rest.len() >= 16
    });
    match field.into_iter().chain(token).min() {
        Some(start) => format!("{}[redacted]", word.get(..start).unwrap_or_default()),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_tokens_are_not_repeated() {
        let secret = Secret::new("hunter2-hunter2".into());
        let redaction = Redaction { known: vec![&secret] };
        let table = [
            ("no hunter2-hunter2, no", "no [redacted], no"),
            ("got `eyJhbGciOiJSUzI1NiJ9.e30.c2ln`", "got `[redacted]"),
            (
                "body client_id=x&client_secret=abc&scope=openid end",
                "body client_id=x&client_secret=[redacted] end",
            ),
            ("plain words", "plain words"),
        ];
        for (text, clean) in table {
            assert_eq!(redaction.apply(text), clean);
        }
        assert_eq!(redaction.apply(&"ä".repeat(500)).chars().count(), LONGEST + 1);
    }
}

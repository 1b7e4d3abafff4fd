//! Takes out of a server's words what must not be repeated: tokens, and the client secret, should it have echoed them.

use crate::domain::secret::Secret;

/// How much of a server's sentence is shown, in characters.
const LONGEST: usize = 300;

/// Names of form fields that hold a secret.
const FIELDS: [&str; 5] = ["client_secret=", "access_token=", "refresh_token=", "password=", "token="];

/// Names of members that hold a secret, as JSON and headers have them: `"client_secret": "…"`.
const MEMBERS: [&str; 4] = ["client_secret", "access_token", "refresh_token", "password"];

/// What a credential follows in an `Authorization` header.
const SCHEMES: [&str; 2] = ["bearer", "basic"];

/// What is known to be secret.
pub struct Redaction<'a> {
    /// The token in use and the client's secret, where they are known.
    pub known: Vec<&'a Secret>,
}

impl Redaction<'_> {
    /// `text` without secrets, and at most [`LONGEST`] characters of it.
    pub(super) fn apply(&self, text: &str) -> String {
        let text = self.known.iter().fold(text.to_owned(), |text, secret| secret.blotted_out(&text));
        let text = without_fields(&text);
        let mut after_scheme = false;
        let words: Vec<String> = text
            .split(' ')
            .map(|word| {
                let hidden = after_scheme && is_opaque(word);
                after_scheme = SCHEMES.iter().any(|scheme| word.to_ascii_lowercase().ends_with(scheme));
                if hidden { "[redacted]".to_owned() } else { blotted(word) }
            })
            .collect();
        let text = words.join(" ");
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text,
        }
    }
}

/// `text` without the values of [`MEMBERS`].
fn without_fields(text: &str) -> String {
    let mut clean = String::new();
    let mut rest = text;
    while let Some((start, end)) = MEMBERS.iter().filter_map(|name| value_of(rest, name)).min() {
        clean.push_str(rest.get(..start).unwrap_or_default());
        clean.push_str("[redacted]");
        rest = rest.get(end..).unwrap_or_default();
    }
    clean + rest
}

/// Where the first value that follows `name` and a colon begins and ends.
fn value_of(text: &str, name: &str) -> Option<(usize, usize)> {
    let quotes = ['"', '\'', '\\'];
    text.match_indices(name).find_map(|(at, _)| {
        let rest = text.get(at + name.len()..)?;
        let rest = rest.trim_start_matches(quotes).trim_start().strip_prefix(':')?.trim_start();
        let value = rest.trim_start_matches(quotes);
        let is_quoted = value.len() < rest.len();
        let ends =
            |c: char| if is_quoted { quotes.contains(&c) } else { c.is_whitespace() || ",}&".contains(c) };
        let length = value.find(ends).unwrap_or(value.len());
        let start = text.len() - value.len();
        (length > 0).then_some((start, start + length))
    })
}

/// Whether a word behind a scheme is a credential rather than a parameter or more of a sentence.
fn is_opaque(word: &str) -> bool {
    let bare = word.trim_end_matches(['=', '"', '\'', '`', '.', ',', ';']);
    let letters = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
    let told = bare.len() >= 20 || bare.bytes().any(|byte| byte.is_ascii_digit());
    told && bare.len() >= 8 && bare.chars().all(letters)
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
            ("Authorization: Bearer k3y-of-somebody ok", "Authorization: Bearer [redacted] ok"),
            ("sent `Basic YWNtZTpzM2NyZXQ=`", "sent `Basic [redacted]"),
            (
                "Bearer realm=\"base\", error=\"invalid_token\"",
                "Bearer realm=\"base\", error=\"invalid_token\"",
            ),
            ("Bearer authentication is needed", "Bearer authentication is needed"),
            ("{\"client_secret\": \"a b\", \"x\": 1}", "{\"client_secret\": \"[redacted]\", \"x\": 1}"),
            (
                "client_secret: abc, password:'x y' end",
                "client_secret: [redacted], password:'[redacted]' end",
            ),
            ("no client_secret was sent", "no client_secret was sent"),
        ];
        for (text, clean) in table {
            assert_eq!(redaction.apply(text), clean);
        }
        assert_eq!(redaction.apply(&"ä".repeat(500)).chars().count(), LONGEST + 1);
    }
}

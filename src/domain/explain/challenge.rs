//! Reads the `Bearer` challenge of a `WWW-Authenticate` header.

use super::redaction::Redaction;

/// What a `Bearer` challenge says of a refused token (RFC 6750, section 3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) error: Option<String>,
    pub(super) description: Option<String>,
}

impl Challenge {
    /// Reads the challenge of the scheme `Bearer`. Values may be in quotes (RFC 9110, section 11.2).
    pub(super) fn read(header: &str, redaction: &Redaction) -> Option<Self> {
        let (_, parameters) = split_scheme(header)?;
        let value = |name: &str| {
            let start = |found: usize| {
                let before = parameters.get(..found)?;
                let follows = before.trim_end();
                (follows.is_empty() || follows.ends_with(',')).then_some(found + name.len())
            };
            let after = parameters.match_indices(name).find_map(|(found, _)| start(found))?;
            let rest = parameters.get(after..)?.trim_start().strip_prefix('=')?.trim_start();
            let text = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next(),
                None => rest.split([',', ' ']).next(),
            };
            Some(redaction.apply(text.unwrap_or_default()))
        };
        Some(Self { error: value("error"), description: value("error_description") })
    }
}

/// The scheme `Bearer` and what follows it: at the beginning, or after the comma of another challenge.
fn split_scheme(header: &str) -> Option<(&str, &str)> {
    let lower = header.to_ascii_lowercase();
    let is_scheme = |found: usize| {
        let before = header.get(..found).unwrap_or_default().trim_end();
        let after = header.get(found + "bearer".len()..).unwrap_or_default();
        (before.is_empty() || before.ends_with(',')) && (after.is_empty() || after.starts_with(' '))
    };
    let start = lower.match_indices("bearer").map(|(found, _)| found).find(|found| is_scheme(*found))?;
    header.split_at_checked(start + "bearer".len())
}

#[cfg(test)]
mod tests {
    use crate::domain::text::redactor::Redactor;

    use super::*;

    #[test]
    fn the_challenge_of_a_bearer_is_read_however_it_is_written() {
        let redaction = Redaction { known: Redactor::default() };
        let read = |header: &str| {
            Challenge::read(header, &redaction)
                .map(|it| (it.error.unwrap_or_default(), it.description.unwrap_or_default()))
        };
        let both = |error: &str, description: &str| Some((error.to_owned(), description.to_owned()));
        for (header, expected) in [
            (r#"Bearer realm="corti""#, both("", "")),
            ("Bearer", both("", "")),
            ("bearer realm=x, error=invalid_token", both("invalid_token", "")),
            (r#"Bearer error = "a", error_description="b, c""#, both("a", "b, c")),
            (r#"Bearer error_description="only""#, both("", "only")),
            (r#"Basic realm="proxy", Bearer error="x""#, both("x", "")),
            (r#"Basic realm="bearer of bad news""#, None),
            ("Negotiate", None),
        ] {
            assert_eq!(read(header), expected, "{header}");
        }
        let several = ["Basic realm=\"x\"", "Bearer error=\"e\""];
        let found = several.iter().find_map(|header| Challenge::read(header, &redaction));
        assert_eq!(found.and_then(|it| it.error).as_deref(), Some("e"));
    }
}

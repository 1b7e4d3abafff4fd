//! Reads the challenges of `WWW-Authenticate` and `Proxy-Authenticate` headers.

use http_auth::ChallengeRef;
use http_auth::parser::ChallengeParser;

use super::redaction::Redaction;

/// What a `Bearer` challenge says of a refused token (RFC 6750, section 3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) error: Option<String>,
    pub(super) description: Option<String>,
}

impl Challenge {
    /// Reads the challenge of the scheme `Bearer`.
    pub(super) fn read(header: &str, redaction: &Redaction) -> Option<Self> {
        let bearer = challenges(header).find(|it| it.scheme.eq_ignore_ascii_case("bearer"))?;
        let value = |name: &str| {
            let (_, value) = bearer.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
            Some(redaction.apply(&value.to_unescaped()))
        };
        Some(Self { error: value("error"), description: value("error_description") })
    }
}

/// The challenges of a header (RFC 9110, section 11.6.1), up to the first that cannot be read.
pub(super) fn challenges(header: &str) -> impl Iterator<Item = ChallengeRef<'_>> {
    ChallengeParser::new(header).map_while(Result::ok)
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

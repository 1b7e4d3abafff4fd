//! Reads the challenges of `WWW-Authenticate` and `Proxy-Authenticate` (RFC 9110, section 11.6.1).

use http_auth::ChallengeRef;
use http_auth::parser::ChallengeParser;

/// What a `Bearer` challenge says of a refused token (RFC 6750, section 3). The texts are the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Such as `invalid_token`. Missing where no token was sent.
    pub error: Option<String>,
    /// The error in words.
    pub description: Option<String>,
}

impl Challenge {
    /// Reads the challenge of the scheme `Bearer`.
    pub fn read(header: &str) -> Option<Self> {
        let bearer = challenges(header).find(|it| it.scheme.eq_ignore_ascii_case("bearer"))?;
        let value = |name: &str| {
            let (_, value) = bearer.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
            Some(value.to_unescaped())
        };
        Some(Self { error: value("error"), description: value("error_description") })
    }

    /// The reason in words, else the error.
    pub fn reason(&self) -> Option<&str> {
        self.description.as_deref().or(self.error.as_deref())
    }
}

/// The challenges of a header, up to the first that cannot be read.
pub fn challenges(header: &str) -> impl Iterator<Item = ChallengeRef<'_>> {
    ChallengeParser::new(header).map_while(Result::ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_of_a_bearer_is_read_however_it_is_written() {
        let read = |header: &str| {
            Challenge::read(header)
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
        let found = several.iter().find_map(|header| Challenge::read(header));
        assert_eq!(found.and_then(|it| it.error).as_deref(), Some("e"));
    }
}

//! What holds of every exchange, whatever stands in it. The causes themselves are tested with real answers, by the binary.

use crate::domain::text::redactor::Redactor;

use super::*;

/// A head, a request and a body of each shape: what is cut out of them is as odd as what people paste.
const SAMPLES: [&str; 5] = [
    "> GET /audio-bridge/v2/transcribe?tenant-name=base&token=Bearer%2520x HTTP/1.1\r\n> \r\n\
     < HTTP/1.1 401 Unauthorized\r\n< WWW-Authenticate: Bearer error=\"invalid_token\", error_description=\"x\"\r\n< \r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/2 403\r\nDate: Tue, 24 Nov 2026 12:00:30 GMT\r\n\r\n\
     {\"requestid\":\"r\",\"status\":403,\"type\":\"A0001\",\"detail\":\"the scope ü\"}",
    "{\"error\":\"invalid_scope\",\"error_description\":\"Invalid scopes: openid stream\"}",
    "{\"error\":{\"code\":\"X\",\"message\":\"m\",\"howToFix\":\"f\"}}",
    "< {\"type\":\"CONFIG_DENIED\",\"reason\":\"r\"}\n< {\"type\":\"error\",\"error\":{\"title\":\"t\"}}",
];

fn causes(text: &str) -> Vec<Cause> {
    let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
    let token = TokenInUse::read(text, now);
    let evidence = Evidence::new(None, &Exchange::read(text), Some(token), Configured::default(), None, now);
    explain(&evidence)
}

#[test]
fn every_part_of_an_exchange_is_read_and_ranked() {
    for sample in SAMPLES {
        let places: Vec<usize> = sample.char_indices().map(|(place, _)| place).collect();
        for place in places {
            let (before, after) = sample.split_at(place);
            for text in [before.to_owned(), after.to_owned(), format!("{after}{before}")] {
                let ranked: Vec<Confidence> = causes(&text).iter().map(|cause| cause.confidence).collect();
                assert!(ranked.is_sorted_by(|one, next| one >= next), "{text}: {ranked:?}");
                let is_certain = ranked.first() == Some(&Confidence::High);
                assert!(!(is_certain && ranked.contains(&Confidence::Low)), "{text}: {ranked:?}");
            }
        }
    }
}

#[test]
fn every_cause_is_named_once_and_nothing_has_none() {
    let mut ids: Vec<&str> = rule::all().map(|rule| rule.id).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
    let nothing =
        Evidence::new(None, &Exchange::default(), None, Configured::default(), None, Timestamp::UNIX_EPOCH);
    assert_eq!(explain(&nothing), []);
}

#[test]
fn the_challenge_of_a_bearer_is_read_however_it_is_written() {
    let redaction = Redaction { known: Redactor::default() };
    let read = |header: &str| {
        shape::Challenge::read(header, &redaction)
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
    let several = "HTTP/1.1 401 U\r\nWWW-Authenticate: Basic realm=\"x\"\r\nWWW-Authenticate: Bearer error=\"e\"\r\n\r\n";
    let evidence = Evidence::new(
        None,
        &Exchange::read(several),
        None,
        Configured::default(),
        None,
        Timestamp::UNIX_EPOCH,
    );
    assert_eq!(evidence.challenge.and_then(|it| it.error).as_deref(), Some("e"));
}

#[test]
fn a_token_is_found_in_what_was_pasted_along() {
    let token = format!("eyJhbGciOiJub25lIn0.eyJleHAiOjF9.{}", "c2ln".repeat(20));
    let (one, other) = token.split_at(40);
    let folded = format!("{one}\n{other}");
    for (text, presented) in [
        (token.clone(), Presented::Bare),
        (folded, Presented::Bare),
        (format!("{{\"access_token\":\"{token}\"}}"), Presented::Bare),
        (format!("'Bearer {token}'"), Presented::Bearer),
        (format!("Authorization: Bearer {token}\n"), Presented::Bearer),
        (format!("Bearer%20{token}"), Presented::Encoded),
        (format!("Bearer Bearer {token}"), Presented::Doubled),
    ] {
        let held = TokenInUse::read(&text, Timestamp::UNIX_EPOCH);
        assert_eq!((held.secret().expose(), held.presented), (token.as_str(), presented), "{text}");
        assert!(held.inspection.is_some(), "{text}");
    }
}

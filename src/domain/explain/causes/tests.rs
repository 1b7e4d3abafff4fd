//! Tests what is true of every exchange. The causes themselves are tested with real answers, see `tests/it/explain.rs`.

use jiff::Timestamp;

use crate::domain::explain::evidence::{Configured, UsedToken};
use crate::domain::explain::saved_exchange::{BearerForm, SavedExchange};

use super::*;

/// A head, a request and a body of each kind. Parts of them are as odd as what people paste.
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
    let token = UsedToken::read(text, now);
    let evidence =
        Evidence::new(None, &SavedExchange::read(text), Some(token), Configured::default(), None, now);
    explain(&evidence)
}

#[test]
fn every_part_of_an_exchange_is_read_and_ranked() {
    for sample in SAMPLES {
        let places: Vec<usize> = sample.char_indices().map(|(place, _)| place).collect();
        for place in places {
            let (before, after) = sample.split_at(place);
            for text in [before.to_owned(), after.to_owned(), format!("{after}{before}")] {
                let ranked: Vec<Confidence> = causes(&text).iter().map(Cause::confidence).collect();
                assert!(ranked.is_sorted_by(|one, next| one >= next), "{text}: {ranked:?}");
                let is_certain = ranked.first() == Some(&Confidence::High);
                assert!(!(is_certain && ranked.contains(&Confidence::Low)), "{text}: {ranked:?}");
            }
        }
    }
}

#[test]
fn every_cause_is_named_once_and_nothing_has_none() {
    let nothing = Evidence::new(
        None,
        &SavedExchange::default(),
        None,
        Configured::default(),
        None,
        Timestamp::UNIX_EPOCH,
    );
    let mut ids: Vec<&str> = all(&nothing).map(|it| it.id).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
    assert_eq!(explain(&nothing), []);
}

#[test]
fn a_token_is_found_in_what_was_pasted_along() {
    let token = format!("eyJhbGciOiJub25lIn0.eyJleHAiOjF9.{}", "c2ln".repeat(20));
    let (one, other) = token.split_at(40);
    let folded = format!("{one}\n{other}");
    for (text, form) in [
        (token.clone(), BearerForm::Bare),
        (folded, BearerForm::Bare),
        (format!("{{\"access_token\":\"{token}\"}}"), BearerForm::Bare),
        (format!("'Bearer {token}'"), BearerForm::Bearer),
        (format!("Authorization: Bearer {token}\n"), BearerForm::Bearer),
        (format!("Bearer%20{token}"), BearerForm::Encoded),
        (format!("Bearer Bearer {token}"), BearerForm::Doubled),
    ] {
        let held = UsedToken::read(&text, Timestamp::UNIX_EPOCH);
        assert_eq!((held.secret.expose(), held.form), (token.as_str(), form), "{text}");
        assert!(held.inspection.is_some(), "{text}");
    }
}

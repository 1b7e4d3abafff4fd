//! `explain` where the API gives no reason: the token, the request and the configuration decide, or else the possible
//! causes are listed.

use serde_json::Value;

use crate::common::World;
use crate::common::ready::{mint, start};
use crate::common::saved::{Explained, Id, Saved, assert_among, explain, get, names, read};

const LANGUAGES: &str = "/v2/languages/";

fn explain_with(world: &World, saved: &Saved, token: &str) -> Explained {
    let file = world.file("token.txt", token);
    explain(world, saved, &format!("--token-file {file}"))
}

/// Each cause with its confidence, such as `low expired`.
fn ranked(explained: &Value) -> Vec<String> {
    let causes = explained["causes"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    causes.map(|cause| format!("{} {}", text(&cause["confidence"]), text(&cause["id"]))).collect()
}

#[test]
fn a_401_without_a_reason_has_the_cause_that_the_token_shows() {
    let (sandbox, world) = start(&["--terse"]);
    let refused = read(&sandbox, LANGUAGES, "x.y.z");
    assert!(refused.contains("www-authenticate: Bearer error=\"invalid_token\"\r\n"), "{refused}");
    let guesses =
        ["low expired", "low clock-skew", "low missing-bearer", "low refused-token", "low wrong-environment"];
    assert_eq!(ranked(&explain(&world, &refused, "")), guesses);
    // With the token the cause is known.
    let explained = explain_with(&world, &refused, "x.y.z");
    assert_eq!(names(&explained)[0], "malformed-token", "{explained:#}");
    let (_other, elsewhere) = start(&["--terse"]);
    let foreign = mint(&elsewhere, "--full");
    let explained = explain_with(&world, &read(&sandbox, LANGUAGES, &foreign), &foreign);
    assert_eq!(ranked(&explained)[0], "medium wrong-environment", "{explained:#}");
}

#[test]
fn a_403_without_a_reason_has_the_cause_that_the_token_shows() {
    let (sandbox, world) = start(&["--terse"]);
    let (full, limited) = (mint(&world, "--full"), mint(&world, "--scope streams"));
    let refused = read(&sandbox, LANGUAGES, &limited);
    assert!(refused.ends_with(r#""type":"about:blank"}"#) && refused.contains("Forbidden"), "{refused}");
    let guesses = [
        "low limited-token-on-rest",
        "low wrong-scope-for-the-socket",
        "low forbidden",
        "low wrong-tenant",
        "low missing-tenant",
    ];
    let explained = explain(&world, &refused, "");
    assert_eq!(ranked(&explained), guesses);
    assert_among(&explained, Id("forbidden"));
    let explained = explain_with(&world, &refused, &limited);
    assert_eq!(ranked(&explained)[0], "medium limited-token-on-rest", "{explained:#}");
    let bearer = format!("Authorization: Bearer {full}");
    let refused = get(&sandbox, LANGUAGES, &[&bearer, "Tenant-Name: other"]);
    let file = world.file("token.txt", &full);
    let explained = explain(&world, &refused, &format!("--token-file {file} --tenant other"));
    assert_eq!(ranked(&explained)[0], "medium wrong-tenant", "{explained:#}");
    let path = format!("/audio-bridge/v2/transcribe?tenant-name=base&token=Bearer%20{limited}");
    let explained = explain_with(&world, &get(&sandbox, &path, &[]), &limited);
    assert!(names(&explained).contains(&"limited-token-on-rest"), "{explained:#}");
}

#[test]
fn a_404_without_a_reason_has_two_possible_causes() {
    let (sandbox, world) = start(&["--terse"]);
    let full = mint(&world, "--full");
    let refused = read(&sandbox, &format!("/v2/interactions/{}", uuid::Uuid::new_v4()), &full);
    let explained = explain(&world, &refused, "");
    assert_eq!(ranked(&explained), ["low no-such-interaction", "low unknown-path"], "{explained:#}");
    let none = get(&sandbox, LANGUAGES, &["Tenant-Name: base"]);
    assert_eq!(names(&explain(&world, &none, "")), ["no-token"], "who sent none is told so");
}

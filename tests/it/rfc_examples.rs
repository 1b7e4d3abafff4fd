//! The examples of RFC 7515, 7519 and 8037 in `tests/rfc/examples.json`, and the verdict on each.

use corti_auth::domain::token::inspection::Inspection;
use corti_auth::domain::token::jwks::KeySet;
use corti_auth::domain::token::jwt::Jwt;
use corti_auth::domain::token::signature::{self, SignatureError};
use corti_auth::domain::token::verification::{Policy, Verification};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::common::{Said, World};

/// One second before the `exp` of the examples.
const IN_TIME: i64 = 1_300_819_379;

struct Example {
    source: String,
    token: String,
    /// A key set with the example's key and another one.
    keys: String,
    /// The expected verdict: `good`, `symmetric`, `unsigned` or `unknown algorithm`.
    signature: String,
    /// Whether the payload has claims.
    has_claims: bool,
}

fn examples() -> Vec<Example> {
    let all: Vec<Value> = serde_json::from_str(include_str!("../rfc/examples.json")).unwrap();
    let text = |example: &Value, name: &str| example[name].as_str().unwrap().to_owned();
    let stranger =
        json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" });
    all.iter()
        .map(|example| Example {
            source: text(example, "source"),
            token: text(example, "token"),
            keys: json!({ "keys": [example["key"], stranger] }).to_string(),
            signature: text(example, "signature"),
            has_claims: example["claims"].as_bool().unwrap(),
        })
        .collect()
}

#[test]
fn each_example_has_its_verdict() {
    let world = World::new();
    let examples = examples();
    assert_eq!(examples.len(), 8);
    for example in examples {
        let keys = world.file("keys.json", &example.keys);
        let token = world.file("token", &example.token);
        let said =
            Said::by(&mut world.run_words(&["inspect", "--json", "--verify", "--jwks", &keys, &token]));
        // They expired in 2011, or have no claims.
        assert_eq!(said.code, 7, "{}: {}", example.source, said.stderr);
        let words = match example.signature.as_str() {
            "good" => "",
            "symmetric" => "`HS256` is refused",
            "unsigned" => "the token is not signed (`none`)",
            _ => "unsupported algorithm `ES512`",
        };
        if !example.has_claims {
            let message = said.error()["message"].as_str().unwrap().to_owned();
            let words = if words.is_empty() { "although the signature is good" } else { words };
            assert!(message.contains("the payload is not a JSON object"), "{}: {message}", example.source);
            assert!(message.contains(words), "{}: {message}", example.source);
            assert_eq!(said.stdout, "");
            continue;
        }
        let json = said.json();
        let check = |name: &str| {
            let checks = json["verification"]["checks"].as_array().unwrap();
            checks.iter().find(|check| check["name"] == name).unwrap().clone()
        };
        assert_eq!((&json["issuer"], &json["verification"]["valid"]), (&json!("joe"), &json!(false)));
        assert_eq!(check("expiry")["verdict"], "failed", "{}", example.source);
        let is_good = words.is_empty();
        assert_eq!(json["signature"], if is_good { "valid" } else { "invalid" }, "{}", example.source);
        assert_eq!(check("algorithm")["verdict"], if is_good { "ok" } else { "failed" });
        assert!(check("algorithm")["detail"].as_str().unwrap().contains(words), "{}: {json}", example.source);
    }
}

#[test]
fn before_their_expiry_only_signed_examples_are_valid() {
    let now = Timestamp::from_second(IN_TIME).unwrap();
    for example in examples() {
        let keys = KeySet::parse(example.keys.as_bytes()).unwrap();
        let policy = Policy { issuer: Some("joe".to_owned()), ..Policy::default() };
        let Ok(jwt) = Jwt::decode(&example.token) else {
            assert!(!example.has_claims, "{}", example.source);
            continue;
        };
        let inspection = Inspection::of(&jwt, now);
        let verification = Verification::of(&example.token, &inspection, &keys, &policy, now);
        assert_eq!(verification.valid, example.signature == "good", "{}: {verification:?}", example.source);
        let other = Policy { issuer: Some("jane".to_owned()), ..Policy::default() };
        assert!(!Verification::of(&example.token, &inspection, &keys, &other, now).valid);
    }
}

#[test]
fn a_changed_token_or_another_key_fails_the_signature() {
    let examples = examples();
    let good: Vec<_> = examples.iter().filter(|example| example.signature == "good").collect();
    assert_eq!(good.len(), 3);
    for example in &good {
        let keys = KeySet::parse(example.keys.as_bytes()).unwrap();
        assert!(signature::check(&example.token, &keys).is_ok(), "{}", example.source);
        let (signed, signature) = example.token.rsplit_once('.').unwrap();
        let (head, tail) = signature.split_at(4);
        let swapped: String = head.chars().rev().collect();
        for forged in
            [format!("{signed}.{swapped}{tail}"), format!("{signed}."), format!("{signed}A.{signature}")]
        {
            assert!(signature::check(&forged, &keys).is_err(), "{}: {forged}", example.source);
        }
        for other in good.iter().filter(|other| other.source != example.source) {
            let keys = KeySet::parse(other.keys.as_bytes()).unwrap();
            let error = signature::check(&example.token, &keys).unwrap_err();
            let expected = matches!(error, SignatureError::Wrong)
                || error.to_string().ends_with("does not fit the issuer's key");
            assert!(expected, "{}: {error}", example.source);
        }
    }
}

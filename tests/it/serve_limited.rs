//! `serve` hands out limited tokens only, also if the realm gives more than was asked for (abuse case 5).

use serde_json::json;

use crate::common::fake_server::{Answer, FakeServer};
use crate::common::gateway::{BATCH, Gateway, HOST, config};
use crate::common::{Sandbox, World, forged, forged_token};

const RULES: &str = "[limits]\nrate = \"10000/s\"\nburst = 10000\ntokens = \"1000/s\"\n\
    [[rule]]\ngroups = [\"batch\"]\nallow = [\"token.*\", \"session.*\", \"transcribe\", \"languages.list\"]\n";

const FULL: &str = "openid profile email";

/// The answer of a realm: what it says that it granted, and the token.
fn granted(scope: Option<&str>, token: &str) -> Answer {
    let mut body = json!({ "access_token": token, "expires_in": 300, "token_type": "Bearer" });
    if let Some(scope) = scope {
        body["scope"] = json!(scope);
    }
    // As Keycloak sends them along.
    body["id_token"] = json!(format!("{token}.id"));
    body["refresh_token"] = json!(format!("{token}.refresh"));
    Answer::json(&body.to_string())
}

#[test]
fn a_full_token_never_reaches_a_caller() {
    let idp = Sandbox::start();
    let token = |scope: &str| forged_token("https://auth.example", scope);
    let claims = |claims| forged(&json!({ "alg": "RS256" }), &claims);
    let limited = "openid transcribe";
    // With the status of the refusal.
    for (name, answer, refused) in [
        ("as asked", granted(Some(limited), &token(limited)), None),
        ("scope ignored", granted(Some(FULL), &token(FULL)), Some(502)),
        ("scope ignored, and not said", granted(None, &token(FULL)), Some(502)),
        ("only the answer is limited", granted(Some(limited), &token(FULL)), Some(502)),
        ("only the token is limited", granted(Some(FULL), &token(limited)), Some(502)),
        ("openid alone", granted(Some("openid"), &token("openid")), Some(502)),
        (
            "more than limited",
            granted(
                Some("openid transcribe interactions:read"),
                &token("openid transcribe interactions:read"),
            ),
            Some(502),
        ),
        (
            "the other limited one, too",
            granted(Some("openid transcribe streams"), &token("openid transcribe streams")),
            Some(502),
        ),
        ("only the other one", granted(Some("openid streams"), &token("openid streams")), Some(502)),
        ("no claim", granted(Some(limited), &claims(json!({ "exp": 9_999_999_999_i64 }))), Some(502)),
        (
            "a list as claim",
            granted(Some(limited), &claims(json!({ "scope": ["openid", "transcribe"] }))),
            Some(503),
        ),
        ("opaque", granted(Some(limited), "0123456789abcdef0123456789abcdef"), Some(502)),
        ("an empty scope", granted(Some(""), &token("")), Some(502)),
    ] {
        let is_good = refused.is_none();
        let corti = FakeServer::start(vec![answer]);
        let gateway = Gateway::start_in(World::client_of(&corti.environment), &config(&idp, RULES));
        let mut connection = gateway.connect();
        for (path, body, sent) in [
            ("token", r#"{"scopes":["transcribe"]}"#, 200),
            ("token", r#"{"scopes":["openid","transcribe"]}"#, 200),
            ("sessions", r#"{"kind":"transcribe","via":"direct"}"#, 201),
        ] {
            let (status, head, text) = connection.ask(&format!(
                "POST /broker/v1/{path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {BATCH}\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ));
            let answer = format!("{head}{text}");
            assert_eq!(status, refused.unwrap_or(sent), "{name}: {answer}");
            // The answer has the limited token, and never the two others.
            assert_eq!(answer.contains("eyJ"), is_good, "{name}: {answer}");
            for secret in [".id", ".refresh", "0123456789abcdef", "canary-7"] {
                assert!(!answer.contains(secret), "{name}: {answer}");
            }
        }
        let said = gateway.errors.lock().unwrap().clone();
        assert!(!said.contains("eyJ") && !said.contains("canary-7"), "{name}: {said}");
    }
}

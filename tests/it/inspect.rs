//! `inspect`: what it shows of a token, where the token may come from, and when it fails.

use predicates::prelude::*;
use serde_json::json;

use crate::common::{Said, Sandbox, World, forged};

fn minted(flags: &str) -> (Sandbox, World, String) {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let token = Said::by(&mut world.run(&format!("token {flags}"))).stdout;
    (sandbox, world, token)
}

/// The members of the JSON object, in order.
const FIELDS: [&str; 29] = [
    "algorithm",
    "audience",
    "cleaned",
    "client_id",
    "environment",
    "expired",
    "expires_at",
    "expires_at_unix",
    "fingerprint",
    "issued_at",
    "issued_at_unix",
    "issuer",
    "key_id",
    "kind",
    "meaning",
    "not_before",
    "not_before_unix",
    "reach",
    "redacted",
    "remaining_seconds",
    "roles",
    "schema",
    "scopes",
    "signature",
    "subject",
    "tenant",
    "token_id",
    "username",
    "verification",
];

#[test]
fn a_limited_token_is_shown() {
    let (sandbox, world, token) = minted("--scope streams");
    for arguments in ["inspect", "inspect -"] {
        let said = Said::by(world.run(arguments).write_stdin(format!("\n  {token}\n")));
        assert_eq!(said.code, 0, "{}", said.stderr);
        for words in [
            "access token",
            "limited: it opens the /streams WebSocket and nothing else",
            "openid profile streams",
            "(in ",
            "base",
            "RS256",
            "NOT VERIFIED",
            &sandbox.environment,
        ] {
            assert!(said.stdout.contains(words), "{words}: {}", said.stdout);
        }
        assert!(!said.stdout.contains("eyJ"), "a token is not repeated");
    }
}

#[test]
fn json_has_every_field_of_a_token_in_a_file() {
    let (sandbox, world, token) = minted("--full");
    let file = world.file("token", &token);
    let json = Said::by(&mut world.run_words(&["inspect", "--json", &file])).json();
    assert_eq!(json["schema"], "corti-auth/inspect/v1");
    assert_eq!((&json["kind"], &json["reach"]), (&json!("access"), &json!("full")));
    assert_eq!((&json["environment"], &json["tenant"]), (&json!(sandbox.environment), &json!("base")));
    assert_eq!((&json["client_id"], &json["algorithm"]), (&json!("sandbox"), &json!("RS256")));
    assert_eq!((&json["signature"], &json["expired"]), (&json!("not checked"), &json!(false)));
    assert_eq!(json["expires_at_unix"].as_i64().unwrap() - json["issued_at_unix"].as_i64().unwrap(), 300);
    let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, FIELDS);
    assert_eq!((&json["verification"], &json["cleaned"]), (&json!(null), &json!([])));
    assert_eq!(
        (&json["audience"], &json["username"]),
        (&json!(["account"]), &json!("service-account-sandbox"))
    );
    // Every field can be printed alone, and nothing else.
    for name in keys.iter().filter(|name| **name != "schema") {
        let said = Said::by(&mut world.run_words(&["inspect", "--field", name, &file]));
        let is_null = json[name].is_null();
        assert_eq!(said.code, i32::from(is_null), "{name}: {}", said.stderr);
    }
    let scopes = Said::by(&mut world.run_words(&["inspect", "--field", "scopes", &file]));
    assert_eq!(scopes.stdout, "email openid profile\n");
    let scopes = Said::by(&mut world.run_words(&["inspect", "--json", "--field", "scopes", &file])).json();
    assert_eq!(
        scopes,
        json!({ "schema": "corti-auth/inspect/v1", "scopes": ["email", "openid", "profile"] })
    );
    let unknown = Said::by(&mut world.run_words(&["inspect", "--field", "scope", &file]));
    assert!(unknown.code == 2 && unknown.stderr.contains("the fields are kind, reach"), "{}", unknown.stderr);
}

#[test]
fn redact_hides_what_identifies_a_customer() {
    let (sandbox, world, token) = minted("--full");
    let secret = [token.trim(), "service-account-sandbox", "trrtcc:"];
    let plain = Said::by(world.run("inspect --json").write_stdin(token.clone())).json();
    let subject = plain["subject"].as_str().unwrap();
    for arguments in ["inspect --redact", "inspect --redact --json", "inspect --redact --verify"] {
        let said = Said::by(world.run(arguments).write_stdin(token.clone()));
        assert_eq!(said.code, 0, "{}", said.stderr);
        for word in secret.iter().chain([&subject]).chain(&token.trim().split('.').collect::<Vec<_>>()) {
            assert!(!said.stdout.contains(word) && !said.stderr.contains(word), "{word}: {}", said.stdout);
        }
        for word in [sandbox.environment.as_str(), "full", "RS256", "sha256:", "account"] {
            assert!(said.stdout.contains(word), "{word}: {}", said.stdout);
        }
    }
    let id_token = json!({
        "typ": "ID", "exp": 9_999_999_999_i64, "azp": "acme-hospital", "aud": ["acme-hospital", "account"],
        "resource_access": { "acme-hospital": { "roles": ["nurse"] } },
    });
    let id_token = forged(&json!({ "alg": "RS256" }), &id_token);
    let json = Said::by(World::new().run("inspect --redact --json").write_stdin(id_token)).json();
    assert!(!json.to_string().contains("acme-hospital"), "{json}");
    assert_eq!((&json["client_id"], &json["audience"][0]), (&json["audience"][0], &json["client_id"]));
    assert_eq!(json["redacted"], true);
    // The audience that was asked for is not shown either, whether the token has it or not.
    for audience in ["acme-hospital", "account"] {
        for style in ["", "--json"] {
            let flags = format!("inspect --redact --verify --audience {audience} {style}");
            let said = Said::by(world.run(&flags).write_stdin(token.clone()));
            assert_eq!(said.code, if audience == "account" { 0 } else { 7 }, "{}", said.stderr);
            let is_shown = said.stdout.contains("acme") || said.stderr.contains("acme");
            assert!(!is_shown && said.stdout.contains("for `"), "{}{}", said.stdout, said.stderr);
        }
    }
}

#[test]
fn a_missing_required_scope_exits_10() {
    let far = 9_999_999_999_i64;
    let token = |exp| {
        forged(&json!({ "alg": "RS256" }), &json!({ "typ": "Bearer", "exp": exp, "scope": "openid streams" }))
    };
    let table = [
        ("--require-scope streams", far, 0),
        ("--require-scope streams,openid", far, 0),
        ("--require-scope transcribe", far, 10),
        ("--require-scope streams --require-scope transcribe", far, 10),
        ("--require-scope transcribe", 1, 7),
    ];
    for (flags, exp, code) in table {
        let said = Said::by(World::new().run(&format!("inspect {flags}")).write_stdin(token(exp)));
        assert_eq!(said.code, code, "{flags}: {}", said.stderr);
        assert!(said.stdout.contains("openid streams"), "it is printed in any case");
    }
    let said = Said::by(World::new().run("inspect --json --require-scope x").write_stdin(token(far)));
    assert_eq!((&said.error()["code"], &said.error()["exit"]), (&json!("check_failed"), &json!(10)));
}

#[test]
fn an_expired_token_is_shown_and_exits_7() {
    let claims = json!({ "typ": "Bearer", "exp": 1_300_819_380, "scope": "openid", "iss": "https://auth.eu.corti.app/realms/base" });
    let said = Said::by(World::new().run("inspect").write_stdin(forged(&json!({ "alg": "RS256" }), &claims)));
    assert_eq!(said.code, 7);
    assert!(
        said.stdout.contains("2011-03-22T18:43:00Z (expired ") && said.stdout.contains("environment  eu"),
        "{}",
        said.stdout
    );
    assert!(said.stderr.contains("error: the token expired"), "{}", said.stderr);
}

#[test]
fn the_kind_and_the_reach_are_shown() {
    for (typ, words) in [("ID", "an ID token"), ("Refresh", "a refresh token")] {
        let token = forged(&json!({ "alg": "RS256" }), &json!({ "typ": typ, "exp": 9_999_999_999_i64 }));
        World::new()
            .run("inspect")
            .write_stdin(token)
            .assert()
            .success()
            .stdout(predicate::str::contains(words));
    }
    let mixed = json!({ "typ": "Bearer", "exp": 9_999_999_999_i64, "scope": "openid transcribe facts:read" });
    let token = forged(&json!({ "alg": "RS256" }), &mixed);
    World::new()
        .run("inspect")
        .write_stdin(token)
        .assert()
        .success()
        .stdout(predicate::str::contains("treat it as full"));
}

#[test]
fn an_unclear_kind_or_reach_is_not_guessed() {
    let verdict = |claims: serde_json::Value| {
        Said::by(World::new().run("inspect").write_stdin(forged(&json!({ "alg": "RS256" }), &claims)))
    };
    let far = 9_999_999_999_i64;
    let no_type = verdict(json!({ "exp": far, "scope": "openid transcribe" }));
    assert!(no_type.stdout.contains("unknown: its `typ`"), "{}", no_type.stdout);
    let odd = verdict(json!({ "typ": "Bearer", "exp": far, "scope": "openid transcribe \"admin:write\"" }));
    assert!(odd.stdout.contains("treat it as full"), "{}", odd.stdout);
    let later = verdict(json!({ "typ": "Bearer", "exp": far, "nbf": far - 1, "scope": "openid" }));
    assert_eq!(later.code, 7);
    assert!(later.stdout.contains("not valid yet"), "{}", later.stdout);
    assert!(later.stderr.contains("is not valid before"), "{}", later.stderr);
}

#[test]
fn text_without_a_token_exits_7() {
    for (text, words) in [
        ("", "no token: the input is empty"),
        ("hello", "no token in this text"),
        ("b1946ac92492d2347c6235b4d2611184", "an opaque token"),
        ("a.b.c", "not base64url"),
        ("a.b.c.d.e", "JWE"),
    ] {
        let said = Said::by(World::new().run("inspect").write_stdin(text));
        assert_eq!(said.code, 7, "{text}");
        assert!(said.stderr.contains(words) && said.stderr.contains("hint: "), "{text}: {}", said.stderr);
    }
    World::new()
        .run("inspect")
        .write_stdin([0xff, 0xff])
        .assert()
        .code(7)
        .stderr(predicate::str::contains("not text"));
    let long = "x".repeat(300 * 1024);
    let world = World::new();
    let file = world.file("long", &long);
    let too_long = || predicate::str::contains("longer than");
    world.run("inspect").write_stdin(long).assert().code(7).stderr(too_long());
    world.run_words(&["inspect", &file]).assert().code(7).stderr(too_long());
}

#[test]
fn a_token_as_an_argument_is_refused_and_not_printed() {
    let token = forged(&json!({ "alg": "RS256" }), &json!({}));
    for words in [vec!["inspect", &token], vec!["token", &token], vec!["inspect", "--field", &token]] {
        let said = Said::by(&mut World::new().run_words(&words));
        assert_eq!(said.code, 2);
        assert!(
            !format!("{}{}", said.stdout, said.stderr).contains(token.split('.').next().unwrap()),
            "{}",
            said.stderr
        );
    }
    World::new()
        .run("inspect /no/such/file")
        .assert()
        .code(2)
        .stderr(predicate::str::contains("from `/no/such/file`"));
}

#[test]
fn a_token_cannot_control_the_terminal() {
    let claims = json!({
        "typ": "Bearer", "exp": 9_999_999_999_i64, "scope": "openid", "iss": "https://evil\u{1b}[2J/realms/x",
        "azp": "a\r\u{1b}]0;title\u{7}\u{202e}b",
    });
    let token = forged(&json!({ "alg": "RS256\u{9b}31m", "kid": "k\nsignature  checked" }), &claims);
    let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    for arguments in ["inspect", "inspect --color always"] {
        let stdout = Said::by(World::new().run(arguments).write_stdin(token.clone())).stdout;
        let ours = stdout.replace("\u{1b}[3", "").replace("\u{1b}[1", "").replace("\u{1b}[0m", "");
        assert!(!ours.chars().any(bad), "{stdout:?}");
        assert!(!stdout.lines().any(|line| line.starts_with("signature  checked")), "{stdout}");
    }
    let json = Said::by(World::new().run("inspect --json").write_stdin(token)).stdout;
    assert!(!json.chars().any(|c| c.is_control() && c != '\n'), "{json:?}");
}

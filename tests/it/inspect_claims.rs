//! `inspect --claims`: every claim with its meaning, and what is said of claims that cannot be used.

use serde_json::{Value, json};

use crate::common::{Said, World, forged, now};

/// The output of `inspect` with these arguments.
fn inspect(arguments: &str, token: &str) -> Said {
    Said::by(World::new().run(&format!("inspect {arguments}")).write_stdin(token))
}

fn token(claims: &Value) -> String {
    forged(&json!({ "alg": "RS256", "kid": "k1", "x5u": "https://acme.example/cert" }), claims)
}

/// A token as Keycloak writes it, with a claim of nobody's registry.
fn claims() -> Value {
    json!({
        "exp": 4_102_444_800_i64, "iat": 1_300_819_380.75, "iss": "https://auth.eu.corti.app/realms/base", "acr": "1",
        "aud": ["account", "acme-app"], "azp": "acme-app", "sid": "s-1", "typ": "Bearer", "scope": "openid streams",
        "clientHost": "10.1.2.3", "clientAddress": "10.1.2.3", "allowed-origins": ["https://acme.example"],
        "realm_access": { "roles": ["a", "b"] }, "resource_access": { "acme-app": { "roles": ["nurse"] } },
        "ward": "acme-7", "beds": 7, "number": "7", "none": null,
    })
}

#[test]
fn every_claim_is_shown_with_its_meaning() {
    let said = inspect("--claims", &token(&claims()));
    assert_eq!(said.code, 0, "{}", said.stderr);
    let rows: Vec<String> =
        said.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for row in [
        "header",
        "alg signature algorithm: RS256",
        "x5u URL of the signer's certificates (corti-auth ignores it): https://acme.example/cert",
        "claims",
        "iss issuer: https://auth.eu.corti.app/realms/base",
        "acr how strongly the user was authenticated: 1",
        "aud audience: account, acme-app",
        "azp client it was issued to: acme-app",
        "sid session of the user: s-1",
        "clientHost host that asked for it: 10.1.2.3",
        "allowed-origins origins of web pages that may use it: https://acme.example",
        "realm_access roles in the realm",
        "roles a, b",
        "resource_access roles at each client",
        "acme-app an object",
        "roles nurse",
        "ward acme-7",
        "beds 7",
        // A text that could be taken for a number.
        "number \"7\"",
        "none null",
    ] {
        assert!(rows.iter().any(|it| it == row), "{row}: {}", said.stdout);
    }
    for start in ["exp expires: 2100-01-01T00:00:00Z, in ", "iat issued: 2011-03-22T18:43:00Z, "] {
        assert!(rows.iter().any(|row| row.starts_with(start)), "{start}: {}", said.stdout);
    }
    assert!(said.stdout.contains(" d ") && said.stdout.contains(" ago\n"), "{}", said.stdout);
    assert!(said.stdout.contains("NOT VERIFIED"), "{}", said.stdout);
}

#[test]
fn json_has_the_claims_as_they_are() {
    let said = inspect("--claims --json", &token(&claims()));
    assert_eq!((said.code, &said.json()["claims"]), (0, &claims()));
    assert_eq!(said.json()["header"]["kid"], "k1");
    let field = inspect("--claims --field header", &token(&claims())).stdout;
    assert_eq!(
        field,
        "{\"alg\":\"RS256\",\"kid\":\"k1\",\"x5u\":\"https://acme.example/cert\"}
"
    );
    let line = inspect("--claims --lines", &token(&claims())).json();
    assert_eq!((&line["line"], &line["claims"]["ward"]), (&json!(1), &json!("acme-7")));
    assert!(
        inspect("--json", &token(&claims())).json().get("claims").is_none(),
        "only if they are asked for"
    );
}

#[test]
fn redacted_claims_identify_nobody() {
    for arguments in ["--claims --redact", "--claims --redact --json"] {
        let said = inspect(arguments, &token(&claims()));
        for words in ["acme", "10.1.2.3", "s-1"] {
            assert!(!said.stdout.contains(words), "{words}: {}", said.stdout);
        }
        for words in ["openid streams", "auth.eu.corti.app", "nurse", "account", "RS256", "Bearer", "k1"] {
            assert!(said.stdout.contains(words), "{words}: {}", said.stdout);
        }
    }
    let json = inspect("--claims --redact --json", &token(&claims())).json();
    assert_eq!(json["claims"]["azp"], json["client_id"], "the same name has the same fingerprint");
    // A claim of a wrong type may hold anything.
    let odd = json!({ "iss": ["acme"], "exp": "acme", "typ": { "acme": 1 }, "realm_access": { "roles": [], "x": "acme" } });
    let said = inspect("--claims --redact", &token(&odd));
    assert!(said.code == 7 && !said.stdout.contains("acme"), "{}", said.stdout);
}

#[test]
fn a_claim_that_cannot_be_used_is_shown_and_named() {
    let (mut odd, world) = (claims(), World::new());
    odd["exp"] = json!("4102444800");
    let (text, message) = (token(&odd), "`exp` is a string, not a number of seconds");
    let said = inspect("", &text);
    assert_eq!(said.code, 7);
    assert!(said.stdout.contains(&format!("unknown: {message}")), "{}", said.stdout);
    assert!(said.stdout.contains("openid streams") && said.stdout.contains("acme-app"), "{}", said.stdout);
    assert!(said.stderr.starts_with(&format!("error: {message}\n")), "{}", said.stderr);
    let said = inspect("--claims", &text);
    let row = "expires: \"4102444800\" (is a string, not a number of seconds)";
    assert!(said.code == 7 && said.stdout.contains(row), "{}", said.stdout);
    let said = inspect("--json", &text);
    assert_eq!(
        (said.code, &said.json()["error"], &said.json()["expires_at"]),
        (7, &json!(message), &json!(null))
    );
    let said = inspect("--json --field client_id", &text);
    assert_eq!((said.code, &said.json()["client_id"]), (7, &json!("acme-app")));
    let lines = format!("{text}\n{}\n", token(&claims()));
    let said = inspect("", &lines);
    assert!(said.code == 7 && said.stderr.contains("1 of 2 lines has no valid token"), "{}", said.stderr);
    let file = world.file("token", &text);
    for command in ["diff", "check"] {
        let other = if command == "diff" { file.as_str() } else { "--environment=eu" };
        let said = Said::by(&mut world.run_words(&[command, &file, other]));
        assert!(said.code == 7 && said.stderr.contains(message), "{command}: {}", said.stderr);
        assert!(said.stderr.contains("corti-auth inspect --claims"), "{command}: {}", said.stderr);
    }
    let said = Said::by(&mut world.run(&format!("explain 401 --token-file {file}")));
    assert!(
        said.stdout.contains(&format!("because  in the token that was sent, {message}")),
        "{}",
        said.stdout
    );
}

#[test]
fn the_hint_mints_a_token_like_the_one_that_cannot_be_used() {
    let past = now().as_second() - 60;
    let expired = |typ: &str, scope: &str| token(&json!({ "typ": typ, "exp": past, "scope": scope }));
    let table = [
        (expired("Bearer", "openid streams profile"), "corti-auth token streams"),
        (expired("Bearer", "openid transcribe streams"), "corti-auth token streams transcribe"),
        (expired("Bearer", "openid profile"), "corti-auth token full"),
        (expired("Bearer", "openid transcribe a;b"), "corti-auth token --scope 'a;b,transcribe'"),
        (expired("ID", "openid"), "sign in again in the application that you got it from"),
        (token(&json!({ "typ": "Bearer", "exp": past })), "corti-auth token --help"),
    ];
    for (text, hint) in table {
        let said = inspect("", &text);
        assert!(
            said.code == 7 && said.stderr.ends_with(&format!("\nhint: {hint}\n")),
            "{hint}: {}",
            said.stderr
        );
    }
    let (world, both) = (World::new(), expired("Bearer", "openid transcribe streams"));
    let file = world.file("token", both);
    let said = Said::by(&mut world.run(&format!("explain 401 --token-file {file}")));
    assert!(said.stdout.contains("mint a new one: corti-auth token transcribe streams"), "{}", said.stdout);
    let whole = expired("Bearer", "openid streams");
    let (cut, _) = whole.rsplit_once('.').unwrap();
    let said = inspect("", cut);
    assert_eq!(
        (said.code, said.stderr.as_str()),
        (
            7,
            "error: incomplete token: 2 of 3 dot-separated parts\nhint: copy it again, whole\nhint: or mint a new one: \
             corti-auth token streams\n"
        )
    );
    let lacking = token(&json!({ "typ": "Bearer", "exp": 9_999_999_999_i64, "scope": "openid streams" }));
    let said = inspect("--require-scope transcribe", &lacking);
    assert!(
        said.code == 10 && said.stderr.ends_with("hint: corti-auth token streams transcribe\n"),
        "{}",
        said.stderr
    );
}

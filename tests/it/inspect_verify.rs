//! `inspect --verify`: whose keys are used, what is checked, and that no URL or key in a token is used.

use serde_json::{Value, json};

use crate::common::control::request_token;
use crate::common::fake_server::{Answer, FakeServer};
use crate::common::ready::{mint, verdicts};
use crate::common::{self, Said, Sandbox, World, forged, now, wait_until};

#[tokio::test]
async fn a_good_token_passes_every_check() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let token = mint(&world, "--scope streams");
    let said = Said::by(world.run("inspect --verify").write_stdin(token.clone()));
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    assert!(said.stdout.contains("result        valid (keys of"), "{}", said.stdout);
    assert!(!said.stdout.contains("NOT VERIFIED"), "{}", said.stdout);
    let json = Said::by(world.run("inspect --verify --json").write_stdin(token)).json();
    let all = ["signature ok", "algorithm ok", "expiry ok", "not_before ok", "issuer ok", "audience ok"];
    assert_eq!(verdicts(&json), all);
    assert_eq!((&json["signature"], &json["verification"]["valid"]), (&json!("valid"), &json!(true)));
    assert_eq!(json["verification"]["leeway_seconds"], 30);
    let id_token = request_token(&sandbox).await.json()["id_token"].as_str().unwrap().to_owned();
    let json = Said::by(world.run("inspect --verify --json").write_stdin(id_token)).json();
    assert_eq!((&json["kind"], &json["audience"]), (&json!("id"), &json!(["sandbox"])));
    assert_eq!(verdicts(&json), all);
}

#[test]
fn a_changed_or_foreign_token_is_invalid() {
    let (sandbox, other) = (Sandbox::start(), Sandbox::start());
    let world = World::of(&sandbox);
    let token = mint(&world, "--scope streams");
    let [header, _, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("{token}") };
    let full = mint(&world, "--full");
    let changed = format!("{header}.{}.{signature}", full.split('.').nth(1).unwrap());
    let foreign = World::of(&other);
    let foreign = mint(&foreign, "--scope streams");
    for (token, words) in [(changed, "or the token was modified"), (foreign, "the issuer has no key")] {
        let said = Said::by(world.run("inspect --verify").write_stdin(token.clone()));
        assert_eq!(said.code, 7);
        assert!(said.stdout.contains("INVALID (keys of"), "{}", said.stdout);
        assert!(said.stdout.contains(words), "{}", said.stdout);
        assert!(said.stderr.contains("the token is not valid: signature"), "{}", said.stderr);
        let json = Said::by(world.run("inspect --verify --json --require-scope x").write_stdin(token));
        assert_eq!((json.code, &json.json()["signature"]), (7, &json!("invalid")), "7 outranks 10");
    }
}

/// Like Keycloak, the sandbox issues tokens under the name by which it was called, and accepts its own tokens under
/// any name.
#[test]
fn the_issuer_has_the_name_by_which_the_sandbox_was_called() {
    let sandbox = Sandbox::start();
    let numeric = World::of(&sandbox);
    let mut named = World::of(&sandbox);
    let localhost = sandbox.environment.replace("127.0.0.1", "localhost");
    named.set("CORTI_ENVIRONMENT", &localhost);
    let token = mint(&named, "--full");
    let said = Said::by(named.run("inspect --verify --json").write_stdin(token.clone()));
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    assert_eq!(said.json()["issuer"], format!("{localhost}/realms/base"));
    assert_eq!(Said::by(numeric.run("inspect --verify").write_stdin(token)).code, 7);
    let listed = Said::by(&mut named.run("interaction list"));
    assert_eq!(listed.code, 0, "{}", listed.stderr);
}

#[test]
fn an_expired_token_is_valid_within_the_leeway() {
    let sandbox = Sandbox::start_with(&["--token-lifetime", "1"]);
    let world = World::of(&sandbox);
    let token = mint(&world, "--full");
    let expiry = Said::by(world.run("inspect --json").write_stdin(token.clone())).json();
    let expiry = expiry["expires_at_unix"].as_i64().unwrap();
    wait_until("the token has expired", || now().as_second() > expiry);
    for (leeway, code) in [("0", 7), ("1h", 0)] {
        let said =
            Said::by(world.run(&format!("inspect --verify --leeway {leeway}")).write_stdin(token.clone()));
        assert_eq!(said.code, code, "{leeway}: {}", said.stderr);
        assert!(said.stdout.contains(if code == 0 { "within the leeway" } else { "failed: it expired" }));
    }
    // Without --verify the option is an error.
    let said = Said::by(world.run("inspect --leeway 1h").write_stdin(token.clone()));
    assert_eq!((said.code, said.stdout.as_str()), (2, ""));
    assert!(said.stderr.contains("--verify"), "{}", said.stderr);
    assert_eq!(Said::by(world.run("inspect").write_stdin(token)).code, 7);
    assert_eq!(Said::by(World::new().run("inspect --verify --leeway 2h").write_stdin("x")).code, 2);
}

#[test]
fn no_key_or_url_in_a_token_is_used() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let server = FakeServer::start(vec![Answer::json(r#"{"keys":[]}"#)]);
    let issuer = format!("{}/realms/base", server.environment);
    let header = json!({
        "alg": "RS256", "kid": "x", "jku": server.environment, "x5u": server.environment, "x5c": ["AA"],
        "jwk": { "kty": "RSA", "n": "AQAB", "e": "AQAB" },
    });
    let token = forged(&header, &json!({ "typ": "Bearer", "iss": issuer, "exp": 9_999_999_999_i64 }));
    let said = Said::by(world.run("inspect --verify -v").write_stdin(token.clone()));
    assert_eq!(said.code, 7, "{}", said.stderr);
    assert!(
        said.stdout.contains("jwk, jku, x5u, x5c: the token names its own keys; corti-auth ignores them"),
        "{}",
        said.stdout
    );
    assert!(said.stdout.contains("issuer      failed"), "{}", said.stdout);
    assert_eq!(said.stderr.lines().filter(|line| line.starts_with("GET ")).count(), 2, "{}", said.stderr);
    let said = Said::by(World::new().run("inspect --verify").write_stdin(token));
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(said.stderr.contains("--environment eu"), "{}", said.stderr);
    assert_eq!(server.requests(), Vec::<String>::new());
}

/// Returns a server's answers, given its environment and a function that makes a discovery document of an
/// environment, an issuer and a URL of keys.
type Answers = fn(&str, &dyn Fn(&str, &str, &str) -> Answer) -> Vec<Answer>;

/// Answers of a wrong realm, the exit code, and words of the message.
const WRONG_REALMS: [(Answers, i32, &str); 7] = [
    (|e, d| vec![d(e, "https://auth.eu.corti.app/realms/base", e)], 3, "its issuer is"),
    (
        |e, d| vec![d(e, &format!("{e}/realms/base"), "https://evil.example/keys")],
        3,
        "evil.example/keys`, which is not on the host",
    ),
    (|e, d| vec![d(e, &format!("{e}/realms/base"), "")], 3, "which is not on the host"),
    (
        |e, d| vec![d(e, &format!("{e}/realms/base"), &format!("{e}/k")), Answer::json("{\"keys\":[]}")],
        8,
        "no public key",
    ),
    (
        |e, d| {
            vec![d(e, &format!("{e}/realms/base"), &format!("{e}/k")), Answer::http("200 OK", &[], "<html>")]
        },
        8,
        "not a JSON Web Key set",
    ),
    (
        |e, d| vec![d(e, &format!("{e}/realms/base"), &format!("{e}/k")), Answer::http("500 X", &[], "")],
        9,
        "answered 500",
    ),
    (|_, _| vec![Answer::http("302 Found", &["Location: https://evil.example/"], "")], 8, "redirects (302)"),
];

#[test]
fn keys_of_a_wrong_realm_are_not_used() {
    let token = forged(&json!({ "alg": "RS256" }), &json!({ "exp": 9_999_999_999_i64 }));
    let document = |environment: &str, issuer: &str, keys: &str| {
        let token_endpoint = format!("{environment}/realms/base/protocol/openid-connect/token");
        let document = json!({ "issuer": issuer, "token_endpoint": token_endpoint, "jwks_uri": keys });
        Answer::json(&document.to_string())
    };
    for (answers, code, words) in WRONG_REALMS {
        let server = FakeServer::start_by(|environment| answers(environment, &document));
        let said = Said::by(
            World::new()
                .run(&format!("inspect --verify -e {}", server.environment))
                .write_stdin(token.clone()),
        );
        assert_eq!(said.code, code, "{words}: {}", said.stderr);
        assert!(
            said.stderr.contains(words) && said.stderr.contains("cannot get the keys of"),
            "{words}: {}",
            said.stderr
        );
        assert_eq!(said.stdout, "", "nothing is said of a token that could not be verified");
    }
}

#[test]
fn a_refresh_token_is_shown_but_cannot_be_verified() {
    let sandbox = Sandbox::start();
    let claims = json!({
        "typ": "Refresh", "iss": format!("{}/realms/base", sandbox.environment), "exp": 9_999_999_999_i64,
        "aud": format!("{}/realms/base", sandbox.environment), "azp": "sandbox", "scope": "openid offline_access",
    });
    let token = forged(&json!({ "alg": "HS512", "typ": "JWT", "kid": "x" }), &claims);
    let said = Said::by(World::of(&sandbox).run("inspect").write_stdin(token.clone()));
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.contains("refresh token") && said.stdout.contains("HS512"), "{}", said.stdout);
    let said = Said::by(World::of(&sandbox).run("inspect --verify --json").write_stdin(token));
    assert_eq!(said.code, 7);
    assert_eq!(verdicts(&said.json())[..2], ["signature failed", "algorithm failed"]);
    assert!(said.stdout.contains("shared secret"), "{}", said.stdout);
}

#[test]
fn keys_that_cannot_be_fetched_do_not_end_the_stream() {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::{Command, Stdio};

    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let token = mint(&world, "--full");
    let unknown = forged(&json!({ "alg": "RS256", "kid": "nobody" }), &json!({ "exp": 9_999_999_999_i64 }));
    let mut command = Command::new(common::binary());
    command.env_clear().envs(world.variables()).args(["inspect", "--verify", "--lines"]);
    let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = streams.spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    writeln!(stdin, "{token}").unwrap();
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    // Now its keys are known, and the realm is stopped.
    drop(sandbox);
    write!(stdin, "{token}\n{unknown}\n{token}\n").unwrap();
    drop(stdin);
    let lines: Vec<Value> = std::iter::once(first)
        .chain(stdout.lines().map(Result::unwrap))
        .map(|line| serde_json::from_str(&line).unwrap())
        .collect();
    let signatures: Vec<&str> = lines.iter().map(|line| line["signature"].as_str().unwrap()).collect();
    assert_eq!(signatures, ["valid", "valid", "invalid", "valid"]);
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

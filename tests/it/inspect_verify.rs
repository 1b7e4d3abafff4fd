//! `inspect --verify`: by whose keys, what is compared with what, and that nothing a token names is followed.

use serde_json::{Value, json};

use crate::common::control::{Answer as Http, client};
use crate::common::ready::{minted, verdicts};
use crate::common::rude::{Answer, Rude};
use crate::common::{self, Said, Sandbox, World, forged, now, wait_until};

#[tokio::test]
async fn a_good_token_is_valid_and_every_check_is_named() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let token = minted(&world, "--scope streams");
    let said = Said::by(world.run("inspect --verify").write_stdin(token.clone()));
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    assert!(said.stdout.contains("verified      valid, by the keys of"), "{}", said.stdout);
    assert!(!said.stdout.contains("NOT VERIFIED"), "{}", said.stdout);
    let json = Said::by(world.run("inspect --verify --json").write_stdin(token)).json();
    let all = ["signature ok", "algorithm ok", "expiry ok", "not_before ok", "issuer ok", "audience ok"];
    assert_eq!(verdicts(&json), all);
    assert_eq!((&json["signature"], &json["verification"]["valid"]), (&json!("valid"), &json!(true)));
    assert_eq!(json["verification"]["leeway_seconds"], 30);
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope=openid",
        sandbox.client_id, sandbox.client_secret
    );
    let request =
        client().post(sandbox.token_url()).header("content-type", "application/x-www-form-urlencoded");
    let id_token = Http::to(request.body(form)).await.json()["id_token"].as_str().unwrap().to_owned();
    let json = Said::by(world.run("inspect --verify --json").write_stdin(id_token)).json();
    assert_eq!((&json["kind"], &json["audience"]), (&json!("id"), &json!(["sandbox"])));
    assert_eq!(verdicts(&json), all);
}

#[test]
fn a_changed_token_and_one_of_another_realm_are_invalid() {
    let (sandbox, other) = (Sandbox::start(), Sandbox::start());
    let world = World::of(&sandbox);
    let token = minted(&world, "--scope streams");
    let [header, _, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("{token}") };
    let full = minted(&world, "--full");
    let changed = format!("{header}.{}.{signature}", full.split('.').nth(1).unwrap());
    let foreign = World::of(&other);
    let foreign = minted(&foreign, "--scope streams");
    for (token, words) in [(changed, "the token was changed since"), (foreign, "the issuer has no key")] {
        let said = Said::by(world.run("inspect --verify").write_stdin(token.clone()));
        assert_eq!(said.code, 7);
        assert!(said.stdout.contains("INVALID: nothing of this can be relied on"), "{}", said.stdout);
        assert!(said.stderr.contains(words), "{}", said.stderr);
        let json = Said::by(world.run("inspect --verify --json --require-scope x").write_stdin(token));
        assert_eq!((json.code, &json.json()["signature"]), (7, &json!("invalid")), "7 outranks 10");
    }
}

/// As with Keycloak: the sandbox is what it is called, and compares no names where it made the token itself.
#[test]
fn a_token_is_issued_by_the_name_that_was_asked() {
    let sandbox = Sandbox::start();
    let numeric = World::of(&sandbox);
    let mut named = World::of(&sandbox);
    let localhost = sandbox.environment.replace("127.0.0.1", "localhost");
    named.set("CORTI_ENVIRONMENT", &localhost);
    let token = minted(&named, "--full");
    let said = Said::by(named.run("inspect --verify --json").write_stdin(token.clone()));
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    assert_eq!(said.json()["issuer"], format!("{localhost}/realms/base"));
    assert_eq!(Said::by(numeric.run("inspect --verify").write_stdin(token)).code, 7);
    let listed = Said::by(&mut named.run("interaction list"));
    assert_eq!(listed.code, 0, "{}", listed.stderr);
}

#[test]
fn the_leeway_is_between_expired_and_valid() {
    let sandbox = Sandbox::start_with(&["--token-lifetime", "1"]);
    let world = World::of(&sandbox);
    let token = minted(&world, "--full");
    let expiry = Said::by(world.run("inspect --json").write_stdin(token.clone())).json();
    let expiry = expiry["expires_at_unix"].as_i64().unwrap();
    wait_until("the token has expired", || now().as_second() > expiry);
    for (leeway, code) in [("0", 7), ("1h", 0)] {
        let said =
            Said::by(world.run(&format!("inspect --verify --leeway {leeway}")).write_stdin(token.clone()));
        assert_eq!(said.code, code, "{leeway}: {}", said.stderr);
        assert!(said.stdout.contains(if code == 0 { "within the leeway" } else { "failed: it expired" }));
    }
    // Without --verify there is none, and it is not ignored.
    let said = Said::by(world.run("inspect --leeway 1h").write_stdin(token.clone()));
    assert_eq!((said.code, said.stdout.as_str()), (2, ""));
    assert!(said.stderr.contains("--verify"), "{}", said.stderr);
    assert_eq!(Said::by(world.run("inspect").write_stdin(token)).code, 7);
    assert_eq!(Said::by(World::new().run("inspect --verify --leeway 2h").write_stdin("x")).code, 2);
}

#[test]
fn nothing_that_a_token_names_is_followed() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let rude = Rude::start(vec![Answer::json(r#"{"keys":[]}"#)]);
    let issuer = format!("{}/realms/base", rude.environment);
    let header = json!({
        "alg": "RS256", "kid": "x", "jku": rude.environment, "x5u": rude.environment, "x5c": ["AA"],
        "jwk": { "kty": "RSA", "n": "AQAB", "e": "AQAB" },
    });
    let token = forged(&header, &json!({ "typ": "Bearer", "iss": issuer, "exp": 9_999_999_999_i64 }));
    let said = Said::by(world.run("inspect --verify -v").write_stdin(token.clone()));
    assert_eq!(said.code, 7, "{}", said.stderr);
    assert!(
        said.stdout.contains("jwk, jku, x5u, x5c: the token names its own keys, which are never used"),
        "{}",
        said.stdout
    );
    assert!(said.stdout.contains("issuer      failed"), "{}", said.stdout);
    assert_eq!(said.stderr.lines().filter(|line| line.starts_with("GET ")).count(), 2, "{}", said.stderr);
    let said = Said::by(World::new().run("inspect --verify").write_stdin(token));
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(said.stderr.contains("--environment eu"), "{}", said.stderr);
    assert_eq!(rude.requests(), Vec::<String>::new());
}

/// Makes a server's answers of its environment and a maker of discovery documents: environment, issuer, keys.
type Answers = fn(&str, &dyn Fn(&str, &str, &str) -> Answer) -> Vec<Answer>;

/// What a realm answers that is not the right one, the exit code, and the words about it.
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
fn a_realm_that_is_not_the_right_one_gives_no_keys() {
    let token = forged(&json!({ "alg": "RS256" }), &json!({ "exp": 9_999_999_999_i64 }));
    let document = |environment: &str, issuer: &str, keys: &str| {
        let token_endpoint = format!("{environment}/realms/base/protocol/openid-connect/token");
        let document = json!({ "issuer": issuer, "token_endpoint": token_endpoint, "jwks_uri": keys });
        Answer::json(&document.to_string())
    };
    for (answers, code, words) in WRONG_REALMS {
        let rude = Rude::start_by(|environment| answers(environment, &document));
        let said = Said::by(
            World::new().run(&format!("inspect --verify -e {}", rude.environment)).write_stdin(token.clone()),
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
fn a_refresh_token_of_keycloak_decodes_and_cannot_be_verified() {
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
    assert!(said.stderr.contains("symmetric"), "{}", said.stderr);
}

#[test]
fn a_key_that_cannot_be_asked_for_ends_no_stream() {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::{Command, Stdio};

    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let token = minted(&world, "--full");
    let unknown = forged(&json!({ "alg": "RS256", "kid": "nobody" }), &json!({ "exp": 9_999_999_999_i64 }));
    let mut command = Command::new(common::binary());
    command.env_clear().envs(world.variables()).args(["inspect", "--verify", "--lines"]);
    let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = streams.spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    writeln!(stdin, "{token}").unwrap();
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    // The realm's keys are there now, and the realm is not.
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

//! The commands with a real Keycloak: what is minted, and the message and exit code of each refusal.

use predicates::prelude::*;
use serde_json::{Value, json};

use crate::common::keycloak::Keycloak;
use crate::common::{Keyring, Said, World};

/// A world whose variables name this client of Keycloak.
fn world(keycloak: &Keycloak, client: &str) -> World {
    let mut world = World::new();
    for (name, value) in [
        ("CORTI_ENVIRONMENT", keycloak.environment.as_str()),
        ("CORTI_CLIENT_ID", client),
        ("CORTI_CLIENT_SECRET", keycloak.secret_of(client)),
    ] {
        world.set(name, value);
    }
    world
}

fn log_in(world: &World, keycloak: &Keycloak, client: &str, secret: &str) -> Said {
    let file = world.file("secret", secret);
    let words = ["login", "-e", &keycloak.environment, "--client-id", client, "--secret-file", &file];
    Said::by(&mut world.run_words(&words))
}

#[test]
#[ignore = "needs a Keycloak: scripts/with-keycloak"]
fn login_token_and_logout_work() {
    let (keycloak, keyring) = (Keycloak::running(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    let said = log_in(&world, &keycloak, "service", &keycloak.secret);
    assert_eq!((said.code, said.stdout.as_str()), (0, ""), "{}", said.stderr);
    assert!(said.stderr.contains("logged in: client `service`"), "{}", said.stderr);
    let status = Said::by(&mut world.run("status --json")).json();
    assert_eq!(status["environment"], json!(keycloak.environment), "{status}");
    assert_eq!((&status["tenant"], &status["client_id"]), (&json!("base"), &json!("service")), "{status}");
    world.run("status").assert().success().stdout(predicate::str::contains("present, in the OS keyring"));
    world.run("token --scope transcribe").assert().success();
    world.run("token --full").assert().success();
    world.run("logout").assert().success();
    world.run("status").assert().code(4);
    world.run("token --full").assert().code(4).stdout("");
}

#[test]
#[ignore = "needs a Keycloak: scripts/with-keycloak"]
fn a_token_has_the_requested_scopes_and_verifies() {
    let keycloak = Keycloak::running();
    let world = world(&keycloak, "service");
    let table = [
        ("--full", "full", vec!["email", "openid", "profile"]),
        ("--scope transcribe", "limited", vec!["email", "openid", "profile", "transcribe"]),
        ("--scope streams", "limited", vec!["email", "openid", "profile", "streams"]),
        (
            "--scope streams,transcribe",
            "limited",
            vec!["email", "openid", "profile", "streams", "transcribe"],
        ),
        ("--scope profile,transcribe", "limited", vec!["email", "openid", "profile", "transcribe"]),
    ];
    for (ask, reach, scopes) in table {
        let said = Said::by(&mut world.run(&format!("token {ask} --json")));
        assert_eq!(said.code, 0, "{ask}: {}", said.stderr);
        let token = said.json();
        assert_eq!((&token["reach"], &token["scopes"]), (&json!(reach), &json!(scopes)), "{ask}");
        assert!(token["expires_in"] == 300 || token["expires_in"] == 299, "{token}");
        let text = token["access_token"].as_str().unwrap();
        let said = Said::by(world.run("inspect --verify --json").write_stdin(text));
        assert_eq!(said.code, 0, "{ask}: {} {}", said.stdout, said.stderr);
        let seen = said.json();
        assert_eq!(
            (&seen["signature"], &seen["verification"]["valid"]),
            (&json!("valid"), &json!(true)),
            "{seen}"
        );
        assert_eq!((&seen["reach"], &seen["scopes"]), (&json!(reach), &json!(scopes)), "{seen}");
        let named = ["environment", "tenant", "client_id"].map(|name| seen[name].clone());
        assert_eq!(named, [json!(keycloak.environment), json!("base"), json!("service")], "{seen}");
    }
}

/// The exit code and the HTTP status of a refused client or secret.
const CREDENTIALS: (i32, u16) = (5, 401);

/// The client, a wrong secret or none, the options, the exit code and the HTTP status, the OAuth error, and words of
/// the message.
type Refusal = (&'static str, &'static str, &'static str, (i32, u16), &'static str, &'static str);

const REFUSALS: [Refusal; 9] = [
    ("nobody", "", "--full", CREDENTIALS, "invalid_client", "or it is disabled"),
    ("disabled", "", "--full", CREDENTIALS, "invalid_client", "or it is disabled"),
    ("service", "wrong", "--full", CREDENTIALS, "unauthorized_client", "Corti rejected the secret of client"),
    (
        "public",
        "",
        "--full",
        CREDENTIALS,
        "unauthorized_client",
        "may not use client credentials (Public client not allowed to retrieve service account)",
    ),
    (
        "no-service-account",
        "",
        "--full",
        CREDENTIALS,
        "unauthorized_client",
        "may not use client credentials (Client not enabled to retrieve service account)",
    ),
    ("service", "", "--scope stream", (6, 400), "invalid_scope", "Invalid scopes: openid stream"),
    ("service", "", "--scope interactions:read", (6, 400), "invalid_scope", "refused the scope"),
    ("no-streams", "", "--scope streams", (6, 400), "invalid_scope", "Invalid scopes: openid streams"),
    ("no-streams", "", "--scope transcribe,streams", (6, 400), "invalid_scope", "refused the scope"),
];

#[test]
#[ignore = "needs a Keycloak: scripts/with-keycloak"]
fn every_refusal_has_its_message_and_exit_code() {
    let keycloak = Keycloak::running();
    for (client, secret, ask, (code, status), error, message) in REFUSALS {
        let mut world = world(&keycloak, client);
        if !secret.is_empty() {
            world.set("CORTI_CLIENT_SECRET", secret);
        }
        let said = Said::by(&mut world.run(&format!("token {ask}")));
        assert_eq!((said.code, said.stdout.as_str()), (code, ""), "{client} {ask}: {}", said.stderr);
        assert!(said.stderr.contains(message), "{client} {ask}: {}", said.stderr);
        assert!(
            said.stderr.contains("\nhint: ") && !said.stderr.contains(&keycloak.secret),
            "{}",
            said.stderr
        );
        let said = Said::by(&mut world.run(&format!("token {ask} --json")));
        let line = said.error();
        assert_eq!(
            (said.stdout.as_str(), &line["exit"], &line["http_status"], &line["oauth_error"]),
            ("", &json!(code), &json!(status), &json!(error)),
            "{client} {ask}"
        );
    }
}

#[test]
#[ignore = "needs a Keycloak: scripts/with-keycloak"]
fn an_unknown_tenant_is_a_configuration_error() {
    let keycloak = Keycloak::running();
    let world = world(&keycloak, "service");
    for tenant in ["nowhere", "Base"] {
        let said = Said::by(&mut world.run(&format!("token --full --tenant {tenant}")));
        assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{}", said.stderr);
        assert!(said.stderr.contains(&format!("Corti has no tenant {tenant} (")), "{}", said.stderr);
    }
    let line: Value = Said::by(&mut world.run("token --full --tenant nowhere --json")).error();
    assert_eq!((&line["exit"], &line["http_status"]), (&json!(3), &json!(404)), "{line}");
}

#[test]
#[ignore = "needs a Keycloak: scripts/with-keycloak"]
fn a_token_with_more_scopes_than_requested_is_not_printed() {
    let keycloak = Keycloak::running();
    let world = world(&keycloak, "broader");
    for ask in ["--scope transcribe", "--full"] {
        for format in ["", "--json"] {
            let said = Said::by(&mut world.run(&format!("token {ask} {format}")));
            assert_eq!((said.code, said.stdout.as_str()), (6, ""), "{ask}: {}", said.stderr);
            assert!(said.stderr.contains("granted more than was asked: `streams`"), "{ask}: {}", said.stderr);
            assert!(!said.stderr.contains("eyJ"), "{ask}: {}", said.stderr);
        }
    }
    world.run("token --scope transcribe,streams").assert().success();
}

#[test]
#[ignore = "needs a Keycloak: scripts/with-keycloak"]
fn a_secret_of_special_characters_works() {
    let (keycloak, keyring) = (Keycloak::running(), Keyring::unlocked());
    let stored = World::with_keyring(&keyring);
    let said = log_in(&stored, &keycloak, "awkward", &keycloak.awkward);
    assert_eq!(said.code, 0, "{}", said.stderr);
    stored.run("token --scope streams").assert().success();
    world(&keycloak, "awkward").run("token --scope streams").assert().success();
}

#[test]
#[ignore = "needs a Keycloak: scripts/with-keycloak"]
fn login_stores_nothing_that_keycloak_rejects() {
    let (keycloak, keyring) = (Keycloak::running(), Keyring::unlocked());
    let table = [
        ("service", "wrong", "Corti rejected the secret of client"),
        ("disabled", &keycloak.secret, "or it is disabled"),
        ("no-service-account", &keycloak.secret, "may not use client credentials"),
    ];
    for (client, secret, message) in table {
        let world = World::with_keyring(&keyring);
        let said = log_in(&world, &keycloak, client, secret);
        assert_eq!(said.code, 5, "{client}: {}", said.stderr);
        assert!(said.stderr.contains(message), "{client}: {}", said.stderr);
        assert_eq!(world.config(), "", "{client}");
        world.run("status").assert().code(4);
    }
}

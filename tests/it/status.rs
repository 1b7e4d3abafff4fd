//! `status --online`: one token request per secret, the exit codes of `token`, and the time of the last verification.

use predicates::prelude::*;
use serde_json::json;

use crate::common::fake_server::{Answer, FakeServer};
use crate::common::ready::store;
use crate::common::{self, Keyring, Said, Sandbox, World};

#[test]
fn a_verification_is_shown_and_stored() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    store(&world, &sandbox.environment, "dev", &sandbox.client_secret);
    let json = Said::by(&mut world.run("status --json")).json();
    assert_eq!((&json["last_verified"], &json["online"]), (&json!(null), &json!(null)));
    let before = world.config();
    world
        .run("status --online")
        .assert()
        .success()
        .stdout(predicate::str::contains("Corti accepted the secret"))
        .stdout(predicate::str::is_match(r"last verified +\d s ago \(20").unwrap());
    let json = Said::by(&mut world.run("status --json --online")).json();
    assert_eq!(json["online"], json!({ "verified": true }));
    let text = json["last_verified"].as_str().unwrap();
    let at: jiff::Timestamp = text.parse().unwrap();
    assert_eq!(json["last_verified_unix"], at.as_second());
    assert!((0..60).contains(&(common::now().as_second() - at.as_second())), "{text}");
    assert_eq!(world.config(), format!("{before}last-verified = \"{text}\"\n"));
    let secret = world.file("secret", &sandbox.client_secret);
    world.run("logout").assert().success();
    assert_eq!(Said::by(&mut world.run("status --json")).json()["last_verified"], json!(null), "it is gone");
    world.run_words(&["login", "--secret-file", &secret, "-p", "dev"]).assert().success();
    let text = Said::by(&mut world.run("status --json")).json()["last_verified"].clone();
    assert!(world.config().contains(&format!("last-verified = {text}")), "{text}");
    // It is the time when the secret was last known to be good; the next login removes it.
    store(&world, &sandbox.environment, "dev", "wrong");
    assert_eq!(without_id(&world.config()), without_id(&before), "and the secret has a new id");
}

/// A configuration without the secret's id, which changes with every login.
fn without_id(config: &str) -> Vec<&str> {
    config.lines().filter(|line| !line.starts_with("credential = ")).collect()
}

#[test]
fn a_failure_has_the_exit_code_of_token() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    store(&world, &sandbox.environment, "bad", "wrong");
    store(&world, "http://127.0.0.1:1", "gone", "any");
    world.write_config(&format!(
        "{}\n[profiles.new]\nenvironment = \"eu\"\nclient-id = \"new\"\n",
        world.config()
    ));
    for (profile, code, word) in [("bad", 5, "rejected"), ("gone", 8, "network")] {
        let said = Said::by(&mut world.run(&format!("status --online --json -p {profile}")));
        let token = Said::by(&mut world.run(&format!("token --full --json -p {profile}")));
        assert_eq!((said.code, token.code), (code, code), "{}", said.stderr);
        assert_eq!(said.error(), token.error());
        let online = &said.json()["online"];
        assert_eq!((&online["verified"], &online["code"]), (&json!(false), &json!(word)), "{online}");
    }
    let said = Said::by(&mut world.run("status --online -p new"));
    assert_eq!(said.code, 4, "{}", said.stderr);
    let said = Said::by(&mut world.run("status --online --all --json"));
    let json = said.json();
    let online = |index: usize| json["profiles"][index]["online"]["code"].clone();
    assert_eq!(
        (said.code, online(0), online(1), online(2)),
        (5, json!("rejected"), json!("network"), json!(null))
    );
    assert!(!world.config().contains("last-verified"));
    world.run("status --all").assert().success();
}

#[test]
fn a_shared_secret_is_verified_once() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let server = FakeServer::start(vec![Answer::json(
        r#"{"access_token":"eyJ.e30.c","expires_in":300,"token_type":"Bearer","scope":"openid"}"#,
    )]);
    for profile in ["a", "b"] {
        store(&world, &server.environment, profile, "any");
    }
    let json = Said::by(&mut world.run("status --online --all --json")).json();
    for profile in json["profiles"].as_array().unwrap() {
        assert!(profile["online"]["verified"] == true && profile["last_verified"].is_string(), "{profile}");
    }
    assert_eq!(server.requests().len(), 1);
    assert_eq!(world.config().matches("last-verified").count(), 2, "{}", world.config());
}

#[test]
fn a_verification_that_cannot_be_stored_is_a_warning() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let mut world = World::with_keyring(&keyring);
    store(&world, &sandbox.environment, "dev", &sandbox.client_secret);
    // Even root cannot write a file where a folder is.
    std::fs::remove_file(world.config_folder().join("config.lock")).unwrap();
    std::fs::create_dir(world.config_folder().join("config.lock")).unwrap();
    let said = Said::by(&mut world.run("status --online"));
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("warning: config.toml was not updated: "), "{}", said.stderr);
    let config = world.config();
    world.use_client(&sandbox);
    let said = Said::by(&mut world.run("status --online --json"));
    assert_eq!((said.code, &said.json()["online"]), (0, &json!({ "verified": true })), "{}", said.stderr);
    assert_eq!(said.json()["last_verified"], json!(null));
    assert_eq!(world.config(), config);
}

#[test]
fn a_variable_that_overrides_the_profile_is_named() {
    let keyring = Keyring::unlocked();
    let mut world = World::with_keyring(&keyring);
    store(&world, "eu", "default", "stored-secret");
    world.set("CORTI_ENVIRONMENT", "us");
    let said = Said::by(&mut world.run("status"));
    assert_eq!(said.code, 4, "{}", said.stderr);
    assert!(said.stderr.contains("hint: unset CORTI_ENVIRONMENT\n"), "{}", said.stderr);
    let withheld = "withheld: the stored secret belongs to client sandbox (eu, tenant base)\n";
    assert!(said.stdout.contains(withheld), "{}", said.stdout);
    assert!(!said.stdout.contains("not used"), "{}", said.stdout);
    let said = Said::by(&mut world.run("status -t other"));
    assert!(
        said.stderr.contains("hint: leave out --tenant\nhint: unset CORTI_ENVIRONMENT\n"),
        "{}",
        said.stderr
    );
    let said = Said::by(&mut world.run("status -e http://127.0.0.1:1 -t other"));
    assert!(said.stderr.contains("hint: leave out --environment and --tenant\n"), "{}", said.stderr);
    let shown = Said::by(&mut world.run("status -e eu"));
    assert!(shown.stdout.contains("CORTI_ENVIRONMENT (overridden by --environment)"), "{}", shown.stdout);
}

#[test]
fn an_overridden_profile_uses_no_other_profiles_secret() {
    let (sandbox, other) = (Sandbox::start(), Sandbox::start());
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    store(&world, &sandbox.environment, "one", &sandbox.client_secret);
    store(&world, &other.environment, "two", &other.client_secret);
    let said = Said::by(&mut world.run_words(&[
        "status",
        "--online",
        "--json",
        "-p",
        "one",
        "-e",
        &other.environment,
    ]));
    assert_eq!((said.code, &said.json()["secret"]), (4, &json!("withheld")), "{}", said.stderr);
    let json = Said::by(&mut world.run("status --all --json")).json();
    assert!(json["profiles"].as_array().unwrap().iter().all(|row| row["last_verified"].is_null()), "{json}");
}

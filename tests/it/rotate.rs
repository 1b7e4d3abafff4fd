//! `rotate`: the new secret is verified before it replaces the old one, and the message says whether the old one
//! still works.

use predicates::prelude::*;
use serde_json::json;

use crate::common::fake_server::{Answer, FakeServer};
use crate::common::keyring::lookup;
use crate::common::ready::store;
use crate::common::{Keyring, Said, Sandbox, World};

#[test]
fn the_new_secret_replaces_the_old_one_which_no_longer_works() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    store(&world, &sandbox.environment, "dev", "stale");
    store(&world, &sandbox.environment, "twin", "stale");
    assert!(!world.config().contains("last-verified"), "it was not verified");
    world.run("token --full").assert().code(5);
    let said = Said::by(world.run("rotate --secret-stdin").write_stdin(sandbox.client_secret.as_str()));
    assert_eq!((said.code, said.stdout.as_str()), (0, ""), "{}", said.stderr);
    for words in ["rotated: client `sandbox`", "no longer works", "`twin` uses the new secret too"] {
        assert!(said.stderr.contains(words), "{words}: {}", said.stderr);
    }
    world.run("token --full").assert().success();
    assert_eq!(world.config().matches("last-verified").count(), 2, "{}", world.config());
}

#[test]
fn json_says_whether_the_old_secret_still_works() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let new = world.file("new", "new");
    let token = Answer::json(
        r#"{"access_token":"eyJ.e30.c","expires_in":300,"token_type":"Bearer","scope":"openid"}"#,
    );
    let rejected = Answer::http(
        "401 Unauthorized",
        &["Content-Type: application/json"],
        r#"{"error":"unauthorized_client","error_description":"Invalid client or Invalid client credentials"}"#,
    );
    let broken = Answer::http("500 Internal Server Error", &[], "");
    for (answers, old) in [
        (vec![token.clone(), rejected], "rejected"),
        (vec![token.clone()], "still_valid"),
        (vec![token, broken], "unknown"),
    ] {
        let server = FakeServer::start(answers);
        // Each time in another environment.
        world.write_config("");
        store(&world, &server.environment, "dev", "old");
        let said = Said::by(&mut world.run_words(&["rotate", "-p", "dev", "--json", "--secret-file", &new]));
        assert_eq!(said.code, 0, "{old}: {}", said.stderr);
        let expected = json!({
            "schema": "corti-auth/rotate/v1", "profile": "dev", "environment": server.environment, "tenant": "base",
            "client_id": "sandbox", "verified": true, "old_secret": old,
        });
        assert_eq!(said.json(), expected);
        assert_eq!(
            said.stderr.contains("could not test the old secret"),
            old == "unknown",
            "{}",
            said.stderr
        );
        assert_eq!(lookup(&world, &format!("{}/base/sandbox", server.environment)), "new");
        let requests = server.requests();
        assert!(requests[0].contains("client_secret=new") && requests[1].contains("client_secret=old"));
    }
}

#[test]
fn a_refused_new_secret_leaves_the_old_one() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    store(&world, &sandbox.environment, "dev", &sandbox.client_secret);
    let (config, user) = (world.config(), format!("{}/base/sandbox", sandbox.environment));
    for (secret, code, message) in [
        ("hunter2", 5, "the old one stays stored"),
        ("hunter2", 5, "hint: corti-auth rotate --profile dev\n"),
        ("hunter\n2", 2, "give the secret and nothing else"),
        ("", 2, "the client secret is empty"),
    ] {
        let said = Said::by(world.run("rotate --secret-stdin").write_stdin(secret));
        assert_eq!(said.code, code, "{}", said.stderr);
        assert!(said.stderr.contains(message) && !said.stderr.contains("hunter"), "{}", said.stderr);
        assert_eq!((lookup(&world, &user), world.config()), (sandbox.client_secret.clone(), config.clone()));
    }
    world
        .run("rotate")
        .assert()
        .code(2)
        .stderr(predicate::str::contains("missing: the client secret (no terminal to ask on)"));
    // As after a rotation that was interrupted after it stored the secret.
    let said = Said::by(world.run("rotate --secret-stdin").write_stdin(sandbox.client_secret.as_str()));
    assert!(
        said.code == 0 && said.stderr.contains("this secret was already stored, and works"),
        "{}",
        said.stderr
    );
    assert_eq!(lookup(&world, &user), sandbox.client_secret);
    // Without a server, nothing is known of the new secret.
    drop(sandbox);
    let said = Said::by(world.run("rotate --secret-stdin").write_stdin("new"));
    assert_eq!(said.code, 8, "{}", said.stderr);
    assert!(said.stderr.contains("the old one stays stored"), "{}", said.stderr);
    assert_ne!(lookup(&world, &user), "new");
}

#[test]
fn only_a_stored_secret_can_be_rotated() {
    let keyring = Keyring::unlocked();
    let mut world = World::with_keyring(&keyring);
    world.run("rotate").assert().code(4).stderr(predicate::str::contains("corti-auth login"));
    let secret = world.file("secret", "new");
    let rotate = ["rotate", "--secret-file", &secret];
    world.write_config(
        "default-profile = \"dev\"\n[profiles.dev]\nenvironment = \"eu\"\nclient-id = \"sandbox\"\n",
    );
    world.run_words(&rotate).assert().code(4).stderr(predicate::str::contains("not logged in"));
    // The secret of another client is not replaced.
    store(&world, "eu", "dev", "old");
    let elsewhere = predicate::str::contains("is for environment `eu`, not `us`");
    world.run_words(&[&rotate[..], &["-e", "us"]].concat()).assert().code(4).stderr(elsewhere);
    for (name, value) in [("CORTI_CLIENT_ID", "x"), ("CORTI_CLIENT_SECRET", "s"), ("CORTI_ENVIRONMENT", "eu")]
    {
        world.set(name, value);
    }
    let said = Said::by(&mut world.run_words(&rotate));
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(
        said.stderr.contains("CORTI_CLIENT_ID names the client")
            && said.stderr.contains("hint: set CORTI_CLIENT_SECRET to the new secret\n")
            && said.stderr.contains("corti-auth rotate --profile NAME\n"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_secret_on_the_command_line_is_refused_and_not_printed() {
    let world = World::new();
    for words in [["rotate", "hunter2"], ["rotate", "--secret-stdin=hunter2"], ["rotate", "--new=hunter2"]] {
        let said = Said::by(&mut world.run_words(&words));
        assert_eq!(said.code, 2);
        assert!(!said.stderr.contains("hunter2"), "{}", said.stderr);
    }
    world.run("rotate x").assert().code(2).stderr(predicate::str::contains("corti-auth rotate --help"));
}

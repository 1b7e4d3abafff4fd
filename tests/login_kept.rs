//! What a login leaves as it was, and what it says to run next.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod common;

use common::keyring::lookup;
use common::{Keyring, Said, Sandbox, World};

#[test]
fn a_secret_that_was_verified_is_kept_where_the_new_one_is_not() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    let log_in = |id: &str, secret: &str, more: &[&str]| {
        let file = world.file("secret", secret);
        let words = ["login", "-e", &sandbox.environment, "--client-id", id, "--secret-file", &file];
        let said = Said::by(&mut world.run_words(&[&words[..], more].concat()));
        assert_eq!(said.code, 0, "{}", said.stderr);
        said.stderr
    };
    let user = |id: &str| format!("{}/{}/{id}", sandbox.environment, sandbox.tenant);
    log_in("sandbox", &sandbox.client_secret, &[]);
    let told = log_in("second", "anything", &["--no-verify"]);
    assert!(told.contains("was verified, which the new one is not: it is kept in the OS keyring"), "{told}");
    assert!(!world.config().contains("unused-secrets"), "{}", world.config());
    let told = log_in("third", "anything", &["--no-verify"]);
    assert!(told.contains("removed the secret that the profile had before"), "{told}");
    assert_eq!(lookup(&world, &user("second")), "", "nobody knows that it was good");
    assert_eq!(lookup(&world, &user("sandbox")), sandbox.client_secret);
    // Back, and away once more: what is advised removes it.
    log_in("sandbox", &sandbox.client_secret, &[]);
    let told = log_in("second", "anything", &["--no-verify"]);
    let (_, removal) = told.split_once("once it is of no use: ").unwrap();
    let removal = removal.split_once("\n\n").map_or(removal, |(removal, _)| removal).lines();
    let removal = removal.take_while(|line| !line.contains("stored, not verified")).collect::<Vec<_>>();
    world.program("sh").args(["-c", &removal.join(" ")]).assert().success();
    assert_eq!(lookup(&world, &user("sandbox")), "");
}

#[test]
fn what_to_run_next_works_where_a_variable_names_a_client() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let mut world = World::with_keyring(&keyring);
    let secret = world.file("secret", &sandbox.client_secret);
    world.set("CORTI_ENVIRONMENT", &sandbox.environment);
    world.set("CORTI_CLIENT_ID", "sandbox");
    let said = Said::by(&mut world.run_words(&["login", "--secret-file", &secret]));
    assert_eq!(said.code, 0, "{}", said.stderr);
    let next = "token --scope transcribe --profile default";
    assert!(said.stderr.contains(&format!("corti-auth {next}")), "{}", said.stderr);
    assert!(said.stderr.contains("or name the profile: --profile default"), "{}", said.stderr);
    world.run(next).assert().success();
}

#[test]
fn the_way_without_a_keyring_is_one_for_the_profile() {
    let world = World::new();
    let secret = world.file("secret", "anything");
    let words =
        ["login", "-p", "acme", "-e", "eu", "--client-id", "x", "--no-verify", "--secret-file", &secret];
    let said = Said::by(&mut world.run_words(&words));
    assert_eq!(said.code, 4, "{}", said.stderr);
    assert!(said.stderr.contains("corti-auth login --profile acme --store file"), "{}", said.stderr);
}

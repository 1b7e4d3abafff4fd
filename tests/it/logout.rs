//! `logout`: what is removed, what stays, and the messages.

use serde_json::json;

use crate::common::ready::log_in;
use crate::common::{Keyring, Said, Sandbox, World};

#[test]
fn all_profiles_of_one_client_are_logged_out() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    for profile in ["one", "two"] {
        log_in(&world, &sandbox, profile);
    }
    let text = Said::by(&mut world.run("logout --all"));
    for line in ["logged out of `one`", "logged out of `two`"] {
        assert!(text.stderr.contains(line), "{}", text.stderr);
    }
    assert!(!text.stderr.contains("was not logged in"), "{}", text.stderr);
    let json = Said::by(&mut world.run("logout --all --json")).json();
    assert_eq!(json["profiles"][0]["removed"], json!(false), "twice is fine");
}

#[test]
fn a_store_that_fails_is_an_error_for_its_profile() {
    let mut world = World::new();
    world.set("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere");
    world.write_config("[profiles.dev]\nenvironment = \"eu\"\ntenant = \"base\"\nclient-id = \"acme\"\nstore = \"keyring\"\n");
    let said = Said::by(&mut world.run("logout --all"));
    assert_eq!(said.code, 4, "{}", said.stderr);
    assert!(said.stderr.contains("`dev` is not logged out: "), "{}", said.stderr);
    assert!(!said.stderr.contains("no profiles"), "{}", said.stderr);
    let json = Said::by(&mut world.run("logout --all --json")).json();
    let row = &json["profiles"][0];
    assert_eq!((&row["profile"], &row["removed"]), (&json!("dev"), &json!(false)));
    assert!(row["failure"].is_string(), "{row}");
}

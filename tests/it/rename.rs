//! `profile rename` changes the name and nothing else.

use serde_json::json;

use crate::common::{Keyring, Said, Sandbox, World};

const FILE: &str = "# my clients\ndefault-profile = \"dev\" # daily\n\n# Acme's\n[profiles.dev] # eu\n\
    environment = \"eu\"\nclient-id = \"acme-dev\" # theirs\n\n[profiles.prod]\nenvironment = \"us\"\nclient-id = \"acme-prod\"\n";

#[test]
fn a_rename_keeps_the_file_and_updates_the_default() {
    let world = World::new();
    world.write_config(FILE);
    let said = Said::by(&mut world.run("profile rename dev acme.dev"));
    assert_eq!((said.code, said.stdout.as_str()), (0, ""));
    assert_eq!(said.stderr, "renamed dev to acme.dev (still the default profile)\n");
    let expected =
        FILE.replace("\"dev\"", "\"acme.dev\"").replace("[profiles.dev]", "[profiles.\"acme.dev\"]");
    assert_eq!(world.config(), expected);
    let json = Said::by(&mut world.run("profile rename prod live --json")).json();
    let expected = json!({
        "schema": "corti-auth/profile-rename/v1", "profile": "live", "renamed_from": "prod", "default": false,
    });
    assert_eq!(json, expected);
}

#[test]
fn a_secret_is_found_under_the_new_name() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    let secret = world.file("secret", &sandbox.client_secret);
    let login =
        ["login", "-p", "a", "-e", &sandbox.environment, "--client-id", "sandbox", "--secret-file", &secret];
    world.run_words(&login).assert().success();
    world.run("profile rename a b").assert().success();
    world.run("token --full").assert().success();
    world.run("token --full -p b").assert().success();
    world.run("token --full -p a").assert().code(3);
}

#[test]
fn the_new_name_must_be_free_and_valid() {
    let world = World::new();
    world.write_config(FILE);
    for (arguments, message) in [
        ("dev prod", "there is a profile `prod` already"),
        ("dev dev", "there is a profile `dev` already"),
        ("dve x", "did you mean `dev`?"),
        ("dev a/b", "`a/b` is not a profile name"),
    ] {
        let said = Said::by(&mut world.run(&format!("profile rename {arguments}")));
        assert_eq!(said.code, 3, "{arguments}: {}", said.stderr);
        assert!(said.stderr.contains(message) && said.stderr.contains("hint: "), "{}", said.stderr);
    }
    assert_eq!(world.config(), FILE);
}

//! What a login asks for when the profile exists, and which command it advises next.

use crate::common::keyring::lookup;
use crate::common::shell::Shell;
use crate::common::{Keyring, Said, Sandbox, World};

#[test]
fn a_second_login_asks_only_for_the_secret() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let secret = world.file("secret", "first");
    let login = "login -p acme -e us -t other --client-id x --no-verify";
    world.run(&format!("{login} --secret-file {secret}")).assert().success();
    let mut shell = Shell::start(&world);
    shell.send_line("\"$CORTI_AUTH\" login -p acme --no-verify");
    let seen = shell.expect("Client secret");
    for question in ["Environment", "Tenant", "Client id"] {
        assert!(!seen.contains(question), "{seen}");
    }
    shell.send_line("second");
    shell.expect("stored without verifying");
    shell.assert_ended("0");
    assert_eq!(lookup(&world, "us/other/x"), "second");
}

/// A profile's store never changes, so the advice is another profile.
#[test]
fn without_a_keyring_the_hint_for_an_existing_profile_is_another_name() {
    let mut world = World::new();
    world.write_config(
        "default-profile = \"acme\"\n[profiles.acme]\nenvironment = \"eu\"\nclient-id = \"x\"\n",
    );
    world.use_passphrase();
    let secret = world.file("secret", "anything");
    for words in ["token --full", &format!("login -p acme --no-verify --secret-file {secret}")] {
        let said = Said::by(&mut world.run(words));
        assert_eq!(said.code, 4, "{}", said.stderr);
        let hint =
            "without a keyring: corti-auth login --profile acme-file --store file -e eu --client-id x\n";
        assert!(said.stderr.contains(hint), "{words}: {}", said.stderr);
    }
    let advised = "login --profile acme-file --store file -e eu --client-id x --no-verify --secret-file";
    world.run(&format!("{advised} {secret}")).assert().success();
}

#[test]
fn the_advised_command_works_though_variables_name_a_client() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let mut world = World::with_keyring(&keyring);
    let secret = world.file("secret", &sandbox.client_secret);
    world.set("CORTI_ENVIRONMENT", &sandbox.environment);
    world.set("CORTI_CLIENT_ID", "sandbox");
    let said = Said::by(&mut world.run_words(&["login", "--secret-file", &secret]));
    assert_eq!(said.code, 0, "{}", said.stderr);
    let next = "token transcribe --profile default";
    assert!(said.stderr.contains(&format!("corti-auth {next}")), "{}", said.stderr);
    let warning = "warning: CORTI_CLIENT_ID overrides the default profile\nhint: unset CORTI_CLIENT_ID\n";
    assert!(said.stderr.contains(warning), "{}", said.stderr);
    world.run(next).assert().success();
}

#[test]
fn without_a_keyring_the_hint_for_a_new_profile_is_the_file_store() {
    let world = World::new();
    let secret = world.file("secret", "anything");
    let words =
        ["login", "-p", "acme", "-e", "eu", "--client-id", "x", "--no-verify", "--secret-file", &secret];
    let said = Said::by(&mut world.run_words(&words));
    assert_eq!(said.code, 4, "{}", said.stderr);
    assert!(
        said.stderr.contains("corti-auth login --profile acme --store file -e eu --client-id x\n"),
        "{}",
        said.stderr
    );
}

//! Logins that would store what could not be found again, or lose what is stored.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod common;

use common::keyring::lookup;
use common::{Keyring, World};

/// The lock's file is there from an earlier day, so that only the write itself would fail.
#[test]
fn nothing_is_stored_where_the_folder_takes_no_new_file() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let secret = world.file("secret", "anything");
    world.write_config("");
    std::fs::write(world.config_folder().join("config.lock"), "").unwrap();
    let script = "mount --bind \"$CONFIG\" \"$CONFIG\" && mount -o remount,bind,ro \"$CONFIG\" \
        && mount --bind \"$LOCK\" \"$CONFIG/config.lock\" && exec \"$@\"";
    let lock = world.file("lock", "");
    let mut shell = world.program("unshare");
    shell.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(common::binary());
    shell.args(["login", "-e", "eu", "--client-id", "x", "--no-verify", "--secret-file", &secret]);
    shell.env("CONFIG", world.config_folder()).env("LOCK", lock);
    let said = common::Said::by(&mut shell);
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(said.stderr.contains("cannot write `") && said.stderr.contains("config.toml"), "{}", said.stderr);
    assert!(!said.stderr.contains(".corti-auth-"), "{}", said.stderr);
    assert_eq!(lookup(&world, "eu/base/x"), "");
}

#[test]
fn a_variable_does_not_move_a_profile_to_another_client() {
    let keyring = Keyring::unlocked();
    let mut world = World::with_keyring(&keyring);
    let secret = world.file("secret", "anything");
    let words = ["login", "--no-verify", "--secret-file", &secret];
    let first = ["-e", "eu", "-t", "base", "--client-id", "x"];
    world.run_words(&[&words[..], &first].concat()).assert().success();
    for (variable, value, flag) in [
        ("CORTI_ENVIRONMENT", "us", "--environment us"),
        ("CORTI_TENANT_NAME", "acme", "--tenant acme"),
        ("CORTI_CLIENT_ID", "y", "--client-id y"),
    ] {
        world.set(variable, value);
        let stored = world.config();
        let said = common::Said::by(&mut world.run_words(&words));
        assert_eq!(said.code, 3, "{}", said.stderr);
        let message = format!("{variable} would move the profile `default` from `eu/base/x` to `");
        assert!(said.stderr.contains(&message), "{}", said.stderr);
        assert!(
            said.stderr.contains(&format!("corti-auth login --profile default {flag}")),
            "{}",
            said.stderr
        );
        assert_eq!((lookup(&world, "eu/base/x").as_str(), world.config()), ("anything", stored));
        // One that says what the profile has already, or is overruled, is no matter.
        world.run_words(&[&words[..], &first].concat()).assert().success();
        // Nor is a profile that is new.
        world
            .run_words(&[&words[..], &["-p", "other", "-e", "eu", "--client-id", "z"]].concat())
            .assert()
            .success();
        world.set(variable, "");
        world.run("profile remove other").assert().success();
    }
    let moving = [&words[..], &["-p", "default", "--environment", "us"]].concat();
    world.set("CORTI_ENVIRONMENT", "us");
    world.run_words(&moving).assert().success();
    assert_eq!(lookup(&world, "eu/base/x"), "", "it was said that it moves");
}

#[test]
fn the_hint_moves_all_that_the_variables_would() {
    let keyring = Keyring::unlocked();
    let mut world = World::with_keyring(&keyring);
    let secret = world.file("secret", "anything");
    let words = ["login", "--no-verify", "--secret-file", &secret];
    world.run_words(&[&words[..], &["-e", "eu", "--client-id", "x"]].concat()).assert().success();
    world.set("CORTI_ENVIRONMENT", "us");
    world.set("CORTI_CLIENT_ID", "y;z");
    let said = common::Said::by(&mut world.run_words(&words));
    assert_eq!(said.code, 3, "{}", said.stderr);
    let hint = "corti-auth login --profile default --environment us --client-id 'y;z'";
    assert!(said.stderr.contains(hint), "{}", said.stderr);
    assert!(said.stderr.contains("unset CORTI_ENVIRONMENT CORTI_CLIENT_ID"), "{}", said.stderr);
}

/// A login where the configuration's folder is a file system of its own, which takes a new file and no byte in it. Gives the
/// secret that is in the keyring then.
fn left_by_a_full_disk(config: &str) -> String {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let secret = world.file("secret", "anything");
    let script = "mkdir -p \"$CONFIG\" && mount -t tmpfs -o size=16k,mode=0700 small \"$CONFIG\" \
        && cd \"$CONFIG\" && : > config.lock && printf %s \"$TEXT\" > config.toml && chmod 600 config.toml \
        && { dd if=/dev/zero of=fill bs=1k 2> /dev/null; exec \"$@\"; }";
    let mut shell = world.program("unshare");
    shell.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(common::binary());
    shell.args(["login", "-e", "eu", "--client-id", "full", "--no-verify", "--secret-file", &secret]);
    let said = common::Said::by(shell.env("CONFIG", world.config_folder()).env("TEXT", config));
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(said.stderr.contains("No space left"), "{}", said.stderr);
    lookup(&world, "eu/base/full")
}

#[test]
fn a_new_secret_whose_profile_cannot_be_written_is_taken_back() {
    assert_eq!(left_by_a_full_disk(""), "");
    let other = "[profiles.other]\nenvironment = \"eu\"\nclient-id = \"full\"\n";
    assert_eq!(left_by_a_full_disk(other), "anything", "another profile uses it");
}

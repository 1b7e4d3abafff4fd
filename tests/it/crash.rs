//! `kill -9` at random points of `profile rename` and `logout`: afterwards the old or the new state holds,
//! `config.toml` can be read, and the next change removes any temporary file. `crash_secrets` tests the commands that
//! store a secret.

#![allow(clippy::print_stdout, reason = "the figures, for who asks for them: --nocapture")]

use crate::common::keyring::{lookup, store};
use crate::common::killer::{Killer, config};
use crate::common::{Keyring, World};

/// How often each command is killed.
const ROUNDS: u32 = 200;

#[test]
fn a_killed_rename_leaves_the_old_or_the_new_name() {
    let world = World::new();
    let profile = |name: &str| {
        format!("# of {name}\n[profiles.{name}]\nenvironment = \"eu\"\nclient-id = \"{name}\"\n")
    };
    let rest = format!("{}{}", profile("b"), profile("c"));
    world.write_config(&format!("default-profile = \"a\"\n{}{rest}", profile("a")));
    let mut killer = Killer::new(&world, ROUNDS, &["profile", "rename", "a", "z"]);
    for round in 0..ROUNDS {
        let old = config(&world).default_profile().unwrap().to_string();
        let new = if old == "a" { "z" } else { "a" };
        let alive = killer.kill_at_random(&["profile", "rename", &old, new]);
        let (config, text) = (config(&world), world.config());
        let name = config.default_profile().unwrap();
        assert!(name.as_str() == old || name.as_str() == new, "round {round}: {text}");
        killer.changed += u32::from(alive && name.as_str() == new);
        assert_eq!(config.profiles()[name].client.id.as_str(), "a", "round {round}: {text}");
        assert!(config.profiles().len() == 3 && text.contains("# of a\n") && text.ends_with(&rest), "{text}");
    }
    let old = config(&world).default_profile().unwrap().to_string();
    killer.finish(&["profile", "rename", &old, "last"]);
    assert!(
        killer.changed > 0 && killer.changed < killer.alive,
        "it never came before the change, or after it"
    );
}

#[test]
fn a_killed_logout_leaves_the_secret_or_removes_it() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let text = "default-profile = \"a\"\n[profiles.a]\nenvironment = \"eu\"\nclient-id = \"acme\"\n";
    world.write_config(text);
    store(&world, "eu/base/acme", "stored");
    let mut killer = Killer::new(&world, ROUNDS, &["logout"]);
    let mut secret = String::new();
    for round in 0..ROUNDS {
        if secret.is_empty() {
            store(&world, "eu/base/acme", "stored");
        }
        let alive = killer.kill_at_random(&["logout"]);
        secret = lookup(&world, "eu/base/acme");
        assert!(secret.is_empty() || secret == "stored", "round {round}: {secret}");
        killer.changed += u32::from(alive && secret.is_empty());
        assert_eq!(world.config(), text);
    }
    // Logout makes its change in its last millisecond, so it is chance whether a kill comes after it.
    killer.finish(&["logout"]);
    assert!(killer.changed < killer.alive, "it never came before the change");
    assert_eq!(lookup(&world, "eu/base/acme"), "");
}

/// Where tokens may be cached, logout first removes the secret's id from the configuration.
#[test]
fn a_killed_logout_leaves_no_id_of_a_removed_secret() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let without = "default-profile = \"a\"\n[profiles.a]\nenvironment = \"eu\"\nclient-id = \"acme\"\n";
    let text = format!("{without}credential = \"{}\"\n", "07".repeat(16));
    let reset = || {
        world.write_config(&text);
        store(&world, "eu/base/acme", "stored");
    };
    reset();
    let mut killer = Killer::new(&world, ROUNDS, &["logout"]);
    let mut withdrawn = 0;
    for round in 0..ROUNDS {
        reset();
        let alive = killer.kill_at_random(&["logout"]);
        let (secret, now) = (lookup(&world, "eu/base/acme"), world.config());
        assert!(secret.is_empty() || secret == "stored", "round {round}: {secret}");
        assert!(now == text || now == without, "round {round}: {now}");
        assert!(
            !secret.is_empty() || now == without,
            "round {round}: tokens of a removed secret can be found"
        );
        withdrawn += u32::from(alive && now == without && !secret.is_empty());
        killer.changed += u32::from(alive && now == without);
    }
    reset();
    killer.finish(&["logout"]);
    println!("{withdrawn} times between the two");
    assert!(killer.changed < killer.alive, "it never came before the change");
    assert_eq!((lookup(&world, "eu/base/acme").as_str(), world.config().as_str()), ("", without));
}

#[test]
fn only_the_next_change_removes_the_temporary_file_of_a_killed_command() {
    let world = World::new();
    world.write_config("[profiles.a]\nenvironment = \"eu\"\nclient-id = \"a\"\n");
    let folder = world.config_folder();
    let (ours, other) = (folder.join(".config.toml.corti-auth-AbCd12"), folder.join("notes.txt"));
    for path in [&ours, &other] {
        std::fs::write(path, "half a file").unwrap();
    }
    world.run("profile list").assert().success();
    assert!(ours.exists(), "a command that changes nothing takes no lock");
    world.run("profile use a").assert().success();
    assert!(!ours.exists() && other.exists());
}

//! `kill -9` where a secret moves or takes long to write: encrypted files, and a login that moves a profile to another
//! client or another store. Afterwards the old or the new state holds, and the next run leaves no temporary file.
//!
//! A file's passphrase is stretched for about a second, so two hundred rounds would take minutes. The rounds are few, and
//! all of them strike where the file is written or the configuration after it; `tests/crash.rs` has the many.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]
#![allow(clippy::print_stdout, reason = "the figures, for who asks for them: --nocapture")]

mod common;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use common::keyring::{lookup, store};
use common::killer::{Killer, config};
use common::{Keyring, Said, Sandbox, World};
use corti_auth::domain::store_kind::StoreKind;

const PASSPHRASE: &str = "correct horse battery staple";

/// How often a command that stretches the passphrase, once or twice, is hit.
const FILE_ROUNDS: u32 = 6;

/// Rounds of a command that has the keyring alone.
const KEYRING_ROUNDS: u32 = 100;

fn with_passphrase(mut world: World) -> World {
    let passphrase = world.private_file("passphrase", PASSPHRASE);
    world.set("CORTI_AUTH_PASSPHRASE_FILE", &passphrase);
    world
}

/// The only encrypted file.
fn the_file(world: &World) -> PathBuf {
    let entries = std::fs::read_dir(world.config_folder().join("secrets")).unwrap().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|it| it == "age"));
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

/// The secret in an encrypted file, which must be whole.
fn opened(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    let identity = age::scrypt::Identity::new(PASSPHRASE.to_owned().into());
    let decryptor = age::Decryptor::new(&bytes[..]).unwrap();
    let mut text = String::new();
    let mut reader = decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity)).unwrap();
    reader.read_to_string(&mut text).unwrap();
    let content: serde_json::Value = serde_json::from_str(&text).unwrap();
    content["client_secret"].as_str().unwrap().to_owned()
}

#[test]
fn a_killed_login_into_an_encrypted_file() {
    let world = with_passphrase(World::new());
    let file = world.file("secret", "first");
    let words =
        ["login", "-e", "eu", "--no-verify", "--secret-file", &file, "--client-id", "a", "--store", "file"];
    let mut killer = Killer::new(&world, FILE_ROUNDS, &words);
    let path = the_file(&world);
    let mut round = 0;
    while killer.is_due() {
        round += 1;
        let (before, new) = (std::fs::read(&path).unwrap(), format!("secret {round}"));
        world.file("secret", &new);
        let alive = killer.strike_at_write(&words, &path);
        // The same bytes are the old secret; opening them again would take another second.
        let changed = std::fs::read(&path).unwrap() != before;
        assert!(!changed || opened(&path) == new, "round {round}");
        killer.changed += u32::from(alive && changed);
        assert_eq!(config(&world).profiles().len(), 1);
    }
    killer.conclude(&words);
}

#[test]
fn a_killed_rotation_of_an_encrypted_file() {
    let (sandbox, world) = (Sandbox::start(), with_passphrase(World::new()));
    let file = world.file("secret", "stale");
    let place = ["login", "-e", &sandbox.environment, "--client-id", "sandbox", "--store", "file"];
    world.run_words(&[&place[..], &["--no-verify", "--secret-file", &file]].concat()).assert().success();
    let (path, new) = (the_file(&world), world.file("new", &sandbox.client_secret));
    let stale = std::fs::read(&path).unwrap();
    let words = ["rotate", "--secret-file", &new];
    let mut killer = Killer::new(&world, FILE_ROUNDS, &words);
    while killer.is_due() {
        std::fs::write(&path, &stale).unwrap();
        let alive = killer.strike_at_write(&words, &path);
        let changed = std::fs::read(&path).unwrap() != stale;
        assert!(!changed || opened(&path) == sandbox.client_secret);
        killer.changed += u32::from(alive && changed);
        assert_eq!(config(&world).profiles().len(), 1);
    }
    std::fs::write(&path, &stale).unwrap();
    killer.conclude(&words);
}

#[test]
fn a_killed_login_that_moves_a_profile_to_another_client() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let file = world.file("secret", "of a");
    let words =
        |id: &'static str| ["login", "-e", "eu", "--no-verify", "--secret-file", &file, "--client-id", id];
    let mut killer = Killer::new(&world, KEYRING_ROUNDS, &words("a"));
    let mut left = 0;
    for round in 0..KEYRING_ROUNDS {
        let old = config(&world).profiles().values().next().unwrap().client.id.to_string();
        let new = if old == "a" { "b" } else { "a" };
        world.file("secret", format!("of {new}"));
        let alive = killer.strike(&words(new));
        let now = config(&world).profiles().values().next().unwrap().client.id.to_string();
        assert!(now == old || now == new, "round {round}: {now}");
        // The one that it stands for has its secret. The other's may be there already, or still: then it is noted.
        assert_eq!(lookup(&world, &format!("eu/base/{now}")), format!("of {now}"), "round {round}");
        if now == new && !lookup(&world, &format!("eu/base/{old}")).is_empty() {
            let noted = config(&world).unused_secrets();
            assert!(noted.iter().any(|it| it.client.id.as_str() == old), "round {round}: {}", world.config());
            left += 1;
        }
        killer.changed += u32::from(alive && now == new);
    }
    killer.conclude(&words("a"));
    println!("{left} times the old secret was there still");
    assert_eq!(config(&world).unused_secrets(), []);
}

#[test]
fn what_a_killed_login_left_is_removed_by_the_next_one_and_by_logout() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let file = world.file("secret", "new");
    let profile = "default-profile = \"a\"\n\n[profiles.a]\nenvironment = \"eu\"\nclient-id = \"a\"\n";
    let note = "unused-secrets = [{ environment = \"eu\", tenant = \"base\", client-id = \"old\", store = \"keyring\" }]\n";
    let login = ["login", "-p", "b", "-e", "eu", "--no-verify", "--secret-file", &file, "--client-id", "b"];
    for words in [&login[..], &["logout"], &["logout", "--all"], &["profile", "remove", "a"]] {
        for id in ["a", "old"] {
            store(&world, &format!("eu/base/{id}"), "stored");
        }
        world.write_config(&format!("{note}{profile}"));
        world.run_words(words).assert().success();
        assert_eq!(lookup(&world, "eu/base/old"), "", "{words:?}");
        assert!(!world.config().contains("unused-secrets"), "{words:?}: {}", world.config());
    }
    // One that a profile uses again is not removed, whoever noted it.
    store(&world, "eu/base/a", "stored");
    world.write_config(&format!("{}{profile}", note.replace("old", "a")));
    world.run_words(&login).assert().success();
    assert_eq!(lookup(&world, "eu/base/a"), "stored");
}

#[test]
fn a_killed_login_that_moves_a_secret_to_another_store() {
    let keyring = Keyring::unlocked();
    let world = with_passphrase(World::with_keyring(&keyring));
    let file = world.file("secret", "stored");
    let place = ["login", "-e", "eu", "--no-verify", "--secret-file", &file, "--client-id", "a", "--store"];
    let words = |store: &'static str| [&place[..], &[store]].concat();
    let store = |world: &World| config(world).profiles().values().next().unwrap().store.clone();
    let written = world.config_folder().join("config.toml");
    let mut killer = Killer::new(&world, FILE_ROUNDS, &words("keyring"));
    while killer.is_due() {
        let old = store(&world);
        let new = if old == StoreKind::Keyring { "file" } else { "keyring" };
        let alive = killer.strike_at_write(&words(new), &written);
        let now = store(&world);
        killer.changed += u32::from(alive && now != old);
        match now {
            StoreKind::Keyring => assert_eq!(lookup(&world, "eu/base/a"), "stored"),
            _ => assert_eq!(opened(&the_file(&world)), "stored"),
        }
    }
    // A second time, should the first have been left half-way.
    for store in ["keyring", "file"] {
        world.run_words(&words(store)).assert().success();
    }
    assert!(common::killer::temporary_files(&world).is_empty());
    assert!(killer.alive > 0, "it never came in time");
    assert_eq!(opened(&the_file(&world)), "stored");
}

/// What an earlier login left is no reason to leave a token, or to say nothing of what was done.
#[test]
fn a_note_that_cannot_be_worked_off_is_a_warning() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let mut world = World::with_keyring(&keyring);
    world.set("CORTI_AUTH_NO_CACHE", "");
    let file = world.file("secret", &sandbox.client_secret);
    let login = ["login", "-e", &sandbox.environment, "--client-id", "sandbox", "--secret-file", &file];
    world.run_words(&login).assert().success();
    world.run("token --full").assert().success();
    let note = "unused-secrets = [{ environment = \"eu\", client-id = \"old\", store = \"keyring\" }]\n";
    world.write_config(&format!("{note}{}", world.config()));
    let lock = std::fs::File::create(world.config_folder().join("config.lock")).unwrap();
    lock.lock().unwrap();
    let said = Said::by(&mut world.run("logout"));
    drop(lock);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("the cached token is removed"), "{}", said.stderr);
    assert!(
        said.stderr.contains("warning: the secret that the profile had before is still stored"),
        "{}",
        said.stderr
    );
    world.run("doctor").assert().code(4);
    let said = Said::by(&mut world.run("doctor --json"));
    assert!(said.stdout.contains("secrets that no profile uses are still stored: 1"), "{}", said.stdout);
}

//! `kill -9` of commands that write an encrypted file: afterwards the old or the new state holds, and the next run
//! leaves no temporary file.
//!
//! Deriving the key from the passphrase takes about a second, so there are few rounds here, all of them close to the
//! write. `crash_secrets` has many.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::common::killer::{Killer, config};
use crate::common::{PASSPHRASE, Sandbox, World};

/// How often a command that derives the key is killed.
const FILE_ROUNDS: u32 = 6;

/// The only encrypted file.
fn the_file(world: &World) -> PathBuf {
    let entries = std::fs::read_dir(world.config_folder().join("secrets")).unwrap().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|it| it == "age"));
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

/// Decrypts the secret in an encrypted file, which must be whole.
fn decrypt(path: &Path) -> String {
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
fn a_killed_login_leaves_the_old_or_the_new_encrypted_file() {
    let mut world = World::new();
    world.use_passphrase();
    let file = world.file("secret", "first");
    let words =
        ["login", "-e", "eu", "--no-verify", "--secret-file", &file, "--client-id", "a", "--store", "file"];
    let mut killer = Killer::new(&world, FILE_ROUNDS, &words);
    let path = the_file(&world);
    let mut round = 0;
    while killer.needs_more_kills() {
        round += 1;
        let (before, new) = (std::fs::read(&path).unwrap(), format!("secret {round}"));
        world.file("secret", &new);
        let alive = killer.kill_at_write(&words, &path);
        // Unchanged bytes are the old secret; decrypting them would take another second.
        let changed = std::fs::read(&path).unwrap() != before;
        assert!(!changed || decrypt(&path) == new, "round {round}");
        killer.changed += u32::from(alive && changed);
        assert_eq!(config(&world).profiles().len(), 1);
    }
    killer.finish(&words);
}

#[test]
fn a_killed_rotation_leaves_the_old_or_the_new_encrypted_file() {
    let (sandbox, mut world) = (Sandbox::start(), World::new());
    world.use_passphrase();
    let file = world.file("secret", "stale");
    let place = ["login", "-e", &sandbox.environment, "--client-id", "sandbox", "--store", "file"];
    world.run_words(&[&place[..], &["--no-verify", "--secret-file", &file]].concat()).assert().success();
    let (path, new) = (the_file(&world), world.file("new", &sandbox.client_secret));
    let stale = std::fs::read(&path).unwrap();
    let words = ["rotate", "--secret-file", &new];
    let mut killer = Killer::new(&world, FILE_ROUNDS, &words);
    while killer.needs_more_kills() {
        std::fs::write(&path, &stale).unwrap();
        let alive = killer.kill_at_write(&words, &path);
        let changed = std::fs::read(&path).unwrap() != stale;
        assert!(!changed || decrypt(&path) == sandbox.client_secret);
        killer.changed += u32::from(alive && changed);
        assert_eq!(config(&world).profiles().len(), 1);
    }
    std::fs::write(&path, &stale).unwrap();
    killer.finish(&words);
}

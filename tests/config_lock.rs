//! Another process that changes `config.toml` and does not come to an end: it is waited for, for a while.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod common;

use std::fs::File;
use std::time::{Duration, Instant};

use common::{Said, World};

const PROFILES: &str = "[profiles.a]\nenvironment = \"eu\"\nclient-id = \"acme\"\n";

fn locked() -> (World, File) {
    let world = World::new();
    world.write_config(PROFILES);
    let lock = File::create(world.config_folder().join("config.lock")).unwrap();
    lock.lock().unwrap();
    (world, lock)
}

#[test]
fn it_is_named_and_nothing_is_changed() {
    let (world, lock) = locked();
    let said = Said::by(&mut world.run("profile use a"));
    assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{}", said.stderr);
    assert!(said.stderr.contains("another process is changing `"), "{}", said.stderr);
    assert!(said.stderr.contains("config.toml` and has not finished in 5 s"), "{}", said.stderr);
    assert_eq!(world.config(), PROFILES);
    drop(lock);
    world.run("profile use a").assert().success();
}

#[cfg(unix)]
#[test]
fn control_c_ends_the_wait() {
    let (world, _lock) = locked();
    let secret = world.file("secret", "anything");
    for command in
        ["profile use a", "profile rename a b", &format!("login -e eu --client-id x --secret-file {secret}")]
    {
        let mut running = world.start(command);
        // Long enough for it to have taken the signal over, which no exit code would show, and short of its patience.
        std::thread::sleep(Duration::from_secs(2));
        running.interrupt();
        assert_eq!(running.wait(), Some(130), "{command}");
    }
    assert_eq!(world.config(), PROFILES);
}

/// A login that is waiting to name what it has stored comes to its end first: nobody could find the secret again.
#[cfg(unix)]
#[test]
fn control_c_comes_after_the_name_of_what_is_stored() {
    for round in 1..=20 {
        let mut world = World::new();
        let (secret, passphrase) = (world.private_file("secret", "x"), world.private_file("passphrase", "y"));
        world.set("CORTI_AUTH_PASSPHRASE_FILE", &passphrase);
        let login = format!("login -e eu --client-id x --no-verify --store file --secret-file {secret}");
        let mut running = world.start(&login);
        let folder = world.config_folder();
        common::wait_until("it is under way", || folder.join("config.lock").exists());
        // It stretches the passphrase meanwhile, for as long as this machine takes.
        std::thread::sleep(Duration::from_millis(40 * round));
        let lock = File::open(folder.join("config.lock")).unwrap();
        lock.lock().unwrap();
        let is_age = |it: std::fs::DirEntry| it.path().extension().is_some_and(|it| it == "age");
        let secrets = folder.join("secrets");
        let is_stored = || std::fs::read_dir(&secrets).is_ok_and(|it| it.flatten().any(is_age));
        let patience = Instant::now();
        while !is_stored() && patience.elapsed() < Duration::from_secs(3) {
            std::thread::sleep(Duration::from_millis(10));
        }
        // It may have been quicker than this, or slower.
        if !is_stored() || !world.config().is_empty() {
            continue;
        }
        std::thread::sleep(Duration::from_millis(300));
        running.interrupt();
        std::thread::sleep(Duration::from_millis(300));
        assert!(running.0.try_wait().unwrap().is_none(), "it ended with a secret that has no name");
        drop(lock);
        assert!(matches!(running.wait(), Some(0 | 130)));
        assert!(world.config().contains("client-id = \"x\""), "{}", world.config());
        return;
    }
    panic!("it never waited for its last change");
}

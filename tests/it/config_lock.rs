//! Another process that changes `config.toml` and does not come to an end: it is waited for, for a while.

use std::fs::File;
use std::time::Duration;

use crate::common::{self, Said, World};

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
    assert!(said.stderr.contains("config.toml` and has not finished in 15 s"), "{}", said.stderr);
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

/// A login that waits to name its profile has stored nothing yet, and can be given up.
#[cfg(target_os = "linux")]
#[test]
fn control_c_before_a_secret_is_named_leaves_nothing() {
    use std::io::Write as _;
    let mut world = World::new();
    world.set("CORTI_AUTH_PASSPHRASE_FILE", &world.private_file("passphrase", "y"));
    let mut login = world.start("login -e eu --client-id x --no-verify --store file --secret-stdin");
    let place = world.config_folder().join("config.lock");
    common::wait_until("it reads the secret", || place.exists() && !login.has_open(&place));
    let lock = File::open(&place).unwrap();
    lock.lock().unwrap();
    login.0.stdin.take().unwrap().write_all(b"x").unwrap();
    common::wait_until("it waits for the lock", || login.has_open(&place));
    login.interrupt();
    assert_eq!(login.wait(), Some(130));
    assert_eq!(world.config(), "");
    assert!(!world.config_folder().join("secrets").exists());
}

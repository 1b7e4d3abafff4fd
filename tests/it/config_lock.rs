//! A command waits a limited time for another process that holds the lock of `config.toml`.

use std::fs::File;
use std::time::Duration;

use crate::common::{Said, World};

const PROFILES: &str = "[profiles.a]\nenvironment = \"eu\"\nclient-id = \"acme\"\n";

fn locked() -> (World, File) {
    let world = World::new();
    world.write_config(PROFILES);
    let lock = File::create(world.config_folder().join("config.lock")).unwrap();
    lock.lock().unwrap();
    (world, lock)
}

#[test]
fn a_lock_that_is_not_released_is_an_error_and_nothing_is_changed() {
    let (world, lock) = locked();
    let said = Said::by(&mut world.run("profile use a"));
    assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{}", said.stderr);
    assert!(said.stderr.contains("another process is changing `"), "{}", said.stderr);
    assert!(said.stderr.contains("config.toml` and has not finished in 15 s"), "{}", said.stderr);
    assert_eq!(world.config(), PROFILES);
    drop(lock);
    world.run("profile use a").assert().success();
}

#[test]
fn control_c_ends_the_wait() {
    let (world, _lock) = locked();
    let secret = world.file("secret", "anything");
    for command in
        ["profile use a", "profile rename a b", &format!("login -e eu --client-id x --secret-file {secret}")]
    {
        let mut running = world.start(command);
        // The process takes a moment to handle signals, which nothing outside shows; the wait for the lock is longer.
        std::thread::sleep(Duration::from_secs(2));
        running.interrupt();
        assert_eq!(running.wait(), Some(130), "{command}");
    }
    assert_eq!(world.config(), PROFILES);
}

#[cfg(target_os = "linux")]
#[test]
fn control_c_while_a_login_waits_for_the_lock_stores_nothing() {
    use std::io::Write as _;
    let mut world = World::new();
    world.use_passphrase();
    let mut login = world.start("login -e eu --client-id x --no-verify --store file --secret-stdin");
    let place = world.config_folder().join("config.lock");
    crate::common::wait_until("it reads the secret", || place.exists() && !login.has_open(&place));
    let lock = File::open(&place).unwrap();
    lock.lock().unwrap();
    login.0.stdin.take().unwrap().write_all(b"x").unwrap();
    crate::common::wait_until("it waits for the lock", || login.has_open(&place));
    login.interrupt();
    assert_eq!(login.wait(), Some(130));
    assert_eq!(world.config(), "");
    assert!(!world.config_folder().join("secrets").exists());
}

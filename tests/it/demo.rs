//! `demo`, the README's first command: with and without a keyring, and that nothing is left behind.

use crate::common::keyring::search;
use crate::common::{self, Keyring, Said, World};

#[test]
fn without_a_keyring_demo_says_so_and_uses_memory() {
    let world = World::new();
    let said = Said::by(&mut world.run("demo"));
    assert_eq!(said.code, 0, "{}", said.stderr);
    for words in [
        "this process's memory",
        "no keyring is ready",
        "full: it acts",
        "limited: it opens the /streams WebSocket",
        "/streams?tenant-name=base",
        "CONFIG_ACCEPTED",
        "403",
        "8. Cleaned up",
    ] {
        assert!(said.stdout.contains(words), "{words}: {}", said.stdout);
    }
    assert!(!said.stdout.contains("eyJ"), "no token is shown");
    assert_eq!(world.config(), "", "no profile is made");
}

#[test]
fn with_a_keyring_demo_uses_it_and_cleans_up() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let json = Said::by(&mut world.run("demo --json")).json();
    assert_eq!((&json["schema"], &json["store"]), (&"corti-auth/demo/v1".into(), &"the OS keyring".into()));
    assert_eq!((&json["socket"], &json["rest_with_limited_token"]), (&"CONFIG_ACCEPTED".into(), &403.into()));
    let search = search(&world);
    assert!(!search.stdout.contains("corti-auth"), "{}", search.stdout);
}

#[cfg(unix)]
#[test]
fn a_stopped_demo_leaves_nothing_in_the_keyring() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let mut hit = 0;
    for round in 0..40_u64 {
        let mut demo = world.start("demo");
        // Spread over the run of `demo`: wherever the signal comes, the outcome is the same.
        std::thread::sleep(std::time::Duration::from_millis(100 + round * 10));
        common::signal(demo.0.id(), if round % 2 == 0 { "INT" } else { "TERM" });
        hit += u32::from(demo.wait() != Some(0));
    }
    assert!(hit > 0, "no signal came in time");
    let search = search(&world);
    assert!(!search.stdout.contains("corti-auth"), "{}", search.stdout);
}

#[test]
fn a_full_disk_is_an_error() {
    for arguments in ["demo", "token --help", "completions bash"] {
        let script = format!("'{}' {arguments} > /dev/full", common::binary().display());
        let said = Said::by(World::new().program("sh").args(["-c", &script]));
        assert_eq!(said.code, 1, "{arguments}: {}", said.stderr);
        assert!(said.stderr.contains("cannot write to stdout"), "{arguments}: {}", said.stderr);
    }
}

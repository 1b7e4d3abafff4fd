//! The test entry that `doctor` writes to the store: `doctor` removes it at its end, and the next run removes the one
//! of a killed run.

use std::time::{Duration, Instant};

use crate::common;
use crate::common::diagnosis::{assert_verdict, diagnose};
use crate::common::{Keyring, World, keyring};

/// How many test entries the keyring has.
fn test_entries(world: &World) -> usize {
    let said = keyring::search(world);
    (said.stdout + &said.stderr).matches("attribute.username = https://corti-auth.invalid").count()
}

#[test]
fn several_doctors_may_run_at_once() {
    let keyring = Keyring::unlocked();
    // Two homes that know nothing of each other, and one keyring.
    let worlds = [World::with_keyring(&keyring), World::with_keyring(&keyring)];
    for _ in 0..5 {
        std::thread::scope(|scope| {
            for world in worlds.iter().cycle().take(8) {
                // Before the first login, the store that it would use is tested.
                scope.spawn(|| assert_verdict(&diagnose(world, "").1, "store", "ok", "the OS keyring"));
            }
        });
    }
    assert_eq!(test_entries(&worlds[0]), 0);
    assert!(!worlds[0].config_folder().exists(), "a lock leaves no folder behind");
}

#[test]
fn control_c_leaves_no_test_entry() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let mut hit = 0;
    // From before the first call to the keyring to after the last, however slow the machine is.
    for milliseconds in (0..600).step_by(2) {
        let mut doctor = world.start("doctor");
        std::thread::sleep(Duration::from_millis(milliseconds));
        doctor.interrupt();
        // Killed before it handled the signal, interrupted, or done.
        let code = doctor.wait();
        assert!(matches!(code, None | Some(130 | 4)), "{code:?}");
        hit += u32::from(code == Some(130));
        if hit == 20 {
            break;
        }
    }
    assert!(hit > 0, "no signal came in time");
    assert_eq!(test_entries(&world), 0);
}

#[test]
fn a_killed_doctor_leaves_at_most_one_test_entry_and_the_next_removes_it() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let mut left = 0;
    let started = Instant::now();
    assert_verdict(&diagnose(&world, "").1, "store", "ok", "the OS keyring");
    let mut duration = started.elapsed();
    // From before the first call to the keyring to after the last, until enough kills came in time.
    for round in 0..400 {
        let mut doctor = world.start("doctor");
        std::thread::sleep(duration * (round * 79 % 128) / 100);
        doctor.0.kill().unwrap();
        // Adapts to the machine's speed, so that four of five are killed before they end.
        let alive = doctor.0.wait().unwrap().code().is_none();
        duration = duration * if alive { 101 } else { 96 } / 100;
        let test_entries = test_entries(&world);
        assert!(test_entries <= 1, "round {round}: {test_entries}");
        left += test_entries;
        if left > 0 && round % 10 == 9 {
            assert_verdict(&diagnose(&world, "").1, "store", "ok", "the OS keyring");
            assert_eq!(self::test_entries(&world), 0, "round {round}");
            if round > 100 {
                break;
            }
        }
    }
    assert!(left > 0, "it was never hit between its write and its removal");
    assert_verdict(&diagnose(&world, "").1, "store", "ok", "the OS keyring");
    assert_eq!(test_entries(&world), 0);
}

#[test]
fn the_next_doctor_removes_the_test_entry_in_an_encrypted_file() {
    let mut world = World::new();
    world.use_passphrase();
    world.write_config(
        "default-profile = \"a\"\n[profiles.a]\nenvironment = \"http://127.0.0.1:1\"\nclient-id = \"a\"\nstore = \"file\"\n",
    );
    let folder = world.config_folder().join("secrets");
    let files = || std::fs::read_dir(&folder).into_iter().flatten().count();
    let mut doctor = world.start("doctor");
    common::wait_until("it has written its entry", || {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        entries.into_iter().any(|entry| entry.path().extension().is_some_and(|it| it == "age"))
    });
    doctor.0.kill().unwrap();
    doctor.0.wait().unwrap();
    assert_eq!(files(), 1);
    // As left behind by a write that was killed a moment earlier.
    std::fs::write(folder.join(".00.age.corti-auth-AbCd12"), "half a file").unwrap();
    assert_verdict(
        &diagnose(&world, "").1,
        "store",
        "ok",
        "wrote, read and deleted a test entry in an encrypted file",
    );
    assert_eq!(files(), 0);
}

#[test]
fn a_failing_store_is_reported_without_the_test_client() {
    let keyring = Keyring::in_state("locked");
    let world = World::with_keyring(&keyring);
    let (code, outcome) = diagnose(&world, "");
    assert_eq!(code, 4);
    assert_verdict(&outcome, "store", "failed", "cannot use the store: the keyring is locked");
    assert!(!outcome.to_string().contains("corti-auth.invalid"), "nobody's client: {outcome}");
}

#[test]
fn before_the_first_login_the_store_that_it_would_use_is_tested() {
    let mut world = World::new();
    world.set("CORTI_AUTH_STORE", "file");
    world.use_passphrase();
    assert_verdict(
        &diagnose(&world, "").1,
        "store",
        "ok",
        "wrote, read and deleted a test entry in an encrypted file",
    );
    world.set("CORTI_AUTH_STORE", "plain");
    assert_verdict(&diagnose(&world, "").1, "store", "failed", "CORTI_AUTH_STORE: `plain` is not a store");
}

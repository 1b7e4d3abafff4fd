//! The entry that `doctor` tries the store with: gone when it ends, and gone after the next one when it was killed.

#![cfg(unix)]
use std::time::{Duration, Instant};

use crate::common;
use crate::common::diagnosis::{assert_verdict, diagnose};
use crate::common::{Keyring, Said, World};

/// How many canaries the keyring has.
fn canaries(world: &World) -> usize {
    let mut search = world.program("secret-tool");
    let said = Said::by(search.args(["search", "--all", "service", "corti-auth"]));
    (said.stdout + &said.stderr).matches("attribute.username = https://corti-auth.invalid").count()
}

#[test]
fn doctors_do_not_get_into_each_others_way() {
    let keyring = Keyring::unlocked();
    // Two homes, whose doctors know nothing of each other, and one keyring.
    let worlds = [World::with_keyring(&keyring), World::with_keyring(&keyring)];
    for _ in 0..5 {
        std::thread::scope(|scope| {
            for world in worlds.iter().cycle().take(8) {
                // Before the first login, the store that it would use is tried.
                scope.spawn(|| assert_verdict(&diagnose(world, "").1, "store", "ok", "the OS keyring"));
            }
        });
    }
    assert_eq!(canaries(&worlds[0]), 0);
    assert!(!worlds[0].config_folder().exists(), "a lock leaves no folder behind");
}

#[test]
fn ctrl_c_leaves_no_canary() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let mut hit = 0;
    // From before its first call to after its end, whatever the machine's pace.
    for milliseconds in (0..600).step_by(2) {
        let mut doctor = world.start("doctor");
        std::thread::sleep(Duration::from_millis(milliseconds));
        doctor.interrupt();
        // Killed before it took the signal over, interrupted, or done.
        let code = doctor.wait();
        assert!(matches!(code, None | Some(130 | 4)), "{code:?}");
        hit += u32::from(code == Some(130));
        if hit == 20 {
            break;
        }
    }
    assert!(hit > 0, "no signal came in time");
    assert_eq!(canaries(&world), 0);
}

#[test]
fn a_killed_doctor_leaves_one_canary_at_most_and_the_next_removes_it() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let mut left = 0;
    let started = Instant::now();
    assert_verdict(&diagnose(&world, "").1, "store", "ok", "the OS keyring");
    let mut duration = started.elapsed();
    // From before its first call to after its end; until it was hit often enough.
    for round in 0..400 {
        let mut doctor = world.start("doctor");
        std::thread::sleep(duration * (round * 79 % 128) / 100);
        doctor.0.kill().unwrap();
        // Adapts, so that four of five are hit alive: the machine's pace may change.
        let alive = doctor.0.wait().unwrap().code().is_none();
        duration = duration * if alive { 101 } else { 96 } / 100;
        let canaries = canaries(&world);
        assert!(canaries <= 1, "round {round}: {canaries}");
        left += canaries;
        if left > 0 && round % 10 == 9 {
            assert_verdict(&diagnose(&world, "").1, "store", "ok", "the OS keyring");
            assert_eq!(self::canaries(&world), 0, "round {round}");
            if round > 100 {
                break;
            }
        }
    }
    assert!(left > 0, "it was never hit between its write and its removal");
    assert_verdict(&diagnose(&world, "").1, "store", "ok", "the OS keyring");
    assert_eq!(canaries(&world), 0);
}

#[test]
fn a_killed_doctor_of_encrypted_files_leaves_nothing_to_the_next() {
    let mut world = World::new();
    let passphrase = world.private_file("passphrase", "correct horse");
    world.set("CORTI_AUTH_PASSPHRASE_FILE", &passphrase);
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
    // What a write leaves behind that is killed a moment earlier.
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
fn a_failing_store_is_told_by_what_was_tried() {
    let keyring = Keyring::in_state("locked");
    let world = World::with_keyring(&keyring);
    let (code, outcome) = diagnose(&world, "");
    assert_eq!(code, 4);
    assert_verdict(&outcome, "store", "failed", "cannot use the store: the keyring is locked");
    assert!(!outcome.to_string().contains("corti-auth.invalid"), "nobody's client: {outcome}");
}

/// The store that a first login would use is the one that is tried.
#[test]
fn the_store_before_a_first_login() {
    let mut world = World::new();
    world.set("CORTI_AUTH_STORE", "file");
    let passphrase = world.private_file("passphrase", "correct horse battery staple");
    world.set("CORTI_AUTH_PASSPHRASE_FILE", &passphrase);
    assert_verdict(
        &diagnose(&world, "").1,
        "store",
        "ok",
        "wrote, read and deleted a test entry in an encrypted file",
    );
    world.set("CORTI_AUTH_STORE", "plain");
    assert_verdict(&diagnose(&world, "").1, "store", "failed", "CORTI_AUTH_STORE: `plain` is not a store");
}

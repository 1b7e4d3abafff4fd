//! A keyring that cannot be used: each state has its own message and exit code 4, without a long wait.

use std::time::{Duration, Instant};

use crate::common::keyring::daemon;
use crate::common::{self, Keyring, Said, World};

const PROFILE: &str =
    "default-profile = \"dev\"\n[profiles.dev]\nenvironment = \"eu\"\nclient-id = \"acme\"\n";

/// Runs every command that needs the keyring in this state, and checks message and exit code.
fn assert_every_command_says(state: &str, message: &str, code: &str) {
    let keyring = (state != "no-bus").then(|| Keyring::in_state(state));
    let world = keyring.as_ref().map_or_else(World::new, World::with_keyring);
    world.write_config(PROFILE);
    let secret = world.file("secret", "anything");
    let login = ["login", "-p", "dev", "--no-verify", "--secret-file", &secret];
    let rotate = ["rotate", "--secret-file", &secret];
    for words in
        [&["token", "--full"][..], &rotate, &["logout"], &["status"], &["profile", "remove", "dev"], &login]
    {
        let started = Instant::now();
        let said = Said::by(&mut world.run_words(words));
        assert_eq!(said.code, 4, "{state} {words:?}: {}", said.stderr);
        assert!(said.stderr.contains(message), "{state} {words:?}: {}", said.stderr);
        let file = "corti-auth login --profile dev-file --store file -e eu --client-id acme\n";
        assert!(said.stderr.contains(file), "{state} {words:?}: {}", said.stderr);
        // The limit is 3 s; a command that hangs takes far more than 20 s.
        assert!(started.elapsed() < Duration::from_secs(20), "{state} {words:?}");
    }
    assert_eq!(Said::by(&mut world.run("status --json")).json()["secret"], code);
    assert_eq!(world.config(), PROFILE, "a failing store must not change the profiles");
}

#[test]
fn a_missing_bus_is_named() {
    assert_every_command_says("no-bus", "there is no D-Bus session bus", "no_bus");
}

#[test]
fn a_missing_keyring_service_is_named() {
    assert_every_command_says("no-service", "no keyring is running", "no_service");
}

#[test]
fn a_keyring_without_a_collection_is_named() {
    assert_every_command_says("new", "the keyring has no default collection", "no_collection");
}

#[test]
fn a_locked_keyring_is_named() {
    assert_every_command_says("locked", "the keyring is locked", "locked");
}

#[test]
fn a_keyring_unlocked_with_a_wrong_password_counts_as_locked() {
    assert_every_command_says("wrong-password", "the keyring is locked", "locked");
}

#[test]
fn a_missing_entry_means_not_logged_in() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    world.write_config(PROFILE);
    let said = Said::by(&mut world.run("token --full"));
    assert_eq!(said.code, 4);
    assert!(said.stderr.contains("not logged in: no secret is stored for `eu/base/acme`"), "{}", said.stderr);
    assert_eq!(Said::by(&mut world.run("status --json")).json()["secret"], "missing");
}

#[test]
fn two_entries_that_match_are_named_and_can_be_removed() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    world.write_config(PROFILE);
    for (label, extra) in [("one", &[][..]), ("an older tool's", &["origin", "another's"])] {
        let mut store = world.program("secret-tool");
        store.arg("store").arg(format!("--label={label}"));
        store.args(["service", "corti-auth", "username", "eu/base/acme"]).args(extra);
        store.write_stdin(label).assert().success();
    }
    let said = Said::by(&mut world.run("token --full"));
    assert_eq!(said.code, 4);
    assert!(
        said.stderr.contains("the keyring has more than one entry for this client: `"),
        "{}",
        said.stderr
    );
    assert!(said.stderr.contains("`one`") && said.stderr.contains("`an older tool's`"), "{}", said.stderr);
    // The hint is a command that removes both.
    let hint = said
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("hint: remove them, then log in again: "))
        .unwrap();
    world.program("sh").args(["-c", hint]).assert().success();
    assert_eq!(Said::by(&mut world.run("status --json")).json()["secret"], "missing");
}

#[test]
fn an_entry_of_another_program_is_read() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    world.write_config(PROFILE);
    let mut store = world.program("secret-tool");
    store.args(["store", "--label=x", "service", "corti-auth", "username", "eu/base/acme"]);
    store.write_stdin("anything").assert().success();
    assert_eq!(Said::by(&mut world.run("status --json")).json()["secret"], "present");
}

#[test]
fn a_hanging_daemon_is_given_up_after_3_seconds() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    world.write_config(PROFILE);
    let daemon = daemon(&world);
    assert!(common::signal(daemon, "STOP"));
    for arguments in ["token --full", "status"] {
        let started = Instant::now();
        let said = Said::by(&mut world.run(arguments));
        assert_eq!(said.code, 4, "{}", said.stderr);
        assert!(said.stderr.contains("did not answer within 3 s"), "{}", said.stderr);
        assert!(said.stderr.contains("--store file -e eu --client-id acme\n"), "{}", said.stderr);
        assert!(started.elapsed() < Duration::from_secs(20));
    }
    assert!(common::signal(daemon, "CONT"));
}

#[test]
fn a_dead_daemon_counts_as_no_service() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    world.write_config(PROFILE);
    assert_eq!(Said::by(&mut world.run("status --json")).json()["secret"], "missing");
    assert!(common::signal(daemon(&world), "KILL"));
    common::wait_until("the bus knows", || {
        Said::by(&mut world.run("status --json")).json()["secret"] == "no_service"
    });
    assert_eq!(Said::by(&mut world.run("token --full")).code, 4);
}

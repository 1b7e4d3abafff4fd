//! `profile remove` at the same time as `profile rename`, `login` or `rotate`: whichever comes first, every profile
//! has its secret and every secret its profile.

use std::fs::File;
use std::time::Duration;

use corti_auth::domain::client::api_client::Client;
use corti_auth::domain::client::config::Config;
use corti_auth::domain::client::store_kind::StoreKind;

use crate::common::keyring::{store, users};
use crate::common::{self, Keyring, Said, Sandbox, World};

const FILE: &str = "[profiles.a]\nenvironment = \"eu\"\nclient-id = \"acme\"\n";

fn secret_tool(world: &World, verb: &[&str], secret: &str) -> String {
    let mut secret_tool = world.program("secret-tool");
    secret_tool.args(verb).args(["service", "corti-auth", "username", "eu/base/acme"]);
    Said::by(secret_tool.write_stdin(secret)).stdout
}

/// Runs both at once, the second one a little earlier or later in each round. Returns for each round whether the
/// removal succeeded and whether the client still has a profile.
fn race(world: &World, other: &[&str]) -> Vec<(bool, bool)> {
    let mut ends = Vec::new();
    for round in 0..60_u64 {
        world.write_config(FILE);
        secret_tool(world, &["store", "--label=x"], "stored");
        let removal = std::thread::scope(|scope| {
            let delay = Duration::from_micros(round * 400);
            let rest = Duration::from_millis(12).saturating_sub(delay);
            let other = scope.spawn(move || {
                std::thread::sleep(rest);
                Said::by(&mut world.run_words(other))
            });
            std::thread::sleep(delay.saturating_sub(Duration::from_millis(12)));
            let removal = Said::by(&mut world.run("profile remove a"));
            let other = other.join().unwrap();
            assert!(matches!(other.code, 0 | 3), "round {round}: {}", other.stderr);
            removal
        });
        assert!(matches!(removal.code, 0 | 3), "round {round}: {}", removal.stderr);
        let config: Config = world.config().parse().unwrap();
        let left = config.profiles().values().any(|profile| profile.client.id.as_str() == "acme");
        let secret = secret_tool(world, &["lookup"], "");
        assert_eq!(left, !secret.is_empty(), "round {round}: {}{}", world.config(), removal.stderr);
        ends.push((removal.code == 0, left));
    }
    ends
}

#[test]
fn a_removal_and_a_rename_at_once_lose_nothing() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let ends = race(&world, &["profile", "rename", "a", "b"]);
    // One of the two wins.
    assert!(ends.iter().all(|(removed, left)| removed != left), "{ends:?}");
}

#[test]
fn a_removal_and_a_login_at_once_keep_the_secret() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let secret = world.file("secret", "stored");
    let login =
        ["login", "-e", "eu", "--client-id", "acme", "-p", "b", "--no-verify", "--secret-file", &secret];
    let ends = race(&world, &login);
    assert!(ends.iter().all(|(removed, left)| *removed && *left), "{ends:?}");
}

#[test]
fn a_rotation_stores_nothing_for_a_removed_profile() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    let Sandbox { environment, client_secret, .. } = &sandbox;
    let (file, user) = (world.file("secret", client_secret), format!("{environment}/base/sandbox"));
    let place = world.config_folder().join("config.lock");
    let profile = format!("[profiles.a]\nenvironment = \"{environment}\"\nclient-id = \"sandbox\"\n");
    for removal_first in [true, false] {
        world.write_config(&profile);
        store(&world, &user, "old");
        let lock = File::create(&place).unwrap();
        lock.lock().unwrap();
        let mut rotation = world.start(&format!("rotate -p a --secret-file {file}"));
        common::wait_until("the secret is verified", || rotation.has_open(&place));
        if removal_first {
            // Like another process that had the lock.
            world
                .program("secret-tool")
                .args(["clear", "service", "corti-auth", "username", &user])
                .assert()
                .success();
            world.write_config("");
        }
        drop(lock);
        assert_eq!(rotation.wait(), Some(if removal_first { 3 } else { 0 }));
        let expected: &[String] = if removal_first { &[] } else { std::slice::from_ref(&user) };
        assert_eq!(users(&world), expected, "{}", world.config());
    }
}

#[test]
fn logins_and_removals_at_once_leave_no_secret_without_a_profile() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let file = world.file("secret", "stored");
    let login =
        ["login", "-e", "eu", "--client-id", "acme", "-p", "a", "--no-verify", "--secret-file", &file];
    let commands = [&login[..], &["profile", "remove", "a"]];
    let mut ends = [0, 0];
    for round in 0..40_u64 {
        std::thread::scope(|scope| {
            for words in commands.iter().cycle().take(6) {
                let world = &world;
                scope.spawn(move || {
                    let is_removal = words[0] == "profile";
                    std::thread::sleep(Duration::from_millis(if is_removal { round % 8 * 10 } else { 0 }));
                    let said = Said::by(&mut world.run_words(words));
                    assert!(matches!(said.code, 0 | 3), "{words:?}: {}", said.stderr);
                });
            }
        });
        let config: Config = world.config().parse().unwrap();
        let secret = secret_tool(&world, &["lookup"], "");
        let left = config.profiles().values().any(|profile| profile.uses(&client(), &StoreKind::Keyring));
        assert_eq!(left, !secret.is_empty(), "round {round}: {}", world.config());
        ends[usize::from(left)] += 1;
    }
    // Most rounds end with a removal; the test needs some that end with a login.
    assert!(ends[1] > 0, "{ends:?}");
}

fn client() -> Client {
    Client {
        environment: "eu".parse().unwrap(),
        tenant: "base".parse().unwrap(),
        id: "acme".parse().unwrap(),
    }
}

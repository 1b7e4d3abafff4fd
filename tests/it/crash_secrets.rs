//! `kill -9` at random points of commands that change a stored secret, with a real keyring: a profile names every
//! secret, no stored secret is lost, and no cached token can be found by the id of a secret that was replaced or
//! removed.
//!
//! Each command is killed `KILL_ROUNDS` times; `scripts/full` sets 300.

#![allow(clippy::print_stdout, reason = "the figures, for who asks for them: --nocapture")]

use std::collections::BTreeMap;

use crate::common::keyring::{lookup, store, users};
use crate::common::killer::{Killer, config};
use crate::common::{self, Keyring, Said, Sandbox, World};

fn rounds() -> u32 {
    common::variable("KILL_ROUNDS").map_or(40, |text| text.parse().unwrap())
}

/// How far the commands were when they were killed.
#[derive(Debug, Default)]
struct Outcomes {
    nothing_changed: u32,
    /// A new profile without its secret, or the old secret without its id.
    named: u32,
    stored: u32,
}

impl Outcomes {
    /// Fails if every kill came too early or too late, which would prove nothing.
    fn finish(&self, command: &str) {
        println!("{command}: {self:?}");
        assert!(self.nothing_changed > 0 && self.named + self.stored > 0, "{command}: {self:?}");
    }
}

/// Kills a command at a random point, or every other time around its first write to the configuration, because the
/// changes are the last few milliseconds of a command.
fn kill_at_random(killer: &mut Killer<'_>, world: &World, round: u32, words: &[&str]) -> bool {
    if round.is_multiple_of(2) {
        killer.kill_at_random(words)
    } else {
        killer.kill_at_write(words, &world.config_folder().join("config.toml"))
    }
}

/// Checks that a profile names every secret in the keyring, and counts them.
fn assert_every_secret_has_a_profile(world: &World) -> usize {
    let (config, users) = (config(world), users(world));
    let named: Vec<String> = config.profiles().values().map(|it| it.client.store_user()).collect();
    let lost: Vec<_> = users.iter().filter(|user| !named.contains(user)).collect();
    assert!(lost.is_empty(), "no profile names {lost:?}: {}", world.config());
    users.len()
}

/// The id of a profile's secret, by which cached tokens are found.
fn id_of(world: &World, profile: &str) -> Option<String> {
    let config = config(world);
    let profile = config.profiles().get(&profile.parse().unwrap())?;
    profile.credential.as_ref().map(|id| id.as_str().to_owned())
}

#[test]
fn a_killed_login_of_a_new_profile_leaves_no_secret_without_a_profile() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let file = world.file("secret", "stored");
    let words = |id: &'static str| {
        ["login", "-e", "eu", "--no-verify", "--secret-file", &file, "--client-id", id, "-p", id]
    };
    let mut killer = Killer::new(&world, rounds(), &words("first"));
    let (mut outcomes, mut stored, mut round, mut without_secret) = (Outcomes::default(), 1, 0, None);
    while killer.needs_more_kills() {
        round += 1;
        let id: &'static str = format!("c{round}").leak();
        let alive = kill_at_random(&mut killer, &world, round, &words(id));
        let now = assert_every_secret_has_a_profile(&world);
        let is_named = config(&world).profiles().contains_key(&id.parse().unwrap());
        let is_stored = now > stored;
        assert_eq!(now, stored + usize::from(is_stored), "round {round}: a secret is lost");
        if alive {
            match (is_named, is_stored) {
                (false, _) => outcomes.nothing_changed += 1,
                (true, false) => {
                    outcomes.named += 1;
                    without_secret = Some(id);
                }
                (true, true) => outcomes.stored += 1,
            }
        }
        killer.changed += u32::from(alive && is_named);
        stored = now;
    }
    if let Some(id) = without_secret {
        world.run(&format!("status -p {id}")).assert().code(4);
        world.run_words(&["login", "-p", id, "--no-verify", "--secret-file", &file]).assert().success();
        assert_eq!(lookup(&world, &format!("eu/base/{id}")), "stored");
    }
    killer.finish(&words("last"));
    outcomes.finish("login, a new profile");
}

/// Kills `words` until enough kills came in time. Before each kill, `prepare` gets its number and returns the secret
/// that the command is to store for `user`.
fn kill_replacements(
    world: &World,
    (profile, user): (&str, &str),
    words: &[&str],
    prepare: impl Fn(u32) -> String,
) {
    prepare(0);
    let mut killer = Killer::new(world, rounds(), words);
    let (mut outcomes, mut round) = (Outcomes::default(), 0);
    while killer.needs_more_kills() {
        round += 1;
        let new = prepare(round);
        let (before, id) = (lookup(world, user), id_of(world, profile));
        let alive = kill_at_random(&mut killer, world, round, words);
        let after = lookup(world, user);
        assert!(after == before || after == new, "round {round}: `{before}`, `{new}`, `{after}`");
        assert_eq!(assert_every_secret_has_a_profile(world), 1, "round {round}");
        let now = id_of(world, profile);
        assert!(after == before || now.is_none() || now != id, "round {round}: the old secret's id is there");
        if alive {
            match (after == new, now == id) {
                (true, _) => outcomes.stored += 1,
                (false, false) => outcomes.named += 1,
                (false, true) => outcomes.nothing_changed += 1,
            }
        }
        killer.changed += u32::from(alive && after == new);
    }
    prepare(round + 1);
    killer.finish(words);
    outcomes.finish(words[0]);
}

#[test]
fn a_killed_login_of_an_existing_profile_leaves_the_old_or_the_new_secret() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let file = world.file("secret", "");
    let words =
        ["login", "-e", "eu", "--client-id", "acme", "-p", "a", "--no-verify", "--secret-file", &file];
    kill_replacements(&world, ("a", "eu/base/acme"), &words, |round| {
        let new = format!("secret {round}");
        world.file("secret", &new);
        new
    });
}

#[test]
fn a_killed_rotation_leaves_the_old_or_the_new_secret() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    let id = "07".repeat(16);
    let text = format!(
        "# mine\ndefault-profile = \"a\"\n[profiles.a]\nenvironment = \"{}\"\nclient-id = \"sandbox\"\ncredential = \"{id}\"\n",
        sandbox.environment
    );
    let user = format!("{}/base/sandbox", sandbox.environment);
    let file = world.file("new", &sandbox.client_secret);
    let words = ["rotate", "--secret-file", &file];
    kill_replacements(&world, ("a", &user), &words, |round| {
        world.write_config(&text);
        store(&world, &user, &format!("stale {round}"));
        sandbox.client_secret.clone()
    });
    assert!(world.config().starts_with("# mine\n"), "{}", world.config());
    world.run("token --full").assert().success();
}

/// Each client is imported three times, each time with another secret.
#[test]
fn a_killed_import_leaves_the_old_or_the_new_secret() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let file = world.file(".env", "ENVIRONMENT=eu\nCLIENT_ID=first\nCLIENT_SECRET=first\n");
    let words = |profile: &'static str| ["profile", "import", &file, "--yes", "--no-verify", "-p", profile];
    let mut killer = Killer::new(&world, rounds(), &words("first"));
    let (mut outcomes, mut round) = (Outcomes::default(), 0);
    let mut secrets = BTreeMap::from([("eu/base/first".to_owned(), "first".to_owned())]);
    while killer.needs_more_kills() {
        let (id, new) = (&*format!("c{}", round / 3).leak(), format!("secret {round}"));
        round += 1;
        world.file(".env", format!("ENVIRONMENT=eu\nCLIENT_ID={id}\nCLIENT_SECRET={new}\n"));
        let (user, was_named) =
            (format!("eu/base/{id}"), config(&world).profiles().contains_key(&id.parse().unwrap()));
        let old_id = id_of(&world, id);
        let alive = kill_at_random(&mut killer, &world, round, &words(id));
        let (secret, before) = (lookup(&world, &user), secrets.get(&user).cloned().unwrap_or_default());
        assert!(secret == before || secret == new, "round {round}: `{before}`, `{new}`, `{secret}`");
        if alive {
            let is_named = config(&world).profiles().contains_key(&id.parse().unwrap());
            let is_changed = is_named != was_named || id_of(&world, id) != old_id;
            match (secret == new, is_changed) {
                (true, _) => outcomes.stored += 1,
                (false, true) => outcomes.named += 1,
                (false, false) => outcomes.nothing_changed += 1,
            }
        }
        killer.changed += u32::from(alive && secret == new);
        if !secret.is_empty() {
            secrets.insert(user, secret);
        }
        assert_eq!(
            assert_every_secret_has_a_profile(&world),
            secrets.len(),
            "round {round}: a secret is lost"
        );
    }
    world.file(".env", "ENVIRONMENT=eu\nCLIENT_ID=last\nCLIENT_SECRET=last\n");
    killer.finish(&words("last"));
    outcomes.finish("profile import");
    for (user, secret) in secrets {
        assert_eq!(lookup(&world, &user), secret);
    }
    let said = Said::by(&mut world.run("status -p last --json"));
    assert_eq!(said.json()["secret"], "present");
}

#[test]
fn a_killed_removal_of_a_profile_leaves_no_secret_without_it() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let text = format!(
        "[profiles.a]\nenvironment = \"eu\"\nclient-id = \"acme\"\ncredential = \"{}\"\n",
        "07".repeat(16)
    );
    let prepare = || {
        world.write_config(&text);
        store(&world, "eu/base/acme", "stored");
    };
    let words = ["profile", "remove", "a"];
    prepare();
    let mut killer = Killer::new(&world, rounds(), &words);
    let (mut outcomes, mut round) = (Outcomes::default(), 0);
    while killer.needs_more_kills() {
        round += 1;
        prepare();
        let alive = kill_at_random(&mut killer, &world, round, &words);
        let (is_stored, is_named) =
            (assert_every_secret_has_a_profile(&world) == 1, world.config().contains("[profiles.a]"));
        assert!(
            is_stored || id_of(&world, "a").is_none(),
            "round {round}: tokens of a removed secret can be found"
        );
        if alive {
            match (is_stored, is_named) {
                (true, _) => outcomes.nothing_changed += 1,
                (false, true) => outcomes.named += 1,
                (false, false) => outcomes.stored += 1,
            }
        }
        killer.changed += u32::from(alive && !is_named);
    }
    prepare();
    killer.finish(&words);
    println!("profile remove: {outcomes:?}, `named` is without its secret, `stored` is removed");
    assert!(outcomes.nothing_changed > 0, "{outcomes:?}");
}

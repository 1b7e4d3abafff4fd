//! `kill -9` at random points of `login`, `rotate`, `profile rename` and `logout`: afterwards the old or the new state
//! holds, `config.toml` can be read, and the next change leaves no temporary file behind.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]
#![allow(clippy::print_stdout, reason = "the figures, for who asks for them: --nocapture")]

mod common;

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Keyring, Said, Sandbox, World};
use corti_auth::domain::config::Config;

/// How many times each command is killed at.
const ROUNDS: u32 = 200;

/// Kills commands, and counts.
struct Killer<'a> {
    world: &'a World,
    /// The state of an xorshift generator.
    random: u64,
    /// How long the command takes when it is left alone, in microseconds. Adapts, so that four of five are hit alive.
    duration: u64,
    /// How often it was killed before it had ended.
    alive: u32,
    /// How often it had changed something by then.
    changed: u32,
    /// How often a temporary file was left behind.
    leftovers: u32,
}

impl<'a> Killer<'a> {
    /// One whose first guess at the command's duration is that of `words` run once.
    fn new(world: &'a World, words: &[&str]) -> Self {
        let seed =
            u64::from(std::process::id()) << 20 | u64::from(common::now().subsec_nanosecond().unsigned_abs());
        let mut killer = Self { world, random: seed | 1, duration: 0, alive: 0, changed: 0, leftovers: 0 };
        let started = Instant::now();
        assert!(killer.start(words).wait().unwrap().success(), "{words:?}");
        killer.duration = u64::try_from(started.elapsed().as_micros()).unwrap();
        killer
    }

    fn start(&self, words: &[&str]) -> std::process::Child {
        let mut command = Command::new(common::binary());
        command.env_clear().envs(self.world.variables()).args(words);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    /// Starts a command and kills it at a random point of the time it takes, or shortly after. Says whether it was
    /// alive then.
    fn strike(&mut self, words: &[&str]) -> bool {
        let point = self.random(self.duration + 1);
        let started = Instant::now();
        let mut child = self.start(words);
        std::thread::sleep(Duration::from_micros(point).saturating_sub(started.elapsed()));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        let alive = status.signal() == Some(9);
        assert!(alive || status.success(), "{words:?}: {status}");
        self.duration = self.duration * if alive { 101 } else { 96 } / 100;
        self.alive += u32::from(alive);
        self.leftovers += u32::from(temporary_files(self.world) > 0);
        alive
    }

    /// After a run that is left alone, no temporary file is there.
    fn conclude(&mut self, words: &[&str]) {
        assert!(self.start(words).wait().unwrap().success(), "{words:?}");
        assert_eq!(temporary_files(self.world), 0);
        println!(
            "{}: {ROUNDS} rounds, {} killed alive, {} of them after the change; {} rounds with a temporary file",
            words[0], self.alive, self.changed, self.leftovers
        );
        // A test that only ever comes too late would prove nothing.
        assert!(self.alive > ROUNDS / 4, "{} of {ROUNDS}", self.alive);
        assert!(self.changed < self.alive, "it never came before the change");
        // logout's change is its last millisecond; six of two hundred kills come after it.
        assert!(self.changed > 0 || words[0] == "logout", "it never came after the change");
    }
}

/// The files in the configuration's folder that have no business there.
fn temporary_files(world: &World) -> usize {
    let entries = std::fs::read_dir(world.config_folder()).unwrap().flatten();
    entries.filter(|entry| entry.file_name() != "config.toml" && entry.file_name() != "config.lock").count()
}

fn config(world: &World) -> Config {
    let text = world.config();
    text.parse().unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn lookup(world: &World, user: &str) -> String {
    let mut secret_tool = world.program("secret-tool");
    Said::by(secret_tool.args(["lookup", "service", "corti-auth", "username", user])).stdout
}

fn store(world: &World, user: &str, secret: &str) {
    let mut secret_tool = world.program("secret-tool");
    secret_tool.args(["store", "--label=x", "service", "corti-auth", "username", user]);
    secret_tool.write_stdin(secret).assert().success();
}

#[test]
fn a_killed_login() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let file = world.file("secret", "first");
    let words = |id: &'static str| {
        ["login", "-e", "eu", "--no-verify", "--secret-file", &file, "--client-id", id, "-p", id]
    };
    let mut killer = Killer::new(&world, &words("first"));
    let (mut names, mut before) = (1, String::new());
    for round in 0..ROUNDS {
        // Each client is new at first, and then gets other secrets.
        let id: &'static str = format!("c{}", round / 4).leak();
        if round % 4 == 0 {
            before.clear();
        }
        let new = format!("secret {round}");
        world.file("secret", &new);
        let alive = killer.strike(&words(id));
        let (config, secret) = (config(&world), lookup(&world, &format!("eu/base/{id}")));
        assert!(secret == before || secret == new, "round {round}: `{before}`, `{new}`, `{secret}`");
        let profile = config.profiles().get(&id.parse().unwrap());
        assert!(profile.is_none() || !secret.is_empty(), "round {round}: a profile without its secret");
        assert!(profile.is_none_or(|it| it.client.id.as_str() == id));
        killer.changed += u32::from(alive && secret == new);
        assert!(config.profiles().len() >= names, "round {round}: a profile is lost");
        (names, before) = (config.profiles().len(), secret);
    }
    killer.conclude(&words("last"));
}

#[test]
fn a_killed_rotation() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    world.write_config(&format!(
        "# mine\ndefault-profile = \"a\"\n[profiles.a]\nenvironment = \"{}\"\nclient-id = \"sandbox\"\n",
        sandbox.environment
    ));
    let user = format!("{}/base/sandbox", sandbox.environment);
    let file = world.file("new", &sandbox.client_secret);
    let words = ["rotate", "--secret-file", &file];
    store(&world, &user, "stale");
    let mut killer = Killer::new(&world, &words);
    let mut before = sandbox.client_secret.clone();
    for round in 0..ROUNDS {
        if before == sandbox.client_secret {
            before = format!("stale {round}");
            store(&world, &user, &before);
        }
        let alive = killer.strike(&words);
        let (config, secret) = (config(&world), lookup(&world, &user));
        assert!(secret == before || secret == sandbox.client_secret, "round {round}: `{before}`, `{secret}`");
        killer.changed += u32::from(alive && secret != before);
        assert!(config.profiles().len() == 1 && world.config().starts_with("# mine\n"));
        before = secret;
    }
    store(&world, &user, "stale");
    killer.conclude(&words);
    world.run("token --full").assert().success();
}

#[test]
fn a_killed_rename() {
    let world = World::new();
    let profile = |name: &str| {
        format!("# of {name}\n[profiles.{name}]\nenvironment = \"eu\"\nclient-id = \"{name}\"\n")
    };
    let rest = format!("{}{}", profile("b"), profile("c"));
    world.write_config(&format!("default-profile = \"a\"\n{}{rest}", profile("a")));
    let mut killer = Killer::new(&world, &["profile", "rename", "a", "z"]);
    for round in 0..ROUNDS {
        let old = config(&world).default_profile().unwrap().to_string();
        let new = if old == "a" { "z" } else { "a" };
        let alive = killer.strike(&["profile", "rename", &old, new]);
        let (config, text) = (config(&world), world.config());
        let name = config.default_profile().unwrap();
        assert!(name.as_str() == old || name.as_str() == new, "round {round}: {text}");
        killer.changed += u32::from(alive && name.as_str() == new);
        assert_eq!(config.profiles()[name].client.id.as_str(), "a", "round {round}: {text}");
        assert!(config.profiles().len() == 3 && text.contains("# of a\n") && text.ends_with(&rest), "{text}");
    }
    let old = config(&world).default_profile().unwrap().to_string();
    killer.conclude(&["profile", "rename", &old, "last"]);
}

#[test]
fn a_killed_logout() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let text = "default-profile = \"a\"\n[profiles.a]\nenvironment = \"eu\"\nclient-id = \"acme\"\n";
    world.write_config(text);
    store(&world, "eu/base/acme", "stored");
    let mut killer = Killer::new(&world, &["logout"]);
    let mut secret = String::new();
    for round in 0..ROUNDS {
        if secret.is_empty() {
            store(&world, "eu/base/acme", "stored");
        }
        let alive = killer.strike(&["logout"]);
        secret = lookup(&world, "eu/base/acme");
        assert!(secret.is_empty() || secret == "stored", "round {round}: {secret}");
        killer.changed += u32::from(alive && secret.is_empty());
        assert_eq!(world.config(), text);
    }
    killer.conclude(&["logout"]);
    assert_eq!(lookup(&world, "eu/base/acme"), "");
}

#[test]
fn what_a_kill_left_behind_is_removed_by_the_next_change_and_by_nothing_else() {
    let world = World::new();
    world.write_config("[profiles.a]\nenvironment = \"eu\"\nclient-id = \"a\"\n");
    let folder = world.config_folder();
    let (ours, other) = (folder.join(".config.toml.corti-auth-AbCd12"), folder.join("notes.txt"));
    for path in [&ours, &other] {
        std::fs::write(path, "half a file").unwrap();
    }
    world.run("profile list").assert().success();
    assert!(ours.exists(), "a command that changes nothing takes no lock");
    world.run("profile use a").assert().success();
    assert!(!ours.exists() && other.exists());
}

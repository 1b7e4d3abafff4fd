//! Kills commands at random points, and looks at what is left.

#![allow(clippy::print_stdout, reason = "the figures, for who asks for them: --nocapture")]

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use corti_auth::domain::config::Config;

use super::{Said, World};

/// Kills commands, and counts.
pub struct Killer<'a> {
    world: &'a World,
    /// How many times a command is started to be killed.
    pub rounds: u32,
    /// The state of an xorshift generator.
    random: u64,
    /// How long the command takes when it is left alone, in microseconds. Adapts, so that four of five are hit alive.
    duration: u64,
    /// How often it was killed before it had ended.
    pub alive: u32,
    /// How often it had changed something by then.
    pub changed: u32,
    /// How often a temporary file was left behind.
    leftovers: u32,
}

impl<'a> Killer<'a> {
    /// One whose first guess at the command's duration is that of `words` run once.
    pub fn new(world: &'a World, rounds: u32, words: &[&str]) -> Self {
        let seed =
            u64::from(std::process::id()) << 20 | u64::from(super::now().subsec_nanosecond().unsigned_abs());
        let random = seed | 1;
        let mut killer = Self { world, rounds, random, duration: 0, alive: 0, changed: 0, leftovers: 0 };
        let started = Instant::now();
        assert!(killer.start(words).wait().unwrap().success(), "{words:?}");
        killer.duration = u64::try_from(started.elapsed().as_micros()).unwrap();
        killer
    }

    /// Starts a command that nobody kills.
    pub fn start(&self, words: &[&str]) -> Child {
        let mut command = Command::new(super::binary());
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
    pub fn strike(&mut self, words: &[&str]) -> bool {
        let point = self.random(self.duration + 1);
        let started = Instant::now();
        let mut child = self.start(words);
        std::thread::sleep(Duration::from_micros(point).saturating_sub(started.elapsed()));
        let alive = self.kill(&mut child, words);
        self.duration = self.duration * if alive { 101 } else { 96 } / 100;
        alive
    }

    /// Starts a command and kills it within some milliseconds of its first temporary file, or every other time of
    /// `written` being another one: for commands whose write comes after a second of other work.
    pub fn strike_at_write(&mut self, words: &[&str], written: &Path) -> bool {
        let inode = |path: &Path| std::fs::metadata(path).map(|it| it.ino()).unwrap_or_default();
        let (before, pause, late) = (inode(written), self.random(5_000), self.random(2) == 0);
        let mut child = self.start(words);
        while (late || temporary_files(self.world) == 0)
            && inode(written) == before
            && child.try_wait().unwrap().is_none()
        {
            std::thread::sleep(Duration::from_micros(20));
        }
        std::thread::sleep(Duration::from_micros(pause));
        self.kill(&mut child, words)
    }

    fn kill(&mut self, child: &mut Child, words: &[&str]) -> bool {
        child.kill().unwrap();
        let status = child.wait().unwrap();
        let alive = status.signal() == Some(9);
        assert!(alive || status.success(), "{words:?}: {status}");
        self.alive += u32::from(alive);
        self.leftovers += u32::from(temporary_files(self.world) > 0);
        alive
    }

    /// After a run that is left alone, no temporary file is there.
    pub fn conclude(&mut self, words: &[&str]) {
        assert!(self.start(words).wait().unwrap().success(), "{words:?}");
        assert_eq!(temporary_files(self.world), 0);
        println!(
            "{}: {} rounds, {} killed alive, {} of them after the change; {} rounds with a temporary file",
            words[0], self.rounds, self.alive, self.changed, self.leftovers
        );
        // A test that only ever comes too late would prove nothing.
        assert!(self.alive > self.rounds / 4, "{} of {}", self.alive, self.rounds);
    }
}

/// The files in the configuration's folder and its secrets' that have no business there.
pub fn temporary_files(world: &World) -> usize {
    let folder = world.config_folder();
    let names = |folder: &std::path::Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let known = ["config.toml", "config.lock", "secrets"];
    let odd = names(&folder).iter().filter(|name| !known.contains(&name.as_str())).count();
    let is_secret =
        |name: &&String| name.split_once('.').is_some_and(|(stem, rest)| !stem.is_empty() && rest == "age");
    let secrets = names(&folder.join("secrets"));
    odd + secrets.len() - secrets.iter().filter(is_secret).count()
}

/// The configuration, which must be one.
pub fn config(world: &World) -> Config {
    let text = world.config();
    text.parse().unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What the keyring has for `user`; nothing where it has none.
pub fn lookup(world: &World, user: &str) -> String {
    let mut secret_tool = world.program("secret-tool");
    Said::by(secret_tool.args(["lookup", "service", "corti-auth", "username", user])).stdout
}

/// Puts a secret into the keyring by another program.
pub fn store(world: &World, user: &str, secret: &str) {
    let mut secret_tool = world.program("secret-tool");
    secret_tool.args(["store", "--label=x", "service", "corti-auth", "username", user]);
    secret_tool.write_stdin(secret).assert().success();
}

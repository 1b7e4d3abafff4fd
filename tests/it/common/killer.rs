//! Kills commands at random points, and looks at what is left.

#![allow(clippy::print_stdout, reason = "the figures, for who asks for them: --nocapture")]

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use corti_auth::domain::client::config::Config;

use super::World;

/// Kills commands, and counts.
pub struct Killer<'a> {
    world: &'a World,
    /// How many times a command is to be killed.
    rounds: u32,
    /// The state of an xorshift generator.
    random: u64,
    /// How long the command takes when it is left alone, in microseconds. Adapts, so that four of five are hit alive.
    duration: u64,
    /// How long a command that has begun to write is left alone at most, in microseconds. Adapts as `duration` does.
    pause: u64,
    /// How often a command was started to be killed.
    struck: u32,
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
        let (pause, struck, alive, changed, leftovers) = (5_000, 0, 0, 0, 0);
        let mut killer =
            Self { world, rounds, random, duration: 0, pause, struck, alive, changed, leftovers };
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

    /// Whether one more [`Killer::strike_at_write`] is due: until as many came in time as there are to be rounds. How
    /// soon a command ends after its write is the disk's affair, so some come too late; eight times as many are a bound.
    pub fn is_due(&self) -> bool {
        self.alive < self.rounds && self.struck < self.rounds * 8
    }

    /// Starts a command and kills it within some milliseconds of its first bytes in a temporary file, or every other
    /// time of `written` being another one: for commands whose write comes after a second of other work.
    pub fn strike_at_write(&mut self, words: &[&str], written: &Path) -> bool {
        let inode = |path: &Path| std::fs::metadata(path).map(|it| it.ino()).unwrap_or_default();
        let (before, pause, late) = (inode(written), self.random(self.pause + 1), self.random(2) == 0);
        let mut child = self.start(words);
        while (late || !temporary_files(self.world).iter().any(|path| has_bytes(path)))
            && inode(written) == before
            && child.try_wait().unwrap().is_none()
        {
            std::thread::sleep(Duration::from_micros(20));
        }
        std::thread::sleep(Duration::from_micros(pause));
        let alive = self.kill(&mut child, words);
        self.pause = if alive { (self.pause * 5 / 4).clamp(100, 5_000) } else { self.pause / 2 };
        alive
    }

    fn kill(&mut self, child: &mut Child, words: &[&str]) -> bool {
        child.kill().unwrap();
        let status = child.wait().unwrap();
        let alive = status.signal() == Some(9);
        assert!(alive || status.success(), "{words:?}: {status}");
        self.struck += 1;
        self.alive += u32::from(alive);
        self.leftovers += u32::from(!temporary_files(self.world).is_empty());
        alive
    }

    /// After a run that is left alone, no temporary file is there.
    pub fn conclude(&mut self, words: &[&str]) {
        assert!(self.start(words).wait().unwrap().success(), "{words:?}");
        assert_eq!(temporary_files(self.world), [] as [PathBuf; 0]);
        println!(
            "{}: {} rounds, {} killed alive, {} of them after the change; {} rounds with a temporary file",
            words[0], self.struck, self.alive, self.changed, self.leftovers
        );
        // A test that only ever comes too late would prove nothing.
        assert!(self.alive > self.rounds / 4, "{} of {}", self.alive, self.rounds);
    }
}

/// The files in the configuration's folder and its secrets' that have no business there.
pub fn temporary_files(world: &World) -> Vec<PathBuf> {
    let folder = world.config_folder();
    let odd = |folder: &Path, is_known: fn(&str) -> bool| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let odd = entries.filter(move |entry| !is_known(entry.file_name().to_str().unwrap()));
        odd.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let mut files = odd(&folder, |name| ["config.toml", "config.lock", "secrets"].contains(&name));
    files.extend(odd(&folder.join("secrets"), |name| {
        name.split_once('.').is_some_and(|(stem, rest)| !stem.is_empty() && rest == "age")
    }));
    files
}

/// The one by which a command tries a folder before it asks for a secret never has any.
fn has_bytes(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|it| it.len() > 0)
}

/// The configuration, which must be one.
pub fn config(world: &World) -> Config {
    let text = world.config();
    text.parse().unwrap_or_else(|error| panic!("{error}: {text}"))
}

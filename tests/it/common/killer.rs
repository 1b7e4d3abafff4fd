//! Kills commands at random points, and checks what is left.

#![allow(clippy::print_stdout, reason = "the figures, for who asks for them: --nocapture")]

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use corti_auth::domain::client::config::Config;

use super::World;

/// Kills commands and counts.
pub struct Killer<'a> {
    world: &'a World,
    /// How often a command is to be killed.
    rounds: u32,
    /// The state of an xorshift generator.
    random: u64,
    /// How long the command takes, in microseconds. Adapts, so that four of five are killed before they end.
    duration: u64,
    /// The longest wait after the first write, in microseconds. Adapts like `duration`.
    pause: u64,
    /// How many commands were started to be killed.
    started: u32,
    /// How many were killed before they ended.
    pub alive: u32,
    /// How many of these had changed something.
    pub changed: u32,
    /// How many left a temporary file.
    leftovers: u32,
}

impl<'a> Killer<'a> {
    /// Runs `words` once, to measure how long it takes.
    pub fn new(world: &'a World, rounds: u32, words: &[&str]) -> Self {
        let seed =
            u64::from(std::process::id()) << 20 | u64::from(super::now().subsec_nanosecond().unsigned_abs());
        let random = seed | 1;
        let (pause, started, alive, changed, leftovers) = (5_000, 0, 0, 0, 0);
        let mut killer =
            Self { world, rounds, random, duration: 0, pause, started, alive, changed, leftovers };
        let started = Instant::now();
        assert!(killer.start(words).wait().unwrap().success(), "{words:?}");
        killer.duration = u64::try_from(started.elapsed().as_micros()).unwrap();
        killer
    }

    /// Starts a command.
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

    /// Starts a command and kills it at a random point of the time it takes, or shortly after. Returns whether it
    /// still ran.
    pub fn kill_at_random(&mut self, words: &[&str]) -> bool {
        let point = self.random(self.duration + 1);
        let started = Instant::now();
        let mut child = self.start(words);
        std::thread::sleep(Duration::from_micros(point).saturating_sub(started.elapsed()));
        let alive = self.kill(&mut child, words);
        self.duration = self.duration * if alive { 101 } else { 96 } / 100;
        alive
    }

    /// Whether to go on: until enough were killed before they ended. How soon a command ends after its write depends
    /// on the disk, so some kills come too late; the limit is eight kills per round.
    pub fn needs_more_kills(&self) -> bool {
        self.alive < self.rounds && self.started < self.rounds * 8
    }

    /// Starts a command and kills it a few milliseconds after its first bytes in a temporary file or, every other
    /// time, after `written` was replaced. For commands that write after a second of other work.
    pub fn kill_at_write(&mut self, words: &[&str], written: &Path) -> bool {
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
        self.started += 1;
        self.alive += u32::from(alive);
        self.leftovers += u32::from(!temporary_files(self.world).is_empty());
        alive
    }

    /// Runs the command to its end; no temporary file may be left.
    pub fn finish(&mut self, words: &[&str]) {
        assert!(self.start(words).wait().unwrap().success(), "{words:?}");
        assert_eq!(temporary_files(self.world), [] as [PathBuf; 0]);
        println!(
            "{}: {} rounds, {} killed alive, {} of them after the change; {} rounds with a temporary file",
            words[0], self.started, self.alive, self.changed, self.leftovers
        );
        // If every kill came too late, the test proves nothing.
        assert!(self.alive > self.rounds / 4, "{} of {}", self.alive, self.rounds);
    }
}

/// The files in the configuration's folder and its `secrets` that are neither configuration, lock nor secret.
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

/// The empty file that tests whether the folder can be written does not count.
fn has_bytes(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|it| it.len() > 0)
}

/// The configuration, which must be readable.
pub fn config(world: &World) -> Config {
    let text = world.config();
    text.parse().unwrap_or_else(|error| panic!("{error}: {text}"))
}

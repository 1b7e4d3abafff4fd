//! How a sandbox starts: where its secret comes from, and what happens when it cannot start.

use std::process::{Command, Stdio};
use std::time::Duration;

use predicates::prelude::*;
use predicates::str::contains;

use crate::common::{Running, World, binary, signal};

#[test]
fn a_signal_ends_the_wait_for_the_secret() {
    let world = World::new();
    let secret = world.pipe("secret");
    for name in ["INT", "TERM", "HUP"] {
        let mut command = Command::new(binary());
        command.env_clear().envs(world.variables()).args(["sandbox", "--secret-file", &secret]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut running = Running(command.spawn().unwrap());
        // An earlier signal would end it without an exit code.
        std::thread::sleep(Duration::from_secs(1));
        assert!(signal(running.0.id(), name), "{name}: it ended before");
        assert_eq!(running.wait(), Some(0), "{name}");
    }
}

#[test]
fn a_ready_file_that_cannot_be_written_leaves_nothing_on_stdout() {
    let world = World::new();
    let said = contains("cannot write the ready file `/nope/x`").and(contains("hint: "));
    world.run("sandbox --ready-file /nope/x").assert().code(2).stdout("").stderr(said);
}

#[test]
fn an_empty_secret_is_refused_with_a_hint() {
    let world = World::new();
    let empty = world.file("empty", "");
    let said = contains("give the secret and nothing else").and(contains("login").not());
    world.run(&format!("sandbox --secret-file {empty}")).assert().code(2).stdout("").stderr(said);
}

#[test]
fn the_ready_file_replaces_only_a_file_or_a_link() {
    let world = World::new();
    let pipe = world.pipe("ready");
    for taken in [&pipe, &world.home().display().to_string()] {
        let said = contains(format!("cannot write the ready file `{taken}`: it is not a file"));
        let words = ["sandbox", "--ready-file", taken];
        world.run_words(&words).assert().code(2).stdout("").stderr(said.and(contains("hint: ")));
    }
    let kind = std::fs::symlink_metadata(&pipe).unwrap().file_type();
    assert!(std::os::unix::fs::FileTypeExt::is_fifo(&kind), "the pipe was replaced");
}

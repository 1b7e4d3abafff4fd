//! How a sandbox starts: where its secret comes from, and what it says and leaves behind where it does not start.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod common;

use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Running, World, binary, signal};

/// Makes a pipe in the world's home and names it.
fn pipe(world: &World, name: &str) -> String {
    let path = world.home().join(name).display().to_string();
    world.program("mkfifo").arg(&path).assert().success();
    path
}

#[test]
fn a_secret_that_never_comes_is_not_waited_for_after_a_signal() {
    let world = World::new();
    let secret = pipe(&world, "secret");
    for name in ["INT", "TERM", "HUP"] {
        let mut command = Command::new(binary());
        command.env_clear().envs(world.variables()).args(["sandbox", "--secret-file", &secret]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut running = Running(command.spawn().unwrap());
        // Long enough for it to have taken the signals over, which a signal that came sooner would show as no exit code.
        std::thread::sleep(Duration::from_secs(1));
        assert!(signal(running.0.id(), name), "{name}: it ended before");
        assert_eq!(running.wait(), Some(0), "{name}");
    }
}

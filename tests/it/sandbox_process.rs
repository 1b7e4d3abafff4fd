//! How the sandbox's process starts and stops.

use std::os::unix::fs::PermissionsExt as _;

use predicates::prelude::*;
use predicates::str::contains;
use rustix::process::{Pid, Signal, kill_process};

use crate::common::{Sandbox, World};

#[test]
fn a_taken_port_is_named() {
    let (sandbox, world) = (Sandbox::start(), World::new());
    let (ready, port) = (world.home().join("ready.json"), sandbox.environment.rsplit_once(':').unwrap().1);
    let said = contains(format!("127.0.0.1:{port} is already in use")).and(contains("hint: "));
    let words = ["sandbox", "--port", port, "--ready-file", ready.to_str().unwrap()];
    world.run_words(&words).assert().code(2).stdout("").stderr(said);
    assert!(!ready.exists());
}

#[test]
fn the_ready_file_is_private_and_removed_at_the_end() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut sandbox = Sandbox::start();
        let file = std::fs::metadata(sandbox.ready_file()).unwrap();
        assert_eq!(file.permissions().mode() & 0o7777, 0o600);
        kill_process(Pid::from_raw(sandbox.id().try_into().unwrap()).unwrap(), signal).unwrap();
        assert_eq!(sandbox.wait().code(), Some(0), "{signal:?}");
        assert!(!sandbox.ready_file().exists(), "{signal:?}");
    }
}

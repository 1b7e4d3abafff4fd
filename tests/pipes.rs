//! A named pipe that nobody writes to is waited for, and Ctrl-C or the deadline ends the wait.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod common;

use std::time::Duration;

use common::{Said, World, wait_until};

/// A world with a client of a server that nobody reaches, and the path of a pipe.
fn world() -> (World, String) {
    let mut world = World::new();
    for (name, value) in [("ENVIRONMENT", "https://192.0.2.1"), ("CLIENT_ID", "a"), ("CLIENT_SECRET", "b")] {
        world.set(&format!("CORTI_{name}"), value);
    }
    let pipe = world.home().join("pipe").display().to_string();
    world.program("mkfifo").arg(&pipe).assert().success();
    (world, pipe)
}

#[test]
fn an_interrupt_ends_the_wait() {
    let (world, pipe) = world();
    let file = world.file("token", "x");
    for words in [
        format!("token --full --timeout 60s --ca-cert {pipe}"),
        format!("diff {pipe} {file}"),
        format!("inspect {pipe} --verify -e eu"),
        format!("explain --response {pipe}"),
        format!("profile import {pipe} --yes"),
    ] {
        let mut running = world.start(&words);
        wait_until("it has the interrupt's handler", || catches_interrupts(running.0.id()));
        running.interrupt();
        assert_eq!(running.wait(), Some(130), "{words}");
    }
}

/// Whether a process has taken SIGINT over (proc(5), `SigCgt`).
fn catches_interrupts(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0").trim();
    u64::from_str_radix(caught, 16).unwrap_or(0) & (1 << 1) != 0
}

#[test]
fn certificates_that_never_come_are_a_timeout() {
    let (mut world, pipe) = world();
    let started = std::time::Instant::now();
    let said = Said::by(&mut world.run(&format!("token --full --timeout 1s --ca-cert {pipe}")));
    assert_eq!(said.code, 8, "{}", said.stderr);
    world.set("SSL_CERT_FILE", &pipe);
    let said = Said::by(&mut world.run("token --full --timeout 1s"));
    assert_eq!(said.code, 8, "{}", said.stderr);
    assert!(started.elapsed() < Duration::from_secs(20));
}

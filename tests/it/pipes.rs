//! A file that is a pipe nobody writes to: the wait for it ends by Ctrl-C and, where an outside call stands behind it, by its deadline.

#![cfg(unix)]
use std::time::{Duration, Instant};

use crate::common;
use crate::common::{Running, Said, World};

const TOKEN: &str = "token --full -e eu --timeout";

/// A world with a pipe, and its path.
fn world() -> (World, String) {
    let mut world = World::new();
    for (name, value) in [("CORTI_CLIENT_ID", "x"), ("CORTI_CLIENT_SECRET", "a-secret-of-nobody")] {
        world.set(name, value);
    }
    let fifo = world.home().join("fifo").display().to_string();
    world.program("mkfifo").arg(&fifo).assert().success();
    (world, fifo)
}

/// Whether the process has taken SIGINT over, which it does before it opens anything.
fn takes_signals(running: &Running) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.0.id())).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or_default();
    u64::from_str_radix(caught.trim(), 16).is_ok_and(|mask| mask & 0b10 != 0)
}

fn ends_by_an_interrupt(world: &World, arguments: &str) {
    let mut running = world.start(arguments);
    common::wait_until("the command takes signals", || takes_signals(&running));
    // The open comes after that, with nothing to see of it.
    std::thread::sleep(Duration::from_millis(200));
    let begin = Instant::now();
    running.interrupt();
    assert_eq!(running.wait(), Some(130), "{arguments}");
    assert!(begin.elapsed() < Duration::from_secs(2), "{arguments}: {:?}", begin.elapsed());
}

#[test]
fn the_wait_for_a_pipe_can_be_interrupted() {
    let (mut world, fifo) = world();
    for arguments in [
        format!("{TOKEN} 30s --ca-cert {fifo}"),
        format!("diff {fifo} x"),
        format!("inspect {fifo} --verify -e eu"),
    ] {
        ends_by_an_interrupt(&world, &arguments);
    }
    world.set("SSL_CERT_FILE", &fifo);
    ends_by_an_interrupt(&world, &format!("{TOKEN} 30s"));
}

#[test]
fn certificates_that_never_come_have_the_requests_deadline() {
    let (mut world, fifo) = world();
    let refused = |said: &Said| {
        assert_eq!(said.code, 3, "{}", said.stderr);
        assert!(said.stderr.contains("not read in 1 s"), "{}", said.stderr);
    };
    refused(&Said::by(&mut world.run(&format!("{TOKEN} 1s --ca-cert {fifo}"))));
    world.set("SSL_CERT_FILE", &fifo);
    refused(&Said::by(&mut world.run(&format!("{TOKEN} 1s"))));
}

#[test]
fn certificates_without_an_end_are_refused() {
    let (world, _) = world();
    let said = Said::by(&mut world.run(&format!("{TOKEN} 30s --ca-cert /dev/zero")));
    assert!(said.stderr.contains("longer than"), "{}", said.stderr);
}

//! A pipe that nobody writes to: Ctrl-C ends the wait for it, and so does the request's deadline where a request
//! needs the file.

use std::time::{Duration, Instant};

use crate::common;
use crate::common::{Running, Said, World};

const TOKEN: &str = "token --full -e eu --timeout";

/// A world and the path of a pipe in it.
fn world() -> (World, String) {
    let mut world = World::new();
    for (name, value) in [("CORTI_CLIENT_ID", "x"), ("CORTI_CLIENT_SECRET", "a-secret-of-nobody")] {
        world.set(name, value);
    }
    let pipe = world.pipe("pipe");
    (world, pipe)
}

/// Whether the process handles SIGINT, which it does before it opens a file.
fn takes_signals(running: &Running) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.0.id())).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or_default();
    u64::from_str_radix(caught.trim(), 16).is_ok_and(|mask| mask & 0b10 != 0)
}

fn assert_control_c_ends(world: &World, arguments: &str) {
    let mut running = world.start(arguments);
    common::wait_until("the command takes signals", || takes_signals(&running));
    // The process opens the pipe after that, which cannot be seen from outside.
    std::thread::sleep(Duration::from_millis(200));
    let begin = Instant::now();
    running.interrupt();
    assert_eq!(running.wait(), Some(130), "{arguments}");
    assert!(begin.elapsed() < Duration::from_secs(2), "{arguments}: {:?}", begin.elapsed());
}

#[test]
fn control_c_ends_the_wait_for_a_pipe() {
    let (mut world, pipe) = world();
    for arguments in [
        format!("{TOKEN} 30s --ca-cert {pipe}"),
        format!("diff {pipe} x"),
        format!("inspect {pipe} --verify -e eu"),
    ] {
        assert_control_c_ends(&world, &arguments);
    }
    world.set("SSL_CERT_FILE", &pipe);
    assert_control_c_ends(&world, &format!("{TOKEN} 30s"));
}

#[test]
fn the_deadline_ends_the_wait_for_certificates() {
    let (mut world, pipe) = world();
    let refused = |said: &Said| {
        assert_eq!(said.code, 3, "{}", said.stderr);
        assert!(said.stderr.contains("not read in 1 s"), "{}", said.stderr);
    };
    refused(&Said::by(&mut world.run(&format!("{TOKEN} 1s --ca-cert {pipe}"))));
    world.set("SSL_CERT_FILE", &pipe);
    refused(&Said::by(&mut world.run(&format!("{TOKEN} 1s"))));
}

#[test]
fn an_endless_file_of_certificates_is_refused() {
    let (world, _) = world();
    let said = Said::by(&mut world.run(&format!("{TOKEN} 30s --ca-cert /dev/zero")));
    assert!(said.stderr.contains("longer than"), "{}", said.stderr);
}

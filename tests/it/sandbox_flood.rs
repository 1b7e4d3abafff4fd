//! WebSocket clients that send without end: the sandbox still serves others, and stops when it is told to.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::common::fake_server::upgrade_request;
use crate::common::{self, Said, Sandbox, World, wait_until};

/// A client's frame, masked with zeros (RFC 6455, section 5.3).
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    assert!(length < 126);
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

/// Opens `/transcribe`, sends `first`, then `rest` without end, and reads nothing. Counts the bytes sent.
fn flood(sandbox: &Sandbox, token: &str, first: Vec<u8>, rest: &[u8]) -> Arc<AtomicUsize> {
    let host = sandbox.environment.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    stream.write_all(upgrade_request(host, token).as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    let written = Arc::new(AtomicUsize::new(0));
    let (counter, block) = (Arc::clone(&written), rest.repeat(64 * 1024 / rest.len() + 1));
    std::thread::spawn(move || {
        let mut next = first.as_slice();
        while stream.write_all(next).is_ok() {
            counter.fetch_add(next.len(), Ordering::Relaxed);
            next = &block;
        }
    });
    written
}

#[test]
fn a_client_that_sends_without_end_blocks_no_other() {
    let config = frame(0x81, br#"{"type":"config","configuration":{"primaryLanguage":"en"}}"#);
    for (name, first, rest) in [
        ("pings", config.clone(), frame(0x89, &[7; 125])),
        ("pings before the configuration", Vec::new(), frame(0x89, b"")),
        ("pongs", config.clone(), frame(0x8a, b"")),
        ("audio", config.clone(), frame(0x82, b"")),
        ("empty fragments", [config, frame(0x01, b"x")].concat(), frame(0x00, b"")),
    ] {
        let mut sandbox = Sandbox::start();
        let world = World::of(&sandbox);
        let token = Said::by(&mut world.run("token --scope transcribe")).stdout;
        let written = flood(&sandbox, token.trim(), first, &rest);
        wait_until("the flood has begun", || written.load(Ordering::Relaxed) > 64 * 1024);
        let said = Said::by(&mut world.run("token --full --timeout 20s"));
        assert_eq!(said.code, 0, "{name}: {}", said.stderr);
        let peak = common::memory(sandbox.id(), "VmHWM").unwrap_or_default();
        assert!(peak < 256 * 1024, "{name}: {peak} KiB");
        let began = Instant::now();
        assert!(common::signal(sandbox.id(), "TERM"));
        let status = sandbox.wait();
        assert_eq!(status.code(), Some(0), "{name}");
        // Clients get a second to close; the rest is for a machine under load.
        assert!(began.elapsed() < Duration::from_secs(8), "{name}: {:?}", began.elapsed());
    }
}

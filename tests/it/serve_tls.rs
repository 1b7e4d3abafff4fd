//! `serve` and whoever takes Corti's name over: without a certificate that is trusted, no call and no token goes there (A28).

use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustls::{ServerConnection, StreamOwned};

use crate::common::gateway::{BATCH, Gateway, UPGRADE, config_of, get};
use crate::common::{Sandbox, World, wait_until};
use crate::tls::{authority, config, pass_on};

const RULES: &str = "[[rule]]\ngroups = [\"batch\"]\nallow = [\"languages.list\", \"transcribe\"]\n";

#[test]
fn nothing_goes_to_a_corti_with_another_certificate() {
    let (ours, other, sandbox) = (authority(), authority(), Sandbox::start());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut world = World::of(&sandbox);
    world.set("CORTI_ENVIRONMENT", &format!("https://localhost:{}", listener.local_addr().unwrap().port()));
    let trusted = world.file("ours.pem", ours.pem());
    world.set("SSL_CERT_FILE", &trusted);
    // TLS in front of the sandbox, with a certificate that can be changed.
    let shown = Arc::new(Mutex::new(config(&ours)));
    let sockets = Arc::<Mutex<Vec<TcpStream>>>::default();
    let count = Arc::<AtomicUsize>::default();
    let upstream = sandbox.environment.trim_start_matches("http://").to_owned();
    let (now, open, taken) = (Arc::clone(&shown), Arc::clone(&sockets), Arc::clone(&count));
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            open.lock().unwrap().push(socket.try_clone().unwrap());
            let tls = ServerConnection::new(Arc::clone(&now.lock().unwrap())).unwrap();
            let (plain, taken) = (TcpStream::connect(&upstream).unwrap(), Arc::clone(&taken));
            std::thread::spawn(move || pass_on(StreamOwned::new(tls, socket), plain, &taken));
        }
    });
    let gateway = Gateway::start_in(world, &config_of("http://127.0.0.1:1", RULES));
    let bearer = format!("Authorization: Bearer {BATCH}\r\n");
    let languages = get("/corti/v2/languages/", &bearer);
    let transcribe = get("/corti/audio-bridge/v2/transcribe", &format!("{bearer}{UPGRADE}"));
    for (request, good) in [(&languages, 200), (&transcribe, 101)] {
        wait_until("it has its tokens", || gateway.connect().ask(request).0 == good);
    }
    *shown.lock().unwrap() = config(&other);
    for socket in sockets.lock().unwrap().drain(..) {
        let _ = socket.shutdown(Shutdown::Both);
    }
    let before = count.load(Ordering::SeqCst);
    for request in [&languages, &transcribe, &languages] {
        let (status, _, body) = gateway.connect().ask(request);
        assert_eq!(status, 502, "{body}");
        assert!(body.contains("upstream_unreachable"), "{body}");
    }
    assert_eq!(count.load(Ordering::SeqCst), before, "something was sent");
    assert!(!sockets.lock().unwrap().is_empty(), "it did not connect again");
}

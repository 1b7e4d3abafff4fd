//! The gateway alone, behind an engine, and asked by an engine: one table of expectations for all of them.

use crate::common::engine::Column::{self, Asking, Before, Inline};
use crate::common::engine::Engine::{Caddy, Envoy, Haproxy, Nginx};
use crate::common::engine::{PUBLIC, Setup, get};
use crate::common::fake_corti::OWN;
use crate::common::gateway::{BATCH, Connection, UPGRADE};
use crate::common::recorder::{target, values};

const LANGUAGES: &str = "/corti/v2/languages/";
const RECORDINGS: &str = "/corti/v2/interactions/7b1d1a52-5a4b-4c38-9c1e-0d6d6f1c2a3b/recordings/";
const EVENTS: &str = "/corti/v2/agentic/agents/a1/a2a/message:stream";
const TRANSCRIBE: &str = "/corti/audio-bridge/v2/transcribe";
const STREAMS: &str = "/corti/audio-bridge/v2/interactions/7b1d1a52-5a4b-4c38-9c1e-0d6d6f1c2a3b/streams";

/// What a full run uploads.
const UPLOAD: usize = 512 << 20;

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// The only request that Corti got: with the gateway's token and tenant, and nothing of the caller's credential.
fn only(setup: &Setup, credential: &str) -> String {
    let mut requests = setup.corti.take();
    assert_eq!(requests.len(), 1, "{:?}: {requests:?}", setup.column);
    let request = requests.remove(0);
    assert!(!request.contains(credential), "{:?}: {request}", setup.column);
    request
}

fn assert_rest(setup: &Setup, credential: &str, path: &str) {
    let request = only(setup, credential);
    assert_eq!(target(&request), path.strip_prefix("/corti").unwrap());
    let [authorization] = values(&request, "authorization")[..] else { panic!("{request}") };
    assert!(authorization.starts_with("Bearer eyJ"), "{request}");
    assert_eq!(values(&request, "tenant-name"), ["base"], "{request}");
}

/// Nothing of Corti's own server.
fn assert_clean(setup: &Setup, head: &str) {
    assert!(!head.contains(OWN), "{:?}: {head}", setup.column);
}

fn rest(setup: &Setup, credential: &str) {
    let (status, head, body) = setup.ask(&get(LANGUAGES, &bearer(credential)));
    assert_eq!((status, body.as_str()), (200, "{\"bytes\":0}"), "{:?}: {head}", setup.column);
    assert_clean(setup, &head);
    assert_rest(setup, credential, LANGUAGES);
}

/// Each event comes before the next one is sent.
fn events(setup: &Setup, credential: &str) {
    let mut connection = setup.connect();
    let body = "{}";
    connection.send(format!(
        "POST {EVENTS} HTTP/1.1\r\nHost: {PUBLIC}\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        bearer(credential),
        body.len()
    ));
    let head = connection.until("\r\n\r\n");
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.contains("text/event-stream"),
        "{:?}: {head}",
        setup.column
    );
    assert_clean(setup, &head);
    for number in ["one", "two", "three"] {
        setup.corti.events.send(number.to_owned()).unwrap();
        assert!(connection.until("\n\n").ends_with(&format!("data: {number}\n\n")), "{:?}", setup.column);
    }
    setup.corti.events.send(String::new()).unwrap();
    connection.until("0\r\n\r\n");
    assert_rest(setup, credential, EVENTS);
}

fn upload(setup: &Setup, credential: &str, size: usize) {
    let mut connection = setup.connect();
    connection.send(format!(
        "POST {RECORDINGS} HTTP/1.1\r\nHost: {PUBLIC}\r\n{}Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        bearer(credential)
    ));
    let chunk = [b"100000\r\n", &vec![b'x'; 1 << 20][..], b"\r\n"].concat();
    for _ in 0..size >> 20 {
        connection.send(&chunk);
    }
    let (status, head, body) = connection.ask("0\r\n\r\n");
    assert_eq!((status, body), (200, format!("{{\"bytes\":{size}}}")), "{:?}: {head}", setup.column);
    assert_rest(setup, credential, RECORDINGS);
}

/// Opens a WebSocket, and returns it with the head of its answer.
fn open(setup: &Setup, path: &str, headers: &str) -> (Connection, String) {
    let mut connection = setup.connect();
    connection.send(get(path, &format!("{headers}{UPGRADE}")));
    let head = connection.until("\r\n\r\n");
    (connection, head)
}

/// What is sent comes back, and Corti was asked by the gateway's token.
fn socket(setup: &Setup, path: &str, headers: &str, credential: &str) {
    let (mut connection, head) = open(setup, path, headers);
    assert!(head.starts_with("HTTP/1.1 101 "), "{:?} {path}: {head}", setup.column);
    let offered = headers.split_once("Sec-WebSocket-Protocol: ").and_then(|(_, rest)| rest.split(',').next());
    let lower = head.to_ascii_lowercase();
    let echoed: Vec<&str> =
        lower.lines().filter_map(|line| line.strip_prefix("sec-websocket-protocol: ")).collect();
    let offered: Vec<String> = offered.map(str::to_ascii_lowercase).into_iter().collect();
    assert_eq!(echoed, offered, "{:?}: {head}", setup.column);
    for text in ["first", "second"] {
        connection.send(text);
        assert_eq!(connection.bytes(text.len()), text.as_bytes());
    }
    drop(connection);
    let request = only(setup, credential);
    let plain = path.split('?').next().unwrap().strip_prefix("/corti").unwrap();
    let expected = format!("{plain}?tenant-name=base&token=Bearer%20eyJ");
    assert!(target(&request).starts_with(&expected), "{:?}: {request}", setup.column);
    assert!(values(&request, "sec-websocket-protocol").is_empty(), "{request}");
}

/// Every row of the table, with each credential.
pub fn check_rows(column: Column, size: usize) {
    let setup = Setup::start(column);
    let jwt = setup.idp.token("anna", "batch");
    for credential in [&*jwt, BATCH] {
        rest(&setup, credential);
        events(&setup, credential);
        upload(&setup, credential, size);
        for path in [TRANSCRIBE, STREAMS] {
            socket(&setup, path, &bearer(credential), credential);
            socket(&setup, &format!("{path}?token=Bearer%20{credential}&tenant-name=evil"), "", credential);
            let protocol = format!("Sec-WebSocket-Protocol: Authorization, Bearer%20{credential}\r\n");
            socket(&setup, path, &protocol, credential);
        }
    }
    for kind in ["transcribe", "streams"] {
        let (path, ticket) = setup.ticket(kind);
        setup.corti.take();
        socket(&setup, &path, &format!("Sec-WebSocket-Protocol: corti-ticket, {ticket}\r\n"), &ticket);
    }
    let logs = setup.logs();
    assert!(!logs.contains("eyJ") && !logs.contains(BATCH), "{column:?}: {logs}");
}

macro_rules! columns {
    ($($name:ident: $column:expr;)*) => {
        $(mod $name {
            use super::*;
            #[test]
            #[ignore = "needs engines: scripts/with-engines"]
            fn carries_every_row() {
                check_rows($column, UPLOAD);
            }
        })*
    };
}

columns! {
    inline: Inline;
    inline_nginx: Before(Nginx);
    inline_haproxy: Before(Haproxy);
    inline_caddy: Before(Caddy);
    inline_envoy: Before(Envoy);
    forward_auth_nginx: Asking(Nginx);
    forward_auth_caddy: Asking(Caddy);
    forward_auth_envoy: Asking(Envoy);
}

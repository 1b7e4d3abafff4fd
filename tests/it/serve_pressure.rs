//! `serve` under more than it should take: slow readers, uploads without end, thousands of WebSockets and half-open connections.
//! Its memory stays flat and others are served (abuse case 10, A15).

#![allow(clippy::print_stdout, reason = "the figures, for who asks for them: --nocapture")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use crate::common::gateway::{BATCH, Gateway, HOST, UPGRADE, config, get};
use crate::common::recorder::{Recorder, answer_well, open, target};
use crate::common::{Sandbox, binary, memory, wait_until};

const RULES: &str = "[limits]\nrate = \"100000/s\"\nburst = 100000\nsockets = 20\nbody = \"1MiB\"\n\
    [[rule]]\ngroups = [\"batch\"]\nallow = [\"languages.list\", \"transcribe\", \"session.transcribe\", \"recordings.create\"]\n";
const TRANSCRIBE: &str = "/corti/audio-bridge/v2/transcribe";
const RECORDINGS: &str = "/corti/v2/interactions/7b1d1a52-5a4b-4c38-9c1e-0d6d6f1c2a3b/recordings/";

/// What the peak of the memory may grow by, in KiB.
const FLAT: u64 = 8 * 1024;

/// More than buffers on the way may hold, and much more than [`FLAT`].
const MUCH: usize = 64 << 20;

fn bearer() -> String {
    format!("Authorization: Bearer {BATCH}\r\n")
}

/// The peak of the gateway's memory in KiB.
fn peak(gateway: &Gateway) -> u64 {
    memory(gateway.process.0.id(), "VmHWM").unwrap()
}

fn assert_flat(what: &str, gateway: &Gateway, before: u64, most: u64) {
    let growth = peak(gateway) - before;
    println!("{what}: {growth} KiB more than {before} KiB");
    assert!(growth <= most, "{what}: {growth} KiB more than {before} KiB");
}

/// Corti that sends [`MUCH`], on a WebSocket or as an answer. The number of bytes that it got rid of comes when it has sent
/// all, or when nobody has taken any for a while.
async fn start_flood() -> (Recorder, Sandbox, Gateway, Receiver<usize>) {
    let (sender, sent) = channel();
    let (corti, idp, gateway) = Recorder::answering(move |request, stream| {
        if !target(request).contains("flood") {
            return answer_well(request, stream);
        }
        if !open(request, stream) {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {MUCH}\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
        }
        stream.set_write_timeout(Some(Duration::from_secs(3))).unwrap();
        // A whole WebSocket message of 64 KiB - 1, as a server sends it.
        let block = [&[0x82, 126, 0xff, 0xff][..], &vec![0; 0xffff]].concat();
        let mut count = 0;
        while count < MUCH && stream.write_all(&block).is_ok() {
            count += block.len();
        }
        let _ = sender.send(count);
    })
    .behind_gateway(RULES)
    .await;
    (corti, idp, gateway, sent)
}

/// Sends a request and reads the head of its answer, and no more.
fn read_head_only(gateway: &Gateway, request: &str, status: &str) -> TcpStream {
    let mut stream = TcpStream::connect(&gateway.address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with(status), "{head}");
    stream
}

#[tokio::test]
async fn a_slow_reader_is_not_buffered_for() {
    let (_corti, _idp, gateway, sent) = start_flood().await;
    let languages = get("/corti/v2/languages/", &bearer());
    assert_eq!(gateway.connect().ask(&languages).0, 200);
    for (name, request, status) in [
        (
            "a WebSocket",
            get(&format!("{TRANSCRIBE}?flood=1"), &format!("{}{UPGRADE}", bearer())),
            "HTTP/1.1 101",
        ),
        ("an answer", get("/corti/v2/languages/?flood=1", &bearer()), "HTTP/1.1 200"),
    ] {
        let before = peak(&gateway);
        let reader = read_head_only(&gateway, &request, status);
        let taken = sent.recv_timeout(Duration::from_secs(120)).unwrap();
        println!("{name}: {taken} bytes left Corti");
        assert!(taken < MUCH, "{name}: all was taken, though nobody reads");
        assert_flat(name, &gateway, before, FLAT);
        assert_eq!(gateway.connect().ask(&languages).0, 200, "{name}");
        drop(reader);
    }
}

#[tokio::test]
async fn an_upload_without_end_is_cut_off() {
    let taken = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&taken);
    let (corti, _idp, gateway) = Recorder::answering(move |request, stream| {
        if !request.starts_with("POST") {
            return answer_well(request, stream);
        }
        let mut chunk = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = stream.read(&mut chunk) {
            count.fetch_add(length, Ordering::SeqCst);
        }
    })
    .behind_gateway(RULES)
    .await;
    let post = |more: &str| format!("POST {RECORDINGS} HTTP/1.1\r\nHost: {HOST}\r\n{}{more}\r\n", bearer());
    let before = peak(&gateway);
    for _ in 0..3 {
        let mut stream = TcpStream::connect(&gateway.address).unwrap();
        stream.write_all(post("Transfer-Encoding: chunked\r\n").as_bytes()).unwrap();
        let mut writer = stream.try_clone().unwrap();
        let writing = std::thread::spawn(move || {
            let block = [&b"10000\r\n"[..], &vec![b'x'; 0x10000], b"\r\n"].concat();
            let mut count = 0;
            while count < MUCH && writer.write_all(&block).is_ok() {
                count += block.len();
            }
            count
        });
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("body_too_large"), "{answer}");
        drop(stream);
        let sent = writing.join().unwrap();
        println!("{sent} bytes were taken from the caller");
        assert!(sent < MUCH, "all was taken");
    }
    let mut seen = 0;
    wait_until("Corti has seen all three", || {
        seen += corti.take().len();
        seen == 3
    });
    let taken = taken.load(Ordering::SeqCst);
    // The chunks' own bytes come on top.
    assert!(taken <= 3 * (1 << 20) + 3 * 1024, "{taken} bytes came to Corti");
    assert_flat("uploads", &gateway, before, FLAT);
    // A length that is too large is refused before Corti hears of it.
    for length in ["1048577", "10737418240"] {
        let head = post(&format!("Content-Length: {length}\r\n"));
        let answer = gateway.raw_until_answer(head.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 413 "), "{length}: {answer}");
    }
    assert_eq!(corti.take(), Vec::<String>::new());
    // Who sends all of it before reading gets the answer, too: nginx would answer 502 otherwise.
    let body = "x".repeat(4 << 20);
    for bearer in [bearer(), String::new()] {
        let head = format!(
            "POST {RECORDINGS} HTTP/1.1\r\nHost: {HOST}\r\n{bearer}Content-Length: {}\r\n\r\n",
            body.len()
        );
        let (status, ..) = gateway.connect().ask(&format!("{head}{body}"));
        assert_eq!(status, if bearer.is_empty() { 401 } else { 413 });
    }
    // The broker's bodies are small.
    let body = format!(r#"{{"scopes":["{}"]}}"#, "x".repeat(40_000));
    let answer = gateway.raw_until_answer(
        format!(
            "POST /broker/v1/token HTTP/1.1\r\nHost: {HOST}\r\n{}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            bearer(),
            body.len()
        )
        .as_bytes(),
    );
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn thousands_of_websockets_of_one_caller_are_refused_before_they_open() {
    let (corti, _idp, gateway) = Recorder::start().behind_gateway(RULES).await;
    let request = get(TRANSCRIBE, &format!("{}{UPGRADE}", bearer()));
    let mut opened = Vec::new();
    for _ in 0..20 {
        let mut connection = gateway.connect();
        assert_eq!(connection.ask(&request).0, 101);
        opened.push(connection);
    }
    let before = peak(&gateway);
    for number in 20..5000 {
        let (status, head, body) = gateway.connect().ask(&request);
        assert_eq!(status, 429, "{number}: {body}");
        assert!(body.contains("too_many_sockets") && !head.contains("upgrade"), "{head}{body}");
    }
    assert_flat("5,000 WebSockets", &gateway, before, FLAT);
    // Another credential of the same caller has no limit of its own.
    let session = gateway.post("/broker/v1/sessions", BATCH, &json!({ "kind": "transcribe" })).await.json();
    let ticket = session["protocols"]["corti-ticket"].as_str().unwrap();
    let by_ticket = get(&format!("{TRANSCRIBE}?corti-ticket={ticket}"), UPGRADE);
    assert_eq!(gateway.connect().ask(&by_ticket).0, 429);
    assert_eq!(corti.take().len(), 20, "what is refused never gets to Corti");
    assert_eq!(gateway.connect().ask(&get("/corti/v2/languages/", &bearer())).0, 200);
    // Those that end make room.
    opened.truncate(10);
    let mut more = Vec::new();
    wait_until("there is room for 10 more", || {
        let mut connection = gateway.connect();
        if connection.ask(&request).0 == 101 {
            more.push(connection);
        }
        more.len() == 10
    });
    assert_eq!(gateway.connect().ask(&request).0, 429);
}

/// A connection counts against its peer only until somebody else needs it.
#[tokio::test]
async fn half_open_connections_keep_nobody_out() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let corti = Recorder::answering(|request, stream| {
        if open(request, stream) {
            let _ = std::io::copy(&mut stream.try_clone().unwrap(), stream);
        } else {
            answer_well(request, stream);
        }
    });
    let idp = Sandbox::start();
    let mut command = Command::new("bash");
    command.args(["-c", "ulimit -n 1024; exec \"$0\" \"$@\""]).arg(binary());
    let gateway = Gateway::start_by(command, corti.world(), &config(&idp, RULES));
    gateway.ready().await;
    let mut socket = gateway.connect();
    assert_eq!(socket.ask(&get(TRANSCRIBE, &format!("{}{UPGRADE}", bearer()))).0, 101);
    let before = peak(&gateway);
    let mut held = Vec::new();
    let halves = ["", "G", "GET /corti/v2/languages/ HTTP/1.1\r\nHost: local", "POST / HTTP/1.1\r\nX: "];
    for number in 0..2000 {
        let mut stream = TcpStream::connect(&gateway.address).unwrap();
        // The oldest may already be closed again.
        let _ = stream.write_all(halves[number % 4].as_bytes());
        held.push(stream);
    }
    let answer = gateway.connect().ask(&get("/corti/v2/languages/", &bearer()));
    assert_eq!(answer.0, 200, "{}", answer.2);
    let files = std::fs::read_dir(format!("/proc/{}/fd", gateway.process.0.id())).unwrap().count();
    println!("{files} files are open");
    assert!(files < 1024 - 16, "{files} files are open");
    // 64 KiB for each of those that are kept.
    assert_flat("2,000 half-open connections", &gateway, before, 512 * 64);
    // An open WebSocket is not closed for others.
    socket.send("still open");
    assert_eq!(socket.bytes(10), b"still open");
    drop(held);
}

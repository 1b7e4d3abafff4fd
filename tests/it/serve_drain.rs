//! `serve` stops without losing a request: first it says that it is not ready, then it finishes what is under way.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::common::fake_server::{Answer, listen, read_request, serve};
use crate::common::gateway::{BATCH, Gateway, HOST, config};
use crate::common::{Sandbox, World, forged_token, signal, wait_until};
use crate::serve_sockets::{CONFIG, Socket, TRANSCRIBE, next, open};

const RULES: &str = "[[rule]]\ngroups = [\"batch\"]\nlimits = { sockets = 20 }\n\
                     allow = [\"transcribe\", \"languages.list\", \"recordings.create\"]\n";

/// Longer than any healthy machine needs.
const LONG: Duration = Duration::from_secs(30);

/// The rules, and how the gateway stops.
fn rules(delay: &str, spread: &str) -> String {
    format!("[drain]\ndelay = \"{delay}\"\nspread = \"{spread}\"\n{RULES}")
}

fn terminate(gateway: &Gateway) {
    assert!(signal(gateway.process.0.id(), "TERM"));
}

/// Whether it accepts connections.
fn accepts(gateway: &Gateway) -> bool {
    TcpStream::connect(&gateway.address).is_ok()
}

/// Opens a WebSocket that is at work.
async fn dictation(gateway: &Gateway) -> Socket {
    let bearer = format!("Bearer {BATCH}");
    let mut socket = open(gateway, TRANSCRIBE, &[("authorization", &bearer)]).await.unwrap();
    socket.send(Message::text(CONFIG)).await.unwrap();
    assert_eq!(next(&mut socket).await.unwrap()["type"], "CONFIG_ACCEPTED");
    socket
}

/// Checks that a WebSocket still works.
async fn flush(socket: &mut Socket) {
    socket.send(Message::text(r#"{"type":"flush"}"#)).await.unwrap();
    assert_eq!(next(socket).await.unwrap()["type"], "flushed");
}

#[tokio::test]
async fn everything_is_served_while_it_says_that_it_is_not_ready() {
    let (corti, idp) = (Sandbox::start(), Sandbox::start());
    let mut gateway = Gateway::start(&corti, &config(&idp, &rules("10000h", "10000h")));
    gateway.ready().await;
    let mut before = dictation(&gateway).await;
    terminate(&gateway);
    while gateway.get("/readyz", "").await.status != 503 {}
    assert_eq!(gateway.get("/healthz", "").await.status, 200);
    let mut served = Vec::new();
    for _ in 0..20 {
        let answer = gateway.get("/corti/v2/languages/", BATCH).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        served.push(answer.headers["x-request-id"].to_str().unwrap().to_owned());
    }
    flush(&mut before).await;
    flush(&mut dictation(&gateway).await).await;
    // Whoever asks a second time does not want to wait.
    let lines = gateway.stop();
    assert!(matches!(before.next().await, None | Some(Err(_))));
    let logged = lines.iter().filter(|line| line["operation"] == "languages.list");
    let logged: Vec<_> = logged.map(|line| line["request"].as_str().unwrap()).collect();
    assert_eq!(logged, served);
}

/// Each at its own time, so that their clients do not all come back at once.
#[tokio::test]
async fn open_websockets_are_cut() {
    let (corti, idp) = (Sandbox::start(), Sandbox::start());
    let mut gateway = Gateway::start(&corti, &config(&idp, &rules("0s", "2s")));
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(dictation(&gateway).await);
    }
    let lines = gateway.stop();
    for mut socket in sockets {
        assert!(matches!(socket.next().await, None | Some(Err(_))), "there is no close frame");
    }
    let cut = lines.iter().filter(|line| line["outcome"] == "draining" && line["operation"] == "transcribe");
    assert_eq!(cut.count(), 20, "{lines:#?}");
}

/// No connection is accepted any more while they are cut, and those that are not cut yet still work.
#[tokio::test]
async fn a_second_signal_does_not_wait_for_open_websockets() {
    let (corti, idp) = (Sandbox::start(), Sandbox::start());
    let mut gateway = Gateway::start(&corti, &config(&idp, &rules("0s", "10000h")));
    let mut socket = dictation(&gateway).await;
    terminate(&gateway);
    wait_until("no connection is accepted", || !accepts(&gateway));
    flush(&mut socket).await;
    gateway.stop();
    assert!(matches!(socket.next().await, None | Some(Err(_))));
}

/// Also the end of a WebSocket which the second signal ends. Several times, as it was lost only sometimes.
#[tokio::test]
async fn after_a_second_signal_the_log_has_every_websocket() {
    let (corti, idp) = (Sandbox::start(), Sandbox::start());
    let mut logged = Vec::new();
    for _ in 0..40 {
        let mut gateway = Gateway::start(&corti, &config(&idp, &rules("10000h", "0s")));
        let _socket = dictation(&gateway).await;
        terminate(&gateway);
        while gateway.get("/readyz", "").await.status != 503 {}
        logged.push(gateway.stop().iter().filter(|line| line["operation"] == "transcribe").count());
    }
    assert_eq!(logged, [2; 40]);
}

/// An API that says when an answer is under way, and goes on when it is told.
fn slow_api() -> (String, Receiver<()>, Sender<()>) {
    let (listener, environment) = listen();
    let ((begun, begins), (go, goes)) = (channel(), channel());
    let (begun, goes) = (Mutex::new(begun), Mutex::new(goes));
    serve(listener, move |_, mut stream| {
        let mut request = read_request(&mut stream);
        if request.starts_with("POST /realms/") {
            let scope = request.rsplit("scope=").next().unwrap().replace('+', " ");
            let Answer::Bytes(granted) = Answer::granted(&forged_token("https://x.example", &scope), &scope)
            else {
                return;
            };
            stream.write_all(granted.as_bytes()).unwrap();
        } else if request.starts_with("GET ") {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst").unwrap();
            begun.lock().unwrap().send(()).unwrap();
            goes.lock().unwrap().recv().unwrap();
            stream.write_all(b" last").unwrap();
        } else {
            let mut chunk = [0; 4096];
            let mut is_told = false;
            while !request.ends_with("\r\n0\r\n\r\n") {
                if !is_told && request.contains("first") {
                    begun.lock().unwrap().send(()).unwrap();
                    is_told = true;
                }
                let count = stream.read(&mut chunk).unwrap();
                assert_ne!(count, 0, "the upload broke off");
                request.push_str(&String::from_utf8_lossy(&chunk[..count]));
            }
            let got = json!({ "last": request.contains("last") }).to_string();
            let Answer::Bytes(answer) = Answer::http("201 Created", &[], &got) else { return };
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    (environment, begins, go)
}

#[tokio::test]
async fn what_is_under_way_is_finished() {
    let (environment, begins, go) = slow_api();
    let idp = Sandbox::start();
    let world = World::client_of(&environment);
    let mut gateway = Gateway::start_in(world, &config(&idp, &rules("0s", "0s")));
    let head = |line: &str, more: &str| {
        format!(
            "{line} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {BATCH}\r\nConnection: close\r\n{more}\r\n"
        )
    };
    let start = |head: String| {
        let mut stream = TcpStream::connect(&gateway.address).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        begins.recv_timeout(LONG).unwrap();
        stream
    };
    let path = "/corti/v2/interactions/7b1d1a52-5a4b-4c38-9c1e-0d6d6f1c2a3b/recordings/";
    let chunked = "Transfer-Encoding: chunked\r\n";
    let mut upload = start(head(&format!("POST {path}"), chunked) + "5\r\nfirst\r\n");
    let mut download = start(head("GET /corti/v2/languages/", ""));
    terminate(&gateway);
    wait_until("no connection is accepted", || !accepts(&gateway));
    upload.write_all(b"4\r\nlast\r\n0\r\n\r\n").unwrap();
    go.send(()).unwrap();
    let mut answer = String::new();
    upload.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 ") && answer.ends_with("{\"last\":true}"), "{answer}");
    answer.clear();
    download.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("first last"), "{answer}");
    assert_eq!(gateway.process.wait(), Some(0));
    let lines: Vec<Value> = gateway.log.iter().map(|line| serde_json::from_str(&line).unwrap()).collect();
    let mut operations: Vec<_> =
        lines.iter().map(|it| (it["operation"].as_str(), it["status"].as_u64())).collect();
    operations.sort_unstable();
    assert_eq!(operations, [(Some("languages.list"), Some(200)), (Some("recordings.create"), Some(201))]);
}

//! `serve` passes WebSockets through: by ticket or token, within limits, and never without a verified handshake.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message, http};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::common::control::Control;
use crate::common::fake_server::{Answer, FakeServer};
use crate::common::gateway::{BATCH, Gateway, HOST, ORIGIN, code, config};
use crate::common::{self, Sandbox, World};

const RULES: &str = "[[rule]]\ngroups = [\"batch\"]\nallow = [\"transcribe\", \"streams\", \"session.*\"]\n";
pub const TRANSCRIBE: &str = "/corti/audio-bridge/v2/transcribe";
pub const CONFIG: &str = r#"{"type":"config","configuration":{"primaryLanguage":"en"}}"#;

pub type Socket = WebSocketStream<TcpStream>;

/// Opens a WebSocket; the answer if it was refused.
pub async fn open(
    gateway: &Gateway,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<Socket, http::Response<Option<Vec<u8>>>> {
    let mut request = format!("ws://{HOST}{path}").into_client_request().unwrap();
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    match client_async(request, TcpStream::connect(&gateway.address).await.unwrap()).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => Err(*response),
        Err(error) => panic!("{path}: {error}"),
    }
}

/// The status of a refused upgrade.
fn refusal(opened: Result<Socket, http::Response<Option<Vec<u8>>>>) -> u16 {
    opened.err().unwrap().status().as_u16()
}

pub async fn next(socket: &mut Socket) -> Option<Value> {
    let next = tokio::time::timeout(Duration::from_secs(20), socket.next()).await.unwrap();
    match next {
        Some(Ok(Message::Text(text))) => Some(serde_json::from_str(&text).unwrap()),
        _ => None,
    }
}

fn start() -> (Sandbox, Sandbox, Gateway) {
    let (corti, idp) = (Sandbox::start(), Sandbox::start());
    let gateway = Gateway::start(&corti, &config(&idp, RULES));
    (corti, idp, gateway)
}

async fn ticket(gateway: &Gateway, kind: &str, origin: Option<&str>) -> (String, String) {
    let request =
        gateway.request("POST", "/broker/v1/sessions", BATCH).header("content-type", "application/json");
    let request = if let Some(origin) = origin { request.header("origin", origin) } else { request };
    let answer = common::control::Answer::to(request.body(json!({ "kind": kind }).to_string())).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let session = answer.json();
    let url = session["websocketUrl"].as_str().unwrap();
    let path = url.strip_prefix(&format!("ws://{HOST}")).unwrap().to_owned();
    (path, session["protocols"]["corti-ticket"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_ticket_opens_its_own_websocket_and_no_other() {
    let (_corti, _idp, gateway) = start();
    let (path, ticket_text) = ticket(&gateway, "streams", Some(ORIGIN)).await;
    let protocol = format!("corti-ticket, {ticket_text}");
    let headers = [("origin", ORIGIN), ("sec-websocket-protocol", &protocol)];
    // The SDK connects again with the same ticket.
    for _ in 0..2 {
        let mut socket = open(&gateway, &path, &headers).await.unwrap();
        let config = r#"{"type":"config","configuration":{"transcription":{"primaryLanguage":"en","isDiarization":false,
            "isMultichannel":false,"participants":[{"channel":0,"role":"multiple"}]},"mode":{"type":"facts","outputLocale":"en"}}}"#;
        socket.send(Message::text(config)).await.unwrap();
        assert_eq!(next(&mut socket).await.unwrap()["type"], "CONFIG_ACCEPTED");
    }
    let other = path.replace(path.split('/').nth(5).unwrap(), "7b1d1a52-5a4b-4c38-9c1e-0d6d6f1c2a3b");
    for (path, headers, said) in [
        (TRANSCRIBE, &headers[..], 403),
        (&other, &headers, 403),
        (&path, &headers[1..], 403),
        (&path, &[("origin", "https://evil.example"), headers[1]], 403),
        (&path, &[], 401),
        (&path, &[("sec-websocket-protocol", "corti-ticket, x.y.z")], 401),
    ] {
        assert_eq!(refusal(open(&gateway, path, headers).await), said, "{path}");
    }
    let rest = gateway
        .request("GET", "/corti/v2/languages/?x=1", "")
        .header("authorization", format!("Bearer {ticket_text}"));
    assert_eq!(code(&common::control::Answer::to(rest).await), (401, "credential_invalid".to_owned()));
}

#[tokio::test]
async fn a_dictation_passes_through_and_limits_hold() {
    let (_corti, _idp, gateway) = start();
    let bearer = format!("Bearer {BATCH}");
    let headers = [("authorization", bearer.as_str())];
    let mut socket = open(&gateway, TRANSCRIBE, &headers).await.unwrap();
    socket.send(Message::text(CONFIG)).await.unwrap();
    assert_eq!(next(&mut socket).await.unwrap()["type"], "CONFIG_ACCEPTED");
    socket.send(Message::Binary(vec![0; 100_000].into())).await.unwrap();
    socket.send(Message::text(r#"{"type":"flush"}"#)).await.unwrap();
    let mut kinds = Vec::new();
    while kinds.last().is_none_or(|kind| kind != "flushed") {
        kinds.push(next(&mut socket).await.unwrap()["type"].as_str().unwrap().to_owned());
    }
    assert!(kinds.iter().any(|kind| kind == "transcript"), "{kinds:?}");
    let _second = open(&gateway, TRANSCRIBE, &headers).await.unwrap();
    assert_eq!(refusal(open(&gateway, TRANSCRIBE, &headers).await), 429);
    drop(socket);
    let mut is_open = false;
    for _ in 0..1000 {
        is_open = open(&gateway, TRANSCRIBE, &headers).await.is_ok();
        if is_open {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(is_open, "a closed socket still counts");
}

#[tokio::test]
async fn the_servers_stop_cuts_sockets() {
    let (_corti, _idp, mut gateway) = start();
    let bearer = format!("Bearer {BATCH}");
    let mut socket = open(&gateway, TRANSCRIBE, &[("authorization", &bearer)]).await.unwrap();
    common::signal(gateway.process.0.id(), "TERM");
    // No close frame: the SDK takes it for a lost connection, and connects again elsewhere.
    assert!(matches!(socket.next().await, None | Some(Err(_))));
    assert_eq!(gateway.process.wait(), Some(0));
    let lines: Vec<String> = gateway.log.iter().collect();
    assert!(lines.iter().any(|line| line.contains("\"draining\"")), "{lines:?}");
}

/// A refused upgrade leaves no tunnel behind, in which a second request would be nobody's.
#[tokio::test]
async fn only_a_verified_101_opens_a_tunnel() {
    let idp = Sandbox::start();
    for status in ["200 OK", "403 Forbidden", "307 Temporary Redirect", "101 Switching Protocols"] {
        let corti = FakeServer::start_by(|_| {
            let token = common::forged_token("https://x.example", "openid transcribe");
            let granted = || Answer::granted(&token, "openid transcribe");
            vec![
                granted(),
                granted(),
                granted(),
                Answer::http(status, &["location: /canary", "x-canary: 1"], "canary"),
            ]
        });
        let world = World::client_of(&corti.environment);
        let rules = "[[rule]]\ngroups = [\"batch\"]\nallow = [\"transcribe\"]\n";
        let gateway = Gateway::start_in(world, &config(&idp, rules));
        gateway.ready().await;
        let head = |more: &str| {
            format!(
                "GET {TRANSCRIBE} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {BATCH}\r\n{more}\r\n"
            )
        };
        let upgrade = head(
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        );
        let second = format!("GET /broker/v1/me HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
        let answer = gateway.raw(format!("{upgrade}{second}").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 502"), "{status}: {answer}");
        // It may repeat the URL, which holds our token.
        assert!(!answer.contains("canary"), "{status}: {answer}");
        assert!(answer.contains("HTTP/1.1 401 "), "the second request is nobody's: {answer}");
    }
}

#[tokio::test]
async fn a_handshake_that_is_none_is_refused() {
    let (corti, _idp, gateway) = start();
    gateway.ready().await;
    Control::of(&corti).set(json!({ "drop_connections": 100 })).await;
    let good = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for (name, method, changed, more) in [
        ("a POST", "POST", None, ""),
        ("an old version", "GET", Some(("Sec-WebSocket-Version", "8")), ""),
        ("no key", "GET", Some(("Sec-WebSocket-Key", "")), ""),
        ("another protocol", "GET", Some(("Upgrade", "h2c")), ""),
        ("not asked for", "GET", Some(("Connection", "close")), ""),
        ("a body", "GET", None, "Content-Length: 3\r\n\r\nabc"),
    ] {
        let lines = good.iter().map(|(name, value)| {
            let value = changed.filter(|(other, _)| other == name).map_or(*value, |(_, value)| value);
            format!("{name}: {value}\r\n")
        });
        let lines: String = lines.collect();
        let end = if more.is_empty() { "\r\n" } else { more };
        let head = format!(
            "{method} {TRANSCRIBE} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {BATCH}\r\n{lines}{end}"
        );
        let answer = gateway.raw_until_answer(head.as_bytes());
        assert!(["HTTP/1.1 400", "HTTP/1.1 404"].iter().any(|it| answer.starts_with(it)), "{name}: {answer}");
    }
}

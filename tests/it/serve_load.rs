//! `serve` under load: a crowd waits for one token, half a request keeps nobody out, and a long upload and many WebSockets
//! take little memory.
//!
//! The WebSockets last `SOCKET_SECONDS`; `scripts/full` sets 300.

#![allow(clippy::print_stdout, reason = "the figures, for who asks for them: --nocapture")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use futures_util::future::join_all;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::common::gateway::{BATCH, Gateway, HOST, sha256};
use crate::common::{self, World, forged_token, memory, raise_file_limit, wait_until};

/// Corti's realm, API and WebSockets, as little of each as a load needs.
struct Corti {
    environment: String,
    seen: Arc<Seen>,
}

struct Seen {
    /// How long the first token is good, in seconds.
    first_life: u64,
    mints: AtomicUsize,
    /// Whether further tokens are given.
    gives_more: watch::Sender<bool>,
    /// The bytes of recordings.
    uploaded: AtomicU64,
}

impl Corti {
    fn start(first_life: u64) -> Self {
        let (listener, environment) = common::fake_server::listen();
        listener.set_nonblocking(true).unwrap();
        let seen = Arc::new(Seen {
            first_life,
            mints: AtomicUsize::new(0),
            gives_more: watch::Sender::new(false),
            uploaded: AtomicU64::new(0),
        });
        let router = Router::new()
            .route("/realms/base/protocol/openid-connect/token", post(token))
            .route("/v2/languages/", get(async || "{}"))
            .route("/v2/interactions/{id}/recordings/", post(recording))
            .route("/audio-bridge/v2/transcribe", any(echo))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&seen));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        });
        Self { environment, seen }
    }

    fn mints(&self) -> usize {
        self.seen.mints.load(Ordering::SeqCst)
    }
}

async fn token(State(seen): State<Arc<Seen>>, form: String) -> Response {
    let first = seen.mints.fetch_add(1, Ordering::SeqCst) == 0;
    if !first {
        seen.gives_more.subscribe().wait_for(|gives| *gives).await.unwrap();
    }
    let scope = form.split('&').find_map(|pair| pair.strip_prefix("scope=")).unwrap().replace('+', " ");
    let life = if first { seen.first_life } else { 300 };
    let token = forged_token("https://x.example", &scope);
    json!({ "access_token": token, "expires_in": life, "token_type": "Bearer", "scope": scope })
        .to_string()
        .into_response()
}

async fn recording(State(seen): State<Arc<Seen>>, body: Body) {
    let mut body = body.into_data_stream();
    while let Some(chunk) = body.next().await {
        seen.uploaded.fetch_add(chunk.unwrap().len() as u64, Ordering::SeqCst);
    }
}

/// Sends every message back.
async fn echo(upgrade: WebSocketUpgrade) -> Response {
    upgrade.read_buffer_size(BUFFER).on_upgrade(async |mut socket| {
        while let Some(Ok(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                break;
            }
        }
    })
}

/// Far less than the usual 128 KiB for each of 2,000 ends of WebSockets.
const BUFFER: usize = 16 * 1024;

/// A gateway in front of `corti` that allows `operations`, with limits that no load reaches.
fn start(corti: &Corti, operations: &str) -> Gateway {
    // The gateway inherits it.
    raise_file_limit();
    let config = format!(
        "listen = [\"127.0.0.1:0\"]\npublic_url = \"http://{HOST}\"\n\
         [keys]\nbatch = {{ sha256 = \"{}\", groups = [\"batch\"] }}\n\
         [limits]\nrate = \"100000/s\"\nburst = 100000\nrequests = 1000\nsockets = 10000\nbody = \"2GiB\"\n\
         [[rule]]\ngroups = [\"batch\"]\nallow = [{operations}]\n",
        sha256(BATCH)
    );
    Gateway::start_in(World::client_of(&corti.environment), &config)
}

/// The head of a request without a body.
fn head(method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {BATCH}\r\n{more}\r\n")
}

/// Sends bytes over a connection of its own, and returns it.
async fn send(gateway: &Gateway, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(&gateway.address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn two_hundred_requests_with_an_expired_token_cause_one_mint() {
    let corti = Corti::start(1);
    let gateway = start(&corti, "\"languages.list\"");
    wait_until("the first token is asked for", || corti.mints() >= 1);
    // From now on it stays expired: the next one is held back.
    while gateway.get("/readyz", "").await.status == 200 {}
    let request = head("GET", "/corti/v2/languages/", "Connection: close\r\n");
    let mut waiting = join_all((0..200).map(|_| send(&gateway, &request))).await;
    wait_until("the second token is asked for", || corti.mints() >= 2);
    corti.seen.gives_more.send_replace(true);
    for stream in &mut waiting {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    assert_eq!(corti.mints(), 2, "the first token, and one for all");
}

#[tokio::test]
async fn two_thousand_halves_of_requests_keep_nobody_out() {
    let corti = Corti::start(300);
    let gateway = start(&corti, "\"languages.list\"");
    gateway.ready().await;
    let files = || std::fs::read_dir(format!("/proc/{}/fd", gateway.process.0.id())).unwrap().count();
    let before = files();
    let half = "GET /corti/v2/languages/ HTTP/1.1\r\nHost: localhost:1\r\nX-Half: ";
    let served = async {
        let mut halves = Vec::new();
        for _ in 0..2000 {
            halves.push(send(&gateway, half).await);
        }
        wait_until("they are accepted", || files() >= before + 1900);
        gateway.get("/corti/v2/languages/", BATCH).await
    };
    let answer = tokio::time::timeout(Duration::from_secs(60), served).await.expect("nobody is served");
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test]
async fn an_upload_of_a_gibibyte_is_never_in_memory() {
    const BLOCK: usize = 1 << 20;
    let corti = Corti::start(300);
    let gateway = start(&corti, "\"recordings.create\"");
    gateway.ready().await;
    let process = gateway.process.0.id();
    // Forgets the peak of the start.
    std::fs::write(format!("/proc/{process}/clear_refs"), "5").unwrap();
    let before = memory(process, "VmHWM").unwrap();
    let path = "/corti/v2/interactions/6f9c1a1e-5a0f-4a54-9f43-2f4d1a7c8b90/recordings/";
    let more =
        "Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n";
    let mut stream = send(&gateway, &head("POST", path, more)).await;
    let chunk = [format!("{BLOCK:x}\r\n").as_bytes(), &vec![7; BLOCK], b"\r\n"].concat();
    for _ in 0..1024 {
        stream.write_all(&chunk).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(corti.seen.uploaded.load(Ordering::SeqCst), 1 << 30);
    let growth = memory(process, "VmHWM").unwrap() - before;
    println!("1 GiB uploaded: {growth} KiB more at most");
    assert!(growth <= 8 * 1024, "{growth} KiB");
}

#[tokio::test]
#[ignore = "seconds of audio over 1,000 WebSockets: scripts/full"]
async fn a_thousand_websockets_lose_nothing_and_take_little_memory() {
    const SOCKETS: usize = 1000;
    let seconds: usize = common::variable("SOCKET_SECONDS").map_or(20, |text| text.parse().unwrap());
    let corti = Corti::start(300);
    corti.seen.gives_more.send_replace(true);
    let gateway = start(&corti, "\"transcribe\"");
    gateway.ready().await;
    let process = gateway.process.0.id();
    let before = memory(process, "VmRSS").unwrap();
    let open = async || {
        let mut request =
            format!("ws://{HOST}/corti/audio-bridge/v2/transcribe").into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {BATCH}").parse().unwrap());
        let stream = TcpStream::connect(&gateway.address).await.unwrap();
        let config = WebSocketConfig::default().read_buffer_size(BUFFER);
        client_async_with_config(request, stream, Some(config)).await.unwrap().0
    };
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        sockets.push(open().await);
    }
    join_all(sockets.iter_mut().enumerate().map(async |(number, socket)| {
        let mut ticks = interval(Duration::from_millis(250));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for message in 0..4 * seconds {
            ticks.tick().await;
            let mut audio = vec![0; 8192];
            audio[..16].copy_from_slice(&[number.to_le_bytes(), message.to_le_bytes()].concat());
            socket.send(Message::binary(audio.clone())).await.unwrap();
            assert_eq!(socket.next().await.unwrap().unwrap().into_data(), audio);
        }
    }))
    .await;
    let each = (memory(process, "VmRSS").unwrap() - before) / SOCKETS as u64;
    println!(
        "{SOCKETS} WebSockets for {seconds} s: {} messages each way, {each} KiB each",
        SOCKETS * 4 * seconds
    );
    assert!(each <= 32, "{each} KiB each");
    drop(sockets);
    for outcome in ["opened", "ok"] {
        for _ in 0..SOCKETS {
            assert_eq!(gateway.line()["outcome"], outcome);
        }
    }
}

//! Floods of connections to each server of this tool: an honest request is answered, open files and memory stay
//! bounded, and SIGTERM ends the server during the flood.

#![allow(clippy::print_stdout, reason = "the figures, for who asks for them: --nocapture")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::common::control::{Answer, client};
use crate::common::{self, Running, Sandbox, World, raise_file_limit, wait_until};

/// More connections than the server may have open files.
const CONNECTIONS: usize = 1500;

/// The server's soft limit of open files.
const FILES: usize = 1024;

/// For an honest request on a slow machine. The promise is 2 s, and a starved server never answers.
const PATIENCE: Duration = Duration::from_secs(20);

/// What each connection of a flood does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Attack {
    /// Sends nothing.
    Silent,
    /// Sends a head, one byte at a time, for as long as the flood lasts.
    SlowHead,
    /// Sends a head without end.
    EndlessHead,
    /// Sends a complete request, and stays open after the answer.
    KeptOpen,
    /// Sends a complete head and a part of the long body that it announces.
    HalfBody,
    /// Sends nothing, and is soon replaced by another connection, for as long as the flood lasts.
    Replaced,
}

const ATTACKS: [Attack; 6] = [
    Attack::Silent,
    Attack::SlowHead,
    Attack::EndlessHead,
    Attack::KeptOpen,
    Attack::HalfBody,
    Attack::Replaced,
];

/// A server under attack.
struct Server {
    process: Running,
    address: String,
}

impl Server {
    /// Starts `arguments` with a soft limit of open files, some of which are inherited.
    fn start(
        arguments: &[&str],
        files: usize,
        inherited: usize,
        set_up: impl FnOnce(&mut Command),
    ) -> Running {
        let mut command = Command::new("bash");
        let inherit =
            format!("for ((i = 10; i < 10 + {inherited}; i++)); do eval \"exec $i< /dev/null\"; done");
        command.env_clear().arg("-c").arg(format!("{inherit}; ulimit -Sn {files}; exec \"$0\" \"$@\""));
        command.arg(common::binary()).args(arguments);
        set_up(&mut command);
        Running(command.spawn().unwrap())
    }

    /// How many files the server has open.
    fn files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.0.id())).unwrap().count()
    }

    /// Its resident memory in KiB.
    fn memory(&self) -> u64 {
        common::memory(self.process.0.id(), "VmRSS").unwrap()
    }

    /// Sends SIGTERM and returns how long the server took to end.
    fn terminate(&mut self) -> Duration {
        let started = Instant::now();
        assert!(common::signal(self.process.0.id(), "TERM"));
        self.process.end();
        started.elapsed()
    }
}

/// The open connections, and the thread that keeps sending or replacing them.
struct Flood {
    connections: Vec<TcpStream>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    fn start(attack: Attack, address: &str) -> Self {
        raise_file_limit();
        let mut flood = Self { connections: Vec::new(), is_over: Arc::default(), thread: None };
        let mut answered = true;
        let address = address.parse().unwrap();
        for _ in 0..CONNECTIONS {
            // When the server accepts no more, the system takes no more connections for it.
            let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(5)) else { break };
            match attack {
                Attack::Silent | Attack::Replaced => {}
                Attack::SlowHead => drop(stream.write_all(b"G")),
                Attack::EndlessHead => {
                    write_what_fits(&mut stream, b"GET / HTTP/1.1\r\nHost: x\r\nX: ", 600_000);
                }
                Attack::HalfBody => {
                    let head = b"POST /realms/base/protocol/openid-connect/token HTTP/1.1\r\nHost: x\r\n\
                        Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9000000\r\n\r\n";
                    write_what_fits(&mut stream, head, 1_000_000);
                }
                Attack::KeptOpen => {
                    stream.write_all(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
                    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                    // After the first request without an answer, no further one is waited for.
                    answered = answered && stream.read(&mut [0; 16]).is_ok();
                }
            }
            stream.set_nonblocking(true).unwrap();
            flood.connections.push(stream);
        }
        if matches!(attack, Attack::SlowHead | Attack::Replaced) {
            let mut streams = std::mem::take(&mut flood.connections);
            let is_over = Arc::clone(&flood.is_over);
            flood.thread = Some(std::thread::spawn(move || {
                for place in (0..streams.len()).cycle().take_while(|_| !is_over.load(Ordering::Relaxed)) {
                    if attack == Attack::SlowHead {
                        let _ = streams[place].write(b"G");
                    } else if let Ok(stream) = TcpStream::connect_timeout(&address, PATIENCE) {
                        streams[place] = stream;
                    }
                }
            }));
        }
        flood
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

/// Writes `head`, then up to `length` more bytes, as long as the server takes them.
fn write_what_fits(stream: &mut TcpStream, head: &[u8], length: usize) {
    let _ = stream.write_all(head);
    stream.set_write_timeout(Some(Duration::from_millis(1))).unwrap();
    let _ = stream.write_all(&vec![b'x'; length]);
}

/// Floods `server`, sends it an honest request meanwhile, and checks what the module promises.
async fn assert_answers_during(
    mut server: Server,
    attack: Attack,
    files: usize,
    request: reqwest::RequestBuilder,
) {
    let before = server.memory();
    let flood = Flood::start(attack, &server.address);
    let started = Instant::now();
    let answer = tokio::time::timeout(PATIENCE, Answer::to(request)).await;
    let answered = started.elapsed();
    let answer = answer.unwrap_or_else(|_| panic!("{attack:?}: no answer to an honest request"));
    assert_eq!(answer.status, 200, "{attack:?}: {}", answer.body);
    let (open, growth) = (server.files(), server.memory().saturating_sub(before));
    let ended = server.terminate();
    println!("{attack:?}: answered in {answered:?}, {open} files, {growth} KiB more, ended in {ended:?}");
    // The server's other files are for its own use.
    assert!(open <= (files - 4).min(files * 3 / 4 + 40), "{attack:?}: {open} files are open");
    assert!(growth < 150_000, "{attack:?}: {growth} KiB more");
    assert!(ended < Duration::from_secs(10), "{attack:?}: it took {ended:?} to end");
    drop(flood);
}

/// `exec --refresh-url` with a program that waits for its input to end.
fn refresh_endpoint(sandbox: &Sandbox, files: usize, inherited: usize) -> (Server, reqwest::RequestBuilder) {
    let script = "echo $CORTI_AUTH_REFRESH_URL; echo $CORTI_AUTH_REFRESH_TOKEN; exec cat";
    let words = ["exec", "--scope", "streams", "--refresh-url", "--", "sh", "-c", script];
    let world = World::of(sandbox);
    let mut process = Server::start(&words, files, inherited, |command| {
        command.envs(world.variables()).stdin(Stdio::piped()).stdout(Stdio::piped());
    });
    let mut lines = BufReader::new(process.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let (url, bearer) = (lines.next().unwrap(), lines.next().unwrap());
    let address = url.trim_start_matches("http://").trim_end_matches("/token").to_owned();
    let request = client().get(url).header("authorization", format!("Bearer {bearer}"));
    (Server { process, address }, request)
}

/// A sandbox, and a token request to it.
fn sandbox_server(world: &World, files: usize, inherited: usize) -> (Server, reqwest::RequestBuilder) {
    let ready = world.home().join("ready.json");
    let _ = std::fs::remove_file(&ready);
    let words = ["sandbox", "--ready-file", ready.to_str().unwrap()];
    let process = Server::start(&words, files, inherited, |command| {
        command.stdin(Stdio::null()).stdout(Stdio::null());
    });
    wait_until("the sandbox is ready", || ready.exists());
    let ready: Value = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
    let field = |name: &str| ready[name].as_str().unwrap();
    let address = field("environment").trim_start_matches("http://").to_owned();
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        field("client_id"),
        field("client_secret")
    );
    let request = client()
        .post(format!("http://{address}/realms/base/protocol/openid-connect/token"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    (Server { process, address }, request)
}

#[tokio::test]
async fn the_refresh_endpoint_answers_during_a_flood() {
    let sandbox = Sandbox::start();
    for attack in ATTACKS {
        let (server, request) = refresh_endpoint(&sandbox, FILES, 0);
        assert_answers_during(server, attack, FILES, request).await;
    }
}

#[tokio::test]
async fn the_sandbox_answers_during_a_flood() {
    let world = World::new();
    for attack in ATTACKS {
        let (server, request) = sandbox_server(&world, FILES, 0);
        assert_answers_during(server, attack, FILES, request).await;
    }
}

/// Inherited files count too, and take most of the limit.
#[tokio::test]
async fn a_server_with_few_files_answers_during_a_flood() {
    let sandbox = Sandbox::start();
    let (server, request) = refresh_endpoint(&sandbox, 80, 30);
    assert_answers_during(server, Attack::Silent, 80, request).await;
    let (server, request) = sandbox_server(&World::new(), 80, 30);
    assert_answers_during(server, Attack::Silent, 80, request).await;
}

/// Opens a WebSocket of the sandbox and configures it, so that it stays open. On a refusal, returns the status.
async fn open_websocket(address: &str, token: &str) -> Result<WebSocketStream<tokio::net::TcpStream>, u16> {
    let url = format!("ws://{address}/audio-bridge/v2/transcribe?tenant-name=base&token=Bearer%20{token}");
    let opening = async {
        let mut socket = match client_async(url, tokio::net::TcpStream::connect(address).await.unwrap()).await
        {
            Ok((socket, _)) => socket,
            Err(Error::Http(response)) => return Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        };
        let config = r#"{"type":"config","configuration":{"primaryLanguage":"en"}}"#;
        socket.send(Message::text(config)).await.unwrap();
        assert!(socket.next().await.unwrap().unwrap().to_text().unwrap().contains("CONFIG_ACCEPTED"));
        Ok(socket)
    };
    tokio::time::timeout(PATIENCE, opening).await.expect("neither opened nor refused")
}

/// The token that `request` asks for, over a new connection, since the flood closes an idle one.
async fn token(request: &reqwest::RequestBuilder) -> String {
    let request = request.try_clone().unwrap().build().unwrap();
    let answer = client().execute(request).await.unwrap().bytes().await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_open_websocket_stays_open_during_a_flood() {
    let (server, request) = sandbox_server(&World::new(), 80, 0);
    let mut socket = open_websocket(&server.address, &token(&request).await).await.unwrap();
    assert_answers_during(server, Attack::Silent, 80, request).await;
    // It stayed open until the server ended.
    let last = socket.next().await.unwrap().unwrap();
    assert!(matches!(&last, Message::Close(Some(frame)) if frame.code == CloseCode::Away), "{last:?}");
}

#[tokio::test]
async fn websockets_leave_room_for_requests() {
    let (server, request) = sandbox_server(&World::new(), 80, 0);
    let (address, token) = (server.address.clone(), token(&request).await);
    let mut sockets = Vec::new();
    let refusal = loop {
        match open_websocket(&address, &token).await {
            Ok(socket) => sockets.push(socket),
            Err(status) => break status,
        }
    };
    assert_eq!(refusal, 503, "after {}", sockets.len());
    // Closing one makes room for another.
    sockets.pop().unwrap().close(None).await.unwrap();
    let started = Instant::now();
    while open_websocket(&address, &token).await.map(|socket| sockets.push(socket)).is_err() {
        assert!(started.elapsed() < PATIENCE, "no room for another WebSocket");
    }
    assert_answers_during(server, Attack::Silent, 80, request).await;
}

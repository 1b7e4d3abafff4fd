//! Floods of connections against each server of this tool: an honest request is answered, open files and memory stay within
//! bounds, and SIGTERM ends the server while the flood goes on.

#![cfg(target_os = "linux")]
#![allow(clippy::print_stdout, reason = "the figures, for who asks for them: --nocapture")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::common::control::{Answer, client};
use crate::common::{self, Running, Sandbox, World, wait_until};

/// How many connections are opened. More than the server may have files.
const CONNECTIONS: usize = 1500;

/// The server's soft limit of open files.
const FILES: usize = 1024;

/// How long an honest request may take on a slow machine. The promise is 2 s; a starved server never answers.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the connections of a flood do.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Attack {
    /// Nothing is sent.
    Silent,
    /// A head, one byte at a time, for as long as the flood lasts.
    Dribble,
    /// A head that does not end.
    HugeHead,
    /// A complete request. The connection stays open after its answer.
    Kept,
    /// A complete head, and a part of the long body that it announces.
    HalfBody,
    /// Nothing, and each connection is soon replaced by another one, for as long as the flood lasts.
    Replaced,
}

const ATTACKS: [Attack; 6] =
    [Attack::Silent, Attack::Dribble, Attack::HugeHead, Attack::Kept, Attack::HalfBody, Attack::Replaced];

/// A server under attack.
struct Server {
    process: Running,
    address: String,
}

impl Server {
    /// Starts `arguments` with a soft limit of open files, some of which it inherits.
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

    /// How many files it has open.
    fn files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.0.id())).unwrap().count()
    }

    /// Its resident memory in KiB.
    fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Sends SIGTERM, and says how long the server took to end.
    fn terminate(&mut self) -> Duration {
        let started = Instant::now();
        assert!(common::signal(self.process.0.id(), "TERM"));
        self.process.end();
        started.elapsed()
    }
}

/// Connections that stay open, and the thread that goes on.
struct Flood {
    connections: Vec<TcpStream>,
    is_over: Arc<AtomicBool>,
    going_on: Option<JoinHandle<()>>,
}

impl Flood {
    fn start(attack: Attack, address: &str) -> Self {
        raise_file_limit();
        let mut flood = Self { connections: Vec::new(), is_over: Arc::default(), going_on: None };
        let mut answered = true;
        let address = address.parse().unwrap();
        for _ in 0..CONNECTIONS {
            // A server that accepts no more has the system take none for it.
            let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(5)) else { break };
            match attack {
                Attack::Silent | Attack::Replaced => {}
                Attack::Dribble => drop(stream.write_all(b"G")),
                Attack::HugeHead => {
                    write_what_fits(&mut stream, b"GET / HTTP/1.1\r\nHost: x\r\nX: ", 600_000);
                }
                Attack::HalfBody => {
                    let head = b"POST /realms/base/protocol/openid-connect/token HTTP/1.1\r\nHost: x\r\n\
                        Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9000000\r\n\r\n";
                    write_what_fits(&mut stream, head, 1_000_000);
                }
                Attack::Kept => {
                    stream.write_all(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
                    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                    // After the first that gets no answer, none is waited for.
                    answered = answered && stream.read(&mut [0; 16]).is_ok();
                }
            }
            stream.set_nonblocking(true).unwrap();
            flood.connections.push(stream);
        }
        if matches!(attack, Attack::Dribble | Attack::Replaced) {
            let mut streams = std::mem::take(&mut flood.connections);
            let is_over = Arc::clone(&flood.is_over);
            flood.going_on = Some(std::thread::spawn(move || {
                for place in (0..streams.len()).cycle().take_while(|_| !is_over.load(Ordering::Relaxed)) {
                    if attack == Attack::Dribble {
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
        self.going_on.take().map(JoinHandle::join);
    }
}

/// Writes `head`, then up to `length` bytes more, until the server takes none.
fn write_what_fits(stream: &mut TcpStream, head: &[u8], length: usize) {
    let _ = stream.write_all(head);
    stream.set_write_timeout(Some(Duration::from_millis(1))).unwrap();
    let _ = stream.write_all(&vec![b'x'; length]);
}

/// The client's own limit: it holds as many connections as the server is to be flooded with, each perhaps twice.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    assert!(getrlimit(Resource::Nofile).current.is_none_or(|it| it > 4000), "the hard limit is too low");
}

/// Floods `server` and asks it an honest question meanwhile.
async fn withstand(mut server: Server, attack: Attack, files: usize, question: reqwest::RequestBuilder) {
    let before = server.memory();
    let flood = Flood::start(attack, &server.address);
    let started = Instant::now();
    let answer = tokio::time::timeout(PATIENCE, Answer::to(question)).await;
    let answered = started.elapsed();
    let answer = answer.unwrap_or_else(|_| panic!("{attack:?}: no answer to an honest request"));
    assert_eq!(answer.status, 200, "{attack:?}: {}", answer.body);
    let (open, growth) = (server.files(), server.memory().saturating_sub(before));
    let ended = server.terminate();
    println!("{attack:?}: answered in {answered:?}, {open} files, {growth} KiB more, ended in {ended:?}");
    // The others are free for what the server does besides.
    assert!(open <= (files - 4).min(files * 3 / 4 + 40), "{attack:?}: {open} files are open");
    assert!(growth < 150_000, "{attack:?}: {growth} KiB more");
    assert!(ended < Duration::from_secs(10), "{attack:?}: it took {ended:?} to end");
    drop(flood);
}

/// `exec --refresh-url` around a program that waits for its input to end.
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
    let question = client().get(url).header("authorization", format!("Bearer {bearer}"));
    (Server { process, address }, question)
}

/// A sandbox and a token request to it.
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
    let question = client()
        .post(format!("http://{address}/realms/base/protocol/openid-connect/token"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    (Server { process, address }, question)
}

#[tokio::test]
async fn a_flood_does_not_starve_the_refresh_endpoint() {
    let sandbox = Sandbox::start();
    for attack in ATTACKS {
        let (server, question) = refresh_endpoint(&sandbox, FILES, 0);
        withstand(server, attack, FILES, question).await;
    }
}

#[tokio::test]
async fn a_flood_does_not_starve_the_sandbox() {
    let world = World::new();
    for attack in ATTACKS {
        let (server, question) = sandbox_server(&world, FILES, 0);
        withstand(server, attack, FILES, question).await;
    }
}

/// Most of the files are taken by what was inherited, which count as well.
#[tokio::test]
async fn a_flood_does_not_starve_a_server_with_few_files() {
    let sandbox = Sandbox::start();
    let (server, question) = refresh_endpoint(&sandbox, 80, 30);
    withstand(server, Attack::Silent, 80, question).await;
    let (server, question) = sandbox_server(&World::new(), 80, 30);
    withstand(server, Attack::Silent, 80, question).await;
}

/// Opens a WebSocket of the sandbox and configures it, so that it stays open. Gives the status of a refusal.
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

/// The token that answers `question`, over a connection of its own: the flood closes an idle one.
async fn token(question: &reqwest::RequestBuilder) -> String {
    let request = question.try_clone().unwrap().build().unwrap();
    let answer = client().execute(request).await.unwrap().bytes().await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_flood_beside_an_open_websocket_ends_neither_it_nor_an_honest_request() {
    let (server, question) = sandbox_server(&World::new(), 80, 0);
    let mut socket = open_websocket(&server.address, &token(&question).await).await.unwrap();
    withstand(server, Attack::Silent, 80, question).await;
    // It was open until the server ended.
    let last = socket.next().await.unwrap().unwrap();
    assert!(matches!(&last, Message::Close(Some(frame)) if frame.code == CloseCode::Away), "{last:?}");
}

#[tokio::test]
async fn websockets_leave_room_for_honest_requests() {
    let (server, question) = sandbox_server(&World::new(), 80, 0);
    let (address, token) = (server.address.clone(), token(&question).await);
    let mut sockets = Vec::new();
    let refusal = loop {
        match open_websocket(&address, &token).await {
            Ok(socket) => sockets.push(socket),
            Err(status) => break status,
        }
    };
    assert_eq!(refusal, 503, "after {}", sockets.len());
    // One that closes makes room for another.
    sockets.pop().unwrap().close(None).await.unwrap();
    let started = Instant::now();
    while open_websocket(&address, &token).await.map(|socket| sockets.push(socket)).is_err() {
        assert!(started.elapsed() < PATIENCE, "no room for another WebSocket");
    }
    withstand(server, Attack::Silent, 80, question).await;
}

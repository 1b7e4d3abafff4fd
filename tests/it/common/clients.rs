//! Clients of replicas behind an engine. They call all the time, keep WebSockets open as the SDK does, and remember what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, client};

use super::engine::{Column, Engine, PUBLIC, recipe, run, trusting, write_certificate};
use super::gateway::{BATCH, Connection};
use super::{PATIENCE, Running, wait_until};
use crate::serve_sockets::CONFIG;
use crate::tls;

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// An engine with a recipe as it is shipped, and how it is reached.
pub struct Front {
    _process: Running,
    pub address: String,
    pub folder: tempfile::TempDir,
    tls: Arc<ClientConfig>,
}

impl Front {
    /// One that listens on this address. `public` is the host that the replicas accept.
    pub fn start(engine: Engine, address: &str, public: &str, replicas: &[&str]) -> Self {
        let (folder, authority) = (tempfile::tempdir().unwrap(), tls::authority());
        write_certificate(folder.path(), "127.0.0.1", &authority);
        let text = recipe(Column::InFront(engine), folder.path(), address, replicas, "");
        let text = text.replace(PUBLIC, "127.0.0.1").replace("Host $host;", &format!("Host {public};"));
        let process = run(engine, folder.path(), &text);
        wait_until("the engine listens", || TcpStream::connect(address).is_ok());
        Self { _process: process, address: address.to_owned(), folder, tls: trusting(&authority) }
    }

    fn connect(&self) -> Tls {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        StreamOwned::new(ClientConnection::new(Arc::clone(&self.tls), name).unwrap(), stream)
    }

    /// Calls the API: `GET` lists the languages, `POST` creates an interaction. Returns the status and the gateway's id of the
    /// request.
    pub fn call(&self, host: &str, method: &str) -> (u16, String) {
        let (path, body) =
            if method == "POST" { ("/corti/v2/interactions/", "{}") } else { ("/corti/v2/languages/", "") };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {BATCH}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let (status, head, _) = Connection::over(self.connect()).ask(&request);
        let id = head.lines().find_map(|line| line.strip_prefix("x-request-id: "));
        (status, id.unwrap_or_default().to_owned())
    }

    /// Opens a WebSocket for a dictation. Returns it with the gateway's id of the request.
    pub fn dictate(&self) -> Option<(WebSocket<Tls>, String)> {
        let url = format!("wss://{}/corti/audio-bridge/v2/transcribe", self.address);
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {BATCH}").parse().unwrap());
        let (socket, answer) = client(request, self.connect()).ok()?;
        Some((socket, answer.headers()["x-request-id"].to_str().unwrap().to_owned()))
    }
}

/// What the clients saw.
#[derive(Default)]
pub struct Seen {
    pub ended: AtomicBool,
    pub open: AtomicUsize,
    /// The ids of WebSockets, and of those that were lost.
    pub sockets: Mutex<BTreeSet<String>>,
    pub lost: Mutex<BTreeSet<String>>,
    /// The ids of answers, and the statuses of those that are neither 200 nor 201.
    pub answers: Mutex<BTreeSet<String>>,
    pub failures: Mutex<Vec<u16>>,
    /// How long each lost WebSocket was away.
    pub away: Mutex<Vec<Duration>>,
    /// How often a WebSocket could not be opened.
    pub refused: AtomicUsize,
    /// How often the SDK's WebSockets were accepted, and lost.
    pub sdk_accepted: AtomicUsize,
    pub sdk_lost: AtomicUsize,
    /// How often the SDK tried to connect again, for each WebSocket that it lost and that is back.
    pub sdk_tries: Mutex<Vec<usize>>,
}

impl Seen {
    fn is_over(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// Calls the API again and again.
    pub fn call(&self, front: &Front, host: &str, method: &str, pause: Duration) {
        while !self.is_over() {
            std::thread::sleep(pause);
            let (status, id) = front.call(host, method);
            if [200, 201].contains(&status) {
                self.answers.lock().unwrap().insert(id);
            } else {
                self.failures.lock().unwrap().push(status);
            }
        }
    }

    /// Keeps a dictation open, as the SDK does: it waits for 1 to 5 s before it connects again.
    pub fn dictate(&self, front: &Front, extra_pause_ms: u64) {
        let mut lost: Option<Instant> = None;
        while !self.is_over() {
            match front.dictate() {
                None => _ = self.refused.fetch_add(1, Ordering::SeqCst),
                Some((mut socket, id)) => {
                    self.sockets.lock().unwrap().insert(id.clone());
                    // Otherwise it was cut at once.
                    if socket.send(Message::text(CONFIG)).is_ok() && socket.read().is_ok() {
                        self.open.fetch_add(1, Ordering::SeqCst);
                        self.away.lock().unwrap().extend(lost.map(|at| at.elapsed()));
                        self.wait_until_lost(&mut socket);
                        if self.is_over() {
                            return;
                        }
                        self.open.fetch_sub(1, Ordering::SeqCst);
                        self.lost.lock().unwrap().insert(id);
                        lost = Some(Instant::now());
                    }
                }
            }
            let pause = Duration::from_millis(1000 + extra_pause_ms);
            let until = Instant::now() + pause;
            while !self.is_over() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    fn wait_until_lost(&self, socket: &mut WebSocket<Tls>) {
        // To see now and then whether the test has ended.
        socket.get_ref().sock.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        while !self.is_over() {
            match socket.read() {
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    /// Reads what `replicas.mjs` prints.
    pub fn follow(&self, lines: impl Iterator<Item = String>) {
        let mut lost = BTreeMap::<String, _>::new();
        for line in lines {
            let (number, event) = line.split_once(' ').unwrap();
            let lost: &mut Option<(Instant, usize)> = lost.entry(number.to_owned()).or_default();
            if event == "accepted" {
                self.sdk_accepted.fetch_add(1, Ordering::SeqCst);
                self.open.fetch_add(1, Ordering::SeqCst);
                if let Some((at, tries)) = lost.take() {
                    self.away.lock().unwrap().push(at.elapsed());
                    self.sdk_tries.lock().unwrap().push(tries);
                }
            } else if let Some((_, tries)) = lost {
                // One that was cut before its configuration was accepted is still lost.
                *tries += 1;
            } else {
                *lost = Some((Instant::now(), 1));
                self.sdk_lost.fetch_add(1, Ordering::SeqCst);
                self.open.fetch_sub(1, Ordering::SeqCst);
            }
        }
    }
}

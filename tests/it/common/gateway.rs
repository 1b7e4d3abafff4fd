//! A running `serve`, with a `serve.toml` of the test's own.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::DerefMut;
use std::process::{Command as Process, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{ConnectionCommon, SideData, StreamOwned};
use serde_json::Value;

use super::control::{Answer, client};
use super::{Running, Sandbox, World, binary, signal};

/// What the gateway believes to be called.
pub const HOST: &str = "localhost:1";

/// The API key of the group `batch`.
pub const BATCH: &str = "ck_batch-0123456789012345678901234567890123456789";

/// The key of an engine.
pub const ENGINE_KEY: &str = "engine-0123456789012345678901234567890";

/// The page that may call.
pub const ORIGIN: &str = "https://app.example.org";

pub struct Gateway {
    pub process: Running,
    pub address: String,
    /// Where its metrics are, if `serve.toml` names a place.
    pub metrics: Option<String>,
    /// The lines of the log.
    pub log: Receiver<String>,
    /// What it says on stderr after its first line.
    pub errors: Arc<Mutex<String>>,
    is_reading: Arc<AtomicBool>,
    _world: World,
}

/// The SHA-256 of a key, in hex.
pub fn sha256(key: &str) -> String {
    use sha2::{Digest as _, Sha256};
    format!("{:x}", Sha256::digest(key.as_bytes()))
}

/// A `serve.toml` whose users are those of `idp`, the realm of another sandbox. `rules` follow.
pub fn config(idp: &Sandbox, rules: &str) -> String {
    config_of(&format!("{}/realms/base", idp.environment), rules)
}

/// The same, for the users of this issuer.
pub fn config_of(issuer: &str, rules: &str) -> String {
    format!(
        "listen = [\"127.0.0.1:0\"]\npublic_url = \"http://{HOST}\"\norigins = [\"{ORIGIN}\"]\n\
         [[issuer]]\nurl = \"{issuer}\"\naudience = \"account\"\nalgorithms = [\"RS256\"]\n\
         groups = \"realm_access.roles\"\n[keys]\nbatch = {{ sha256 = \"{}\", groups = [\"batch\"] }}\n{rules}",
        sha256(BATCH),
    )
}

impl Gateway {
    /// Starts one in front of `corti`.
    pub fn start(corti: &Sandbox, config: &str) -> Self {
        Self::start_in(World::of(corti), config)
    }

    /// Starts one for the client of `world`.
    pub fn start_in(world: World, config: &str) -> Self {
        Self::start_by(Process::new(binary()), world, config)
    }

    /// Starts one by `command`, which has the binary as its last argument or is the binary.
    pub fn start_by(mut command: Process, world: World, config: &str) -> Self {
        let file = world.file("serve.toml", config);
        command.env_clear().envs(world.variables()).args(["serve", "--config", &file]);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        stderr.read_line(&mut first).unwrap();
        let errors = Arc::<Mutex<String>>::default();
        let said = Arc::clone(&errors);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut said = said.lock().unwrap();
                said.push_str(&line);
                said.push('\n');
            }
        });
        let listening = first.strip_prefix("listening on ").and_then(|rest| rest.split(';').next());
        let mut listening = listening.unwrap_or_else(|| panic!("{first}")).split(", ").map(str::to_owned);
        let (address, metrics) = (listening.next().unwrap(), listening.next());
        let (sender, log) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        let is_reading = Arc::new(AtomicBool::new(true));
        let reads = Arc::clone(&is_reading);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if !reads.load(Ordering::SeqCst) {
                    // Kept open, and never read again.
                    std::thread::park();
                }
                let _ = sender.send(line);
            }
        });
        Self { process: Running(child), address, metrics, log, errors, is_reading, _world: world }
    }

    /// A request, not sent yet.
    pub fn request(&self, method: &str, path: &str, bearer: &str) -> reqwest::RequestBuilder {
        let request = client().request(method.parse().unwrap(), format!("http://{}{path}", self.address));
        let request = request.header("host", HOST);
        if bearer.is_empty() { request } else { request.bearer_auth(bearer) }
    }

    /// Waits until it has its tokens.
    pub async fn ready(&self) {
        for _ in 0..2000 {
            if self.get("/readyz", "").await.status == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the gateway never gets ready");
    }

    pub async fn get(&self, path: &str, bearer: &str) -> Answer {
        Answer::to(self.request("GET", path, bearer)).await
    }

    pub async fn post(&self, path: &str, bearer: &str, body: &Value) -> Answer {
        let request = self.request("POST", path, bearer).header("content-type", "application/json");
        Answer::to(request.body(body.to_string())).await
    }

    /// Sends bytes as they are, and returns all that comes back until the connection is closed.
    pub fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Sends bytes as they are, and returns the first bytes that come back.
    pub fn raw_until_answer(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = [0; 1024];
        let count = stream.read(&mut answer).unwrap_or_default();
        String::from_utf8_lossy(&answer[..count]).into_owned()
    }

    /// A connection for many requests.
    pub fn connect(&self) -> Connection {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Connection::over(stream)
    }

    /// Leaves the log unread, with a pipe that is full.
    pub fn stop_reading(&mut self) {
        self.is_reading.store(false, Ordering::SeqCst);
    }

    /// Asks it to stop, waits for its end, and returns the rest of its log.
    pub fn stop(&mut self) -> Vec<Value> {
        signal(self.process.0.id(), "TERM");
        assert_eq!(self.process.wait(), Some(0));
        self.log.iter().map(|line| serde_json::from_str(&line).unwrap()).collect()
    }

    /// The next line of the log.
    pub fn line(&self) -> Value {
        serde_json::from_str(&self.log.recv_timeout(Duration::from_secs(20)).unwrap()).unwrap()
    }
}

impl Drop for Gateway {
    /// Shows what the server said, if a test fails.
    #[expect(clippy::print_stderr, reason = "for whoever reads why the test failed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.errors.lock().unwrap());
        }
    }
}

/// Both ways of a connection, with or without TLS.
pub trait Stream: Read + Write + Send {
    /// Says that nothing more is sent.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "engines are tested on Linux only"))]
    fn finish(&mut self);
}

impl Stream for TcpStream {
    fn finish(&mut self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl<C, S> Stream for StreamOwned<C, TcpStream>
where
    C: DerefMut<Target = ConnectionCommon<S>> + Send,
    S: SideData,
{
    fn finish(&mut self) {
        self.conn.send_close_notify();
        let _ = self.flush();
        let _ = self.sock.shutdown(Shutdown::Write);
    }
}

/// A connection that stays open.
pub struct Connection(BufReader<Box<dyn Stream>>);

impl Connection {
    pub fn over(stream: impl Stream + 'static) -> Self {
        Self(BufReader::new(Box::new(stream)))
    }

    /// Sends a request as it is, and returns the status, the head and the body of its answer.
    pub fn ask(&mut self, request: &str) -> (u16, String, String) {
        self.send(request);
        self.answer()
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// The next answer.
    pub fn answer(&mut self) -> (u16, String, String) {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.0.read_line(&mut head).unwrap() > 0, "the connection ended: {head}");
        }
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = self.bytes(length.unwrap_or_default());
        if lower.contains("transfer-encoding: chunked\r\n") {
            loop {
                let mut size = String::new();
                self.0.read_line(&mut size).unwrap();
                let size = usize::from_str_radix(size.trim(), 16).unwrap();
                let chunk = self.bytes(size + 2);
                if size == 0 {
                    break;
                }
                body.extend(&chunk[..size]);
            }
        }
        (head.get(9..12).unwrap().parse().unwrap(), head, String::from_utf8(body).unwrap())
    }

    /// The next bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }
}

/// For the tests of the engines.
#[cfg(target_os = "linux")]
impl Connection {
    /// All that comes until this text, which the other side must send.
    pub fn until(&mut self, end: &str) -> String {
        let mut bytes = Vec::new();
        while !bytes.ends_with(end.as_bytes()) {
            bytes.extend(self.bytes(1));
        }
        String::from_utf8(bytes).unwrap()
    }

    /// Says that nothing more is sent.
    pub fn finish(&mut self) {
        self.0.get_mut().finish();
    }

    /// The first bytes that come.
    pub fn first(&mut self) -> String {
        let bytes = self.0.fill_buf().unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// All that comes until the connection is closed.
    pub fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let _ = self.0.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// A request without a body. Each header ends with a line break.
pub fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{headers}\r\n")
}

/// The headers that ask for a WebSocket.
pub const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                           Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The code of a problem.
pub fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

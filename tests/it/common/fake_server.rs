//! A server with given answers, good or bad.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

/// A server that gives each connection the next of its answers, and repeats the last one.
pub struct FakeServer {
    pub environment: String,
    requests: Arc<Mutex<BTreeMap<usize, String>>>,
}

#[derive(Clone)]
pub enum Answer {
    /// Sends these bytes, then closes the connection.
    Bytes(String),
    /// Sends nothing and keeps the connection open.
    Silence,
}

impl Answer {
    /// A status line, headers and a body.
    pub fn http(status: &str, headers: &[&str], body: &str) -> Self {
        let headers: Vec<String> = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let headers = headers.concat();
        let length = body.len();
        Self::Bytes(format!(
            "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ))
    }

    /// A token answer for `scope`.
    pub fn granted(token: &str, scope: &str) -> Self {
        let body =
            json!({ "access_token": token, "expires_in": 300, "token_type": "Bearer", "scope": scope });
        Self::json(&body.to_string())
    }

    /// A JSON body with 200.
    pub fn json(body: &str) -> Self {
        Self::http("200 OK", &["Content-Type: application/json"], body)
    }
}

/// Listens on a free port of this machine. Returns the listener and its environment.
pub fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let environment = format!("http://{}", listener.local_addr().unwrap());
    (listener, environment)
}

/// Answers each connection on a thread of its own, given its number, until the test's process ends.
pub fn serve(listener: TcpListener, answer: impl Fn(usize, TcpStream) + Send + Sync + 'static) {
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for (index, stream) in listener.incoming().flatten().enumerate() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || answer(index, stream));
        }
    });
}

impl FakeServer {
    pub fn start(answers: Vec<Answer>) -> Self {
        Self::start_by(|_| answers)
    }

    /// One with answers that name its environment.
    pub fn start_by(answers: impl FnOnce(&str) -> Vec<Answer>) -> Self {
        let (listener, environment) = listen();
        let answers = answers(&environment);
        let requests = Arc::new(Mutex::new(BTreeMap::new()));
        let seen = Arc::clone(&requests);
        serve(listener, move |index, mut stream| {
            let request = read_request(&mut stream);
            seen.lock().unwrap().insert(index, request);
            match answers.get(index).or(answers.last()).unwrap() {
                Answer::Bytes(bytes) => drop(stream.write_all(bytes.as_bytes())),
                Answer::Silence => std::thread::sleep(Duration::from_secs(120)),
            }
        });
        Self { environment, requests }
    }

    /// The requests so far, in the order of their connections. Each is read on a thread of its own, so a connection
    /// that sends nothing may be added after a later one.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().values().cloned().collect()
    }
}

/// The request that opens `/transcribe` on the server with this host and port.
pub fn upgrade_request(host: &str, token: &str) -> String {
    format!(
        "GET /audio-bridge/v2/transcribe?tenant-name=base&token=Bearer%20{token} HTTP/1.1\r\nHost: {host}\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Reads the head, and as much body as it announces.
pub fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok()
                })
                .unwrap_or_default();
            if body.len() >= length {
                return text;
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return text,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}

//! Corti with an API that records what it receives and answers as a test wants. Its realm is a sandbox's.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::fake_server::{listen, read_request, serve};
use super::gateway::{Gateway, config};
use super::{Sandbox, World};

pub struct Recorder {
    pub environment: String,
    pub realm: Sandbox,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Recorder {
    /// One that opens every WebSocket, and answers everything else with `{}`.
    pub fn start() -> Self {
        Self::answering(answer_well)
    }

    /// One whose API answers each request by `answer`, and then closes the connection.
    pub fn answering(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        Self::of(Sandbox::start(), answer)
    }

    /// The same, with this realm.
    pub fn of(realm: Sandbox, answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let (listener, environment) = listen();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let address = realm.environment.trim_start_matches("http://").to_owned();
        let record = Arc::clone(&requests);
        serve(listener, move |_, mut stream| {
            let request = read_request(&mut stream);
            if target(&request).starts_with("/realms/") {
                pass_on(&request, &mut stream, &address);
            } else if !request.is_empty() {
                record.lock().unwrap().push(request.clone());
                answer(&request, &mut stream);
            }
        });
        Self { environment, realm, requests }
    }

    /// A gateway in front of it that has its tokens, and the realm of the gateway's users.
    pub async fn behind_gateway(self, rules: &str) -> (Self, Sandbox, Gateway) {
        let idp = Sandbox::start();
        let gateway = Gateway::start_in(self.world(), &config(&idp, rules));
        gateway.ready().await;
        (self, idp, gateway)
    }

    /// A world of its client.
    pub fn world(&self) -> World {
        let mut world = World::of(&self.realm);
        world.set("CORTI_ENVIRONMENT", &self.environment);
        world
    }

    /// The requests to the API since the last call.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

/// Sends a request to the realm, and its answer back.
fn pass_on(request: &str, stream: &mut TcpStream, realm: &str) {
    let Ok(mut upstream) = TcpStream::connect(realm) else { return };
    let request = request.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    if upstream.write_all(request.as_bytes()).is_ok() {
        let _ = std::io::copy(&mut upstream, stream);
    }
}

/// Opens a WebSocket and keeps it until its client closes it, or answers with `{}`.
pub fn answer_well(request: &str, stream: &mut TcpStream) {
    if open(request, stream) {
        let _ = std::io::copy(stream, &mut std::io::sink());
    } else {
        answer_with("200 OK", "content-type: application/json\r\n", "{}", stream);
    }
}

/// Answers with a status, headers and a body.
pub fn answer_with(status: &str, headers: &str, body: &str, stream: &mut TcpStream) {
    let length = body.len();
    let answer =
        format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}");
    let _ = stream.write_all(answer.as_bytes());
}

/// Opens a WebSocket if the request asks for one.
pub fn open(request: &str, stream: &mut TcpStream) -> bool {
    let Some(key) = values(request, "sec-websocket-key").pop() else { return false };
    let accept = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).is_ok()
}

/// The target in a request's first line.
pub fn target(request: &str) -> &str {
    request.split(' ').nth(1).unwrap_or_default()
}

/// The values of a header in a request.
pub fn values<'a>(request: &'a str, name: &str) -> Vec<&'a str> {
    let head = request.split("\r\n\r\n").next().unwrap_or_default();
    let lines = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
    lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
}

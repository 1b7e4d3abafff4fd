//! Corti as an engine finds it: over TLS, by its own name. The gateway's own calls come without TLS. It records every request,
//! and takes what follows a request on its connection for another one.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::fake_server::{listen, serve};
use super::gateway::Stream;
use super::recorder::{target, values};
use super::{Sandbox, World};

/// The value of headers that belong to Corti's own server and must not reach a caller.
pub const OWN: &str = "canary-of-corti";

/// The head of an answer with headers that are its own. An engine must not obey the last of them either.
fn head(status: &str, more: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nSet-Cookie: a={OWN}\r\nAlt-Svc: h3=\"{OWN}\"\r\nStrict-Transport-Security: max-age={OWN}\r\n\
         Access-Control-Allow-Origin: {OWN}\r\nServer: {OWN}\r\nSec-WebSocket-Protocol: {OWN}\r\n\
         X-Accel-Redirect: /_decide\r\n{more}\r\n"
    )
}

pub struct FakeCorti {
    pub environment: String,
    /// Where it speaks TLS.
    pub address: String,
    /// Sends the next event of a stream; an empty one ends it.
    pub events: Sender<String>,
    pub realm: Sandbox,
    inner: Arc<Inner>,
}

struct Inner {
    /// The address of the realm.
    realm: String,
    requests: Mutex<Vec<String>>,
    events: Mutex<Receiver<String>>,
    refuses: AtomicBool,
}

impl FakeCorti {
    pub fn start(tls: Arc<ServerConfig>) -> Self {
        let (sender, events) = channel();
        let realm = Sandbox::start();
        let inner = Arc::new(Inner {
            realm: realm.environment.trim_start_matches("http://").to_owned(),
            requests: Mutex::default(),
            events: Mutex::new(events),
            refuses: AtomicBool::new(false),
        });
        let (listener, environment) = listen();
        let plain = Arc::clone(&inner);
        serve(listener, move |_, stream| plain.converse(stream));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let corti = Self { environment, address, events: sender, realm, inner };
        corti.listen_at(listener, tls);
        corti
    }

    /// Speaks TLS at one more place.
    pub fn listen_at(&self, listener: TcpListener, tls: Arc<ServerConfig>) {
        let inner = Arc::clone(&self.inner);
        serve(listener, move |_, stream| {
            inner.converse(StreamOwned::new(ServerConnection::new(Arc::clone(&tls)).unwrap(), stream));
        });
    }

    /// A world of its client.
    pub fn world(&self) -> World {
        let mut world = World::of(&self.realm);
        world.set("CORTI_ENVIRONMENT", &self.environment);
        world
    }

    /// The heads of the requests to the API since the last call.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.inner.requests.lock().unwrap())
    }

    /// Refuses WebSockets from now on, with the URL in its answer.
    pub fn refuse_sockets(&self) {
        self.inner.refuses.store(true, Ordering::SeqCst);
    }
}

impl Inner {
    fn converse(&self, stream: impl Stream) {
        let mut stream = BufReader::new(stream);
        while let Some(request) = head_of(&mut stream) {
            if target(&request).starts_with("/realms/") {
                self.pass_on(&request, &mut stream);
                break;
            }
            self.requests.lock().unwrap().push(request.clone());
            if self.answer(&request, &mut stream).is_none() {
                break;
            }
        }
        stream.get_mut().finish();
    }

    /// Answers a request. `None` once the connection has ended.
    fn answer(&self, request: &str, stream: &mut BufReader<impl Stream>) -> Option<()> {
        if let Some(key) = values(request, "sec-websocket-key").pop() {
            if self.refuses.load(Ordering::SeqCst) {
                let said = format!("{OWN} {}", target(request));
                let body = said.repeat(1000);
                let more = format!("Location: /{said}\r\nContent-Length: {}\r\n", body.len());
                return send(stream, head("403 Forbidden", &more) + &body);
            }
            let accept = derive_accept_key(key.as_bytes());
            let more =
                format!("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n");
            send(stream, head("101 Switching Protocols", &more))?;
            let mut bytes = [0; 4096];
            loop {
                // What comes is sent back.
                let count = stream.read(&mut bytes).ok().filter(|count| *count > 0)?;
                stream.get_mut().write_all(&bytes[..count]).ok()?;
                stream.get_mut().flush().ok()?;
            }
        }
        let received = body(request, stream)?;
        if target(request).ends_with("/message:stream") {
            send(
                stream,
                head("200 OK", "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"),
            )?;
            let events = self.events.lock().unwrap();
            loop {
                let event = events.recv().ok().filter(|event| !event.is_empty());
                let Some(event) = event else { return send(stream, "0\r\n\r\n".to_owned()) };
                let event = format!("data: {event}\n\n");
                send(stream, format!("{:x}\r\n{event}\r\n", event.len()))?;
            }
        }
        let text = if target(request) == "/v2/interactions/" {
            let id = "7b1d1a52-5a4b-4c38-9c1e-0d6d6f1c2a3b";
            let host = values(request, "host")[0];
            let url = format!("ws://{host}/audio-bridge/v2/interactions/{id}/streams?tenant-name=base");
            json!({ "interactionId": id, "websocketUrl": url }).to_string()
        } else {
            format!("{{\"bytes\":{received}}}")
        };
        let length = text.len();
        let more = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
        send(stream, head("200 OK", &more) + &text)
    }

    /// Sends a request to the realm, and its answer back.
    fn pass_on(&self, request: &str, stream: &mut BufReader<impl Stream>) {
        let mut realm = TcpStream::connect(&self.realm).unwrap();
        let length = values(request, "content-length").pop().map_or(0, |it| it.parse().unwrap());
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).is_err() {
            return;
        }
        let request = request.replacen("\r\n", "\r\nConnection: close\r\n", 1);
        realm.write_all(&[request.as_bytes(), &body].concat()).unwrap();
        let _ = std::io::copy(&mut realm, stream.get_mut());
    }
}

fn send(stream: &mut BufReader<impl Stream>, text: String) -> Option<()> {
    stream.get_mut().write_all(&text.into_bytes()).ok()?;
    stream.get_mut().flush().ok()
}

/// The head of the next request.
fn head_of(stream: &mut BufReader<impl Stream>) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let count = stream.read_until(b'\n', &mut head).ok()?;
        if count == 0 {
            return None;
        }
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// Reads `count` bytes and drops them. Returns how many they were.
fn skip(count: u64, stream: &mut BufReader<impl Stream>) -> Option<u64> {
    let copied = std::io::copy(&mut stream.take(count), &mut std::io::sink()).ok()?;
    (copied == count).then_some(count)
}

/// Reads a body, and returns how long it was.
fn body(request: &str, stream: &mut BufReader<impl Stream>) -> Option<u64> {
    if let Some(length) = values(request, "content-length").pop() {
        return skip(length.parse().ok()?, stream);
    }
    if values(request, "transfer-encoding").is_empty() {
        return Some(0);
    }
    let mut sum = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let size = u64::from_str_radix(line.trim(), 16).ok()?;
        skip(size + 2, stream)?;
        if size == 0 {
            return Some(sum);
        }
        sum += size;
    }
}

//! A server that sends without end, in place of a WebSocket or on one.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::fake_server::{listen, serve};

/// What the server sends, in this order.
#[derive(Clone, Default)]
pub struct Flood {
    /// In place of the answer that opens a WebSocket.
    pub answer: Option<Vec<u8>>,
    /// Once, after the answer.
    pub first: Vec<u8>,
    /// Without end.
    pub rest: Vec<u8>,
    /// The pause after each byte of `rest`; without one, it comes in large blocks.
    pub pause: Option<Duration>,
    /// Whether the server never reads what the client sends.
    pub never_reads: bool,
    /// Whether every request is answered like this, not only those that open a WebSocket.
    pub every_request: bool,
}

impl Flood {
    /// A WebSocket that sends these frames without end.
    pub fn of(rest: impl Into<Vec<u8>>) -> Self {
        Self { rest: rest.into(), ..Self::default() }
    }

    /// The same, after other frames.
    pub fn after(first: Vec<u8>, rest: impl Into<Vec<u8>>) -> Self {
        Self { first, ..Self::of(rest) }
    }

    /// An answer to the upgrade without end.
    pub fn answer(head: &str, rest: impl Into<Vec<u8>>) -> Self {
        Self { answer: Some(head.as_bytes().to_vec()), ..Self::of(rest) }
    }
}

/// A server's frame (RFC 6455, section 5.2). The first byte has the FIN bit and the opcode.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(u8::try_from(length).unwrap()),
        length @ 126..65_536 => {
            frame.push(126);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend(u64::try_from(length).unwrap().to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

/// A complete text message.
pub fn text(text: &str) -> Vec<u8> {
    frame(0x81, text.as_bytes())
}

/// A server that runs until the test's process ends.
pub struct FloodServer {
    pub environment: String,
    sent: Arc<AtomicUsize>,
}

impl FloodServer {
    pub fn start(flood: Flood) -> Self {
        let (listener, environment) = listen();
        let sent = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&sent);
        serve(listener, move |_, stream| {
            let _ = send(stream, &flood, &counter);
        });
        Self { environment, sent }
    }

    /// How many bytes of `rest` the client's side has taken.
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }
}

fn send(mut stream: TcpStream, flood: &Flood, counter: &AtomicUsize) -> Option<()> {
    let head = head(&mut stream)?;
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_owned())
    });
    let answer = match (&flood.answer, key) {
        (Some(answer), key) if flood.every_request || key.is_some() => answer.clone(),
        (None, Some(key)) => format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            derive_accept_key(key.as_bytes())
        )
        .into_bytes(),
        _ => {
            let refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
            return stream.write_all(refusal).ok();
        }
    };
    stream.write_all(&answer).ok()?;
    stream.write_all(&flood.first).ok()?;
    if !flood.never_reads {
        let mut reader = stream.try_clone().ok()?;
        std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
    }
    if let Some(pause) = flood.pause {
        for byte in flood.rest.iter().cycle() {
            stream.write_all(&[*byte]).ok()?;
            counter.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(pause);
        }
    }
    let block = flood.rest.repeat(64 * 1024 / flood.rest.len() + 1);
    loop {
        stream.write_all(&block).ok()?;
        counter.fetch_add(block.len(), Ordering::Relaxed);
    }
}

/// The head of a request, if there is one: a connection that only tests TCP sends nothing.
fn head(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).ok()
}

//! A client of the sandbox's two WebSockets.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message, handshake::client::Response};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::common::{Sandbox, World};

/// How long Corti waits for a configuration.
pub const WINDOW: Duration = Duration::from_secs(10);
pub const FLUSH: &str = r#"{"type":"flush"}"#;
pub const END: &str = r#"{"type":"end"}"#;

// The two WebSockets, as indexes of the arrays below.
pub const TRANSCRIBE: usize = 0;
pub const STREAMS: usize = 1;

/// A sandbox, a world of its client, a full token, and the URLs of both WebSockets, without a token.
pub struct Corti {
    pub sandbox: Sandbox,
    pub world: World,
    pub full: String,
    pub urls: [String; 2],
}

impl Corti {
    pub fn start() -> Self {
        let sandbox = Sandbox::start();
        let world = World::of(&sandbox);
        let place = sandbox.environment.replacen("http", "ws", 1);
        let transcribe = format!("{place}/audio-bridge/v2/transcribe?tenant-name=base");
        let (full, streams) = (run(&world, "token --full"), run(&world, "interaction create"));
        Self { sandbox, world, full, urls: [transcribe, streams] }
    }

    /// Opens a WebSocket, or returns the answer that refused the upgrade.
    pub async fn connect(&self, url: &str) -> Result<Socket, Response> {
        let address = self.sandbox.environment.strip_prefix("http://").unwrap();
        match client_async(url, TcpStream::connect(address).await.unwrap()).await {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(Error::Http(response)) => Err(*response),
            Err(error) => panic!("{url}: {error}"),
        }
    }

    /// Opens a WebSocket with the full token and sends a first message.
    pub async fn open(&self, which: usize, first: impl Into<Message>) -> Socket {
        let url = format!("{}&token=Bearer%20{}", self.urls[which], self.full);
        let mut socket = self.connect(&url).await.unwrap();
        socket.send(first).await;
        socket
    }

    pub async fn open_configured(&self, which: usize) -> Socket {
        let mut socket = self.open(which, config(&minimal(which))).await;
        assert_eq!(socket.next().await.unwrap()["type"], "CONFIG_ACCEPTED");
        socket
    }
}

pub fn run(world: &World, arguments: &str) -> String {
    String::from_utf8(world.run(arguments).unwrap().stdout).unwrap().trim().to_owned()
}

pub struct Socket(pub WebSocketStream<TcpStream>);

impl Socket {
    pub async fn send(&mut self, message: impl Into<Message>) {
        self.0.send(message.into()).await.unwrap();
    }

    /// The next message, or the code that the WebSocket closed with.
    pub async fn next(&mut self) -> Result<Value, u16> {
        let message = tokio::time::timeout(2 * WINDOW, self.0.next()).await.expect("silence");
        match message.expect("no close frame").unwrap() {
            Message::Text(text) => Ok(serde_json::from_str(&text).unwrap()),
            Message::Close(frame) => Err(frame.unwrap().code.into()),
            other => panic!("{other:?}"),
        }
    }

    pub async fn flush(&mut self) {
        self.send(FLUSH).await;
        assert_eq!(self.next().await, Ok(json!({ "type": "flushed" })));
    }

    /// Reads until the WebSocket is closed. Returns the messages, and their types and the code in one line.
    pub async fn rest(mut self) -> (Vec<Value>, String) {
        let (mut messages, mut types) = (Vec::new(), String::new());
        loop {
            match self.next().await {
                Ok(message) => {
                    types.extend([message["type"].as_str().unwrap(), " "]);
                    messages.push(message);
                }
                Err(code) => return (messages, format!("{types}{code}")),
            }
        }
    }
}

pub fn config(configuration: &Value) -> String {
    json!({ "type": "config", "configuration": configuration }).to_string()
}

/// The smallest valid configuration of a WebSocket, which Corti's SDK sends in its tests.
pub fn minimal(which: usize) -> Value {
    let participants = json!([{ "channel": 0, "role": "multiple" }]);
    let transcription = json!({ "primaryLanguage": "en", "participants": participants });
    let streams = json!({ "transcription": transcription, "mode": { "type": "transcription" } });
    if which == TRANSCRIBE { json!({ "primaryLanguage": "en" }) } else { streams }
}

/// `minimal` with the value at a JSON pointer replaced.
pub fn with(which: usize, pointer: &str, value: &Value) -> Value {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return value.clone() };
    let mut configuration = minimal(which);
    configuration.pointer_mut(parent).unwrap()[name] = value.clone();
    configuration
}

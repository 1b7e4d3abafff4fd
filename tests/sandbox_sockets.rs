//! The sandbox's two WebSockets, as a client sees them: who is refused before the upgrade, the configuration
//! handshake with its five ends, audio, `flush` and `end`, and what a sandbox that stops says to an open one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod common;

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message, handshake::client::Response};
use tokio_tungstenite::{WebSocketStream, client_async};

use common::{Said, Sandbox, World};

/// The window that Corti documents for the configuration.
const WINDOW: Duration = Duration::from_secs(10);

const INVALID: &str = r#"error="invalid_token", error_description=""#;
const FLUSH: &str = r#"{"type":"flush"}"#;
const END: &str = r#"{"type":"end"}"#;

/// Which WebSocket.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Which {
    Transcribe,
    Streams,
}
const BOTH: [Which; 2] = [Which::Transcribe, Which::Streams];

/// A sandbox, a world whose commands are its client, a full token and an interaction's `websocketUrl`.
struct Corti {
    sandbox: Sandbox,
    world: World,
    full: String,
    streams: String,
}

impl Corti {
    fn start() -> Self {
        let (sandbox, mut world) = (Sandbox::start(), World::new());
        world.use_client(&sandbox);
        let mut corti = Self { sandbox, world, full: String::new(), streams: String::new() };
        corti.full = corti.run("token --full");
        corti.streams = corti.run("interaction create");
        corti
    }

    /// What `corti-auth` prints.
    fn run(&self, arguments: &str) -> String {
        let said = Said::by(&mut self.world.run(arguments));
        assert_eq!(said.code, 0, "{arguments}: {}", said.stderr);
        said.stdout.trim().to_owned()
    }

    /// The address with the tenant and without a token.
    fn url(&self, which: Which) -> String {
        let place = self.sandbox.environment.replacen("http", "ws", 1);
        match which {
            Which::Transcribe => format!("{place}/audio-bridge/v2/transcribe?tenant-name=base"),
            Which::Streams => self.streams.clone(),
        }
    }

    /// Opens a socket, or gives the answer that came instead of the upgrade.
    async fn knock(&self, url: &str) -> Result<Talk, Response> {
        let address = self.sandbox.environment.strip_prefix("http://").unwrap();
        match client_async(url, TcpStream::connect(address).await.unwrap()).await {
            Ok((socket, _)) => Ok(Talk(socket)),
            Err(Error::Http(response)) => Err(*response),
            Err(error) => panic!("{url}: {error}"),
        }
    }

    /// Opens a socket with the full token and sends a first message.
    async fn open(&self, which: Which, first: impl Into<Message>) -> Talk {
        let url = format!("{}&token=Bearer%20{}", self.url(which), self.full);
        let mut talk = self.knock(&url).await.unwrap();
        talk.say(first).await;
        talk
    }

    /// Opens a socket and has the smallest configuration accepted.
    async fn open_configured(&self, which: Which) -> Talk {
        let mut talk = self.open(which, config(&minimal(which))).await;
        assert_eq!(talk.next().await.unwrap()["type"], "CONFIG_ACCEPTED");
        talk
    }
}

/// An open socket.
struct Talk(WebSocketStream<TcpStream>);

impl Talk {
    async fn say(&mut self, message: impl Into<Message>) {
        self.0.send(message.into()).await.unwrap();
    }

    /// The next message, or the code that the socket closed with.
    async fn next(&mut self) -> Result<Value, u16> {
        let message = tokio::time::timeout(2 * WINDOW, self.0.next()).await.expect("silence");
        match message.expect("no close frame").unwrap() {
            Message::Text(text) => Ok(serde_json::from_str(&text).unwrap()),
            Message::Close(frame) => Err(frame.unwrap().code.into()),
            other => panic!("{other:?}"),
        }
    }

    /// Everything until the socket is closed: the messages, and their types in a line with the code.
    async fn rest(mut self) -> (Vec<Value>, String) {
        let (mut messages, mut line) = (Vec::new(), String::new());
        let code = loop {
            match self.next().await {
                Ok(message) => messages.push(message),
                Err(code) => break code,
            }
        };
        assert!(self.0.next().await.is_none(), "nothing comes after the close frame");
        messages.iter().for_each(|message| line += &format!("{} ", message["type"].as_str().unwrap()));
        (messages, line + &code.to_string())
    }
}

fn config(configuration: &Value) -> String {
    json!({ "type": "config", "configuration": configuration }).to_string()
}

/// The smallest valid configuration of a socket, as Corti's SDK sends it in its tests.
fn minimal(which: Which) -> Value {
    let participants = json!([{ "channel": 0, "role": "multiple" }]);
    let transcription = json!({ "primaryLanguage": "en", "participants": participants });
    match which {
        Which::Transcribe => json!({ "primaryLanguage": "en" }),
        Which::Streams => json!({ "transcription": transcription, "mode": { "type": "transcription" } }),
    }
}

/// `minimal` with the value at a JSON pointer replaced.
fn with(which: Which, pointer: &str, value: &Value) -> Value {
    let mut configuration = minimal(which);
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    configuration.pointer_mut(parent).unwrap()[name] = value.clone();
    configuration
}

#[tokio::test]
async fn each_socket_takes_its_own_scope_or_a_full_token() {
    let corti = Corti::start();
    let table = [
        ("--scope transcribe", [101, 403]),
        ("--scope streams", [403, 101]),
        ("--scope transcribe,streams", [101, 101]),
        ("--full", [101, 101]),
    ];
    for (choice, expected) in table {
        let token = corti.run(&format!("token {choice}"));
        for (which, expected) in BOTH.into_iter().zip(expected) {
            let answer = corti.knock(&format!("{}&token=Bearer%20{token}", corti.url(which))).await;
            let status = answer.map_or_else(|response| response.status().as_u16(), |_| 101);
            assert_eq!(status, expected, "{choice} {which:?}");
        }
    }
}

#[tokio::test]
async fn refusals_come_before_the_upgrade() {
    let corti = Corti::start();
    let (full, altered) = (&corti.full, corti.full.replacen("eyJ", "eyK", 1));
    let id = corti.streams.split('/').rev().nth(1).unwrap();
    let streams = format!("{}&token=Bearer%20{full}", corti.streams);
    let unknown = ["00000000-0000-4000-8000-000000000000", "x"].map(|other| streams.replace(id, other));
    let mut table: Vec<(String, u16, &str)> = unknown.map(|url| (url, 404, "")).into();
    for url in BOTH.map(|which| corti.url(which)) {
        let bare = url.strip_suffix("tenant-name=base").unwrap();
        table.extend([
            (url.clone(), 401, "Bearer "),
            (format!("{url}&token="), 401, "Bearer "),
            (format!("{url}&token={full}"), 401, INVALID),
            (format!("{url}&token=Bearer%20garbage"), 401, INVALID),
            (format!("{url}&token=Bearer%20{altered}"), 401, INVALID),
            (format!("{bare}token=Bearer%20{full}"), 403, ""),
            (format!("{bare}tenant-name=other&token=Bearer%20{full}"), 403, ""),
        ]);
    }
    for (url, status, challenge) in table {
        let response = corti.knock(&url).await.err().unwrap_or_else(|| panic!("{url} was opened"));
        let header = |name| response.headers().get(name).map_or("", |value| value.to_str().unwrap());
        assert_eq!(response.status(), status, "{url}");
        assert!(header("www-authenticate").contains(challenge), "{url}: {response:?}");
        if status == 401 {
            assert_eq!(header("content-length"), "0", "{url}");
        } else {
            assert_eq!(
                (header("www-authenticate"), header("content-type")),
                ("", "application/json"),
                "{url}"
            );
        }
    }
}

#[tokio::test]
async fn good_configurations_are_accepted_and_shown() {
    let corti = Corti::start();
    let two = json!([{ "channel": 0, "role": "doctor" }, { "channel": 1, "role": "patient" }]);
    let facts = json!({ "type": "facts", "outputLocale": "en", "factGenerationInterval": "fast_init" });
    let variables = json!([{ "key": "to", "type": "enum", "enum": ["active", "pending"] }]);
    let commands = json!([{ "id": "status", "phrases": ["set status to"], "variables": variables }]);
    let table = [
        (Which::Transcribe, "/primaryLanguage", json!("da")),
        (Which::Transcribe, "/interimResults", json!(true)),
        (Which::Transcribe, "/commands", commands),
        (Which::Transcribe, "/audioFormat", json!("audio/pcm; rate=16000; channels=1; bits=16")),
        (Which::Streams, "/mode/type", json!("transcription")),
        (Which::Streams, "/mode", facts),
        (Which::Streams, "/transcription/participants", two),
        (Which::Streams, "/retentionPolicy", json!("none")),
    ];
    for (which, pointer, value) in table {
        let configuration = with(which, pointer, &value);
        let mut talk = corti.open(which, config(&configuration)).await;
        let mut accepted = talk.next().await.unwrap();
        let session = accepted.as_object_mut().unwrap().remove("sessionId");
        assert_eq!(session.is_some_and(|id| id.is_string()), which == Which::Transcribe, "{pointer}");
        assert_eq!(accepted, json!({ "type": "CONFIG_ACCEPTED", "configuration": configuration }));
        talk.say(config(&minimal(which))).await;
        assert_eq!(talk.next().await, Ok(json!({ "type": "CONFIG_ALREADY_RECEIVED" })));
        talk.say(FLUSH).await;
        assert_eq!(talk.next().await, Ok(json!({ "type": "flushed" })), "the session goes on");
    }
}

#[tokio::test]
async fn bad_configurations_are_denied_with_a_reason() {
    let corti = Corti::start();
    let table = [
        (Which::Transcribe, "/primaryLanguage", Value::Null),
        (Which::Transcribe, "/primaryLanguage", json!("invalid_language")),
        (Which::Transcribe, "/audioFormat", json!("text/plain")),
        (Which::Transcribe, "/commands", json!([{ "id": "", "phrases": [] }])),
        (Which::Streams, "/audioFormat", json!("text/plain")),
        (Which::Streams, "/mode", Value::Null),
        (Which::Streams, "/mode/type", json!("x")),
        (Which::Streams, "/mode/type", json!("facts")),
        (Which::Streams, "/transcription", Value::Null),
        (Which::Streams, "/transcription/primaryLanguage", json!("invalid_language")),
        (Which::Streams, "/transcription/participants", Value::Null),
        (Which::Streams, "/transcription/participants", json!([{ "channel": 0, "role": "nurse" }])),
    ];
    let mut cases: Vec<(Which, Value, &str)> = BOTH.map(|which| (which, Value::Null, "configuration")).into();
    for (which, pointer, value) in &table {
        cases.push((*which, with(*which, pointer, value), pointer.split('/').nth(1).unwrap()));
    }
    for (which, configuration, named) in cases {
        let (messages, line) = corti.open(which, config(&configuration)).await.rest().await;
        assert_eq!(line, "CONFIG_DENIED 1000", "{configuration}");
        assert!(messages[0]["reason"].as_str().unwrap().contains(named), "{configuration}: {messages:?}");
    }
}

#[tokio::test]
async fn whatever_comes_before_the_configuration_is_refused() {
    let corti = Corti::start();
    let texts = [FLUSH, END, "{}", "not JSON"];
    for first in [Message::binary(vec![0; 320])].into_iter().chain(texts.map(Message::text)) {
        for which in BOTH {
            let (messages, line) = corti.open(which, first.clone()).await.rest().await;
            assert_eq!(line, "CONFIG_MISSING 1000", "{which:?} {first:?}: {messages:?}");
        }
    }
}

#[tokio::test]
async fn who_says_nothing_is_told_so_after_ten_seconds() {
    let corti = Corti::start();
    let mut configured = corti.open_configured(Which::Transcribe).await;
    let started = Instant::now();
    let silent = async |which| {
        let talk = corti.open(which, Message::Ping("".into())).await;
        (talk.rest().await.1, started.elapsed())
    };
    for (line, elapsed) in <[_; 2]>::from(tokio::join!(silent(BOTH[0]), silent(BOTH[1]))) {
        assert!((WINDOW..WINDOW + Duration::from_secs(4)).contains(&elapsed), "{line} {elapsed:?}");
    }
    configured.say(FLUSH).await;
    assert_eq!(
        configured.next().await,
        Ok(json!({ "type": "flushed" })),
        "only a configuration has a window"
    );
}

#[tokio::test]
async fn audio_is_heard_flushed_and_ended() {
    let corti = Corti::start();
    // A stream can be opened again on the same interaction.
    for (which, ended) in [(BOTH[0], "ended"), (BOTH[1], "ENDED"), (BOTH[1], "ENDED")] {
        let mut talk = corti.open_configured(which).await;
        talk.say(vec![0; 32_000]).await;
        talk.say(FLUSH).await;
        check_transcript(&corti, which, &talk.next().await.unwrap());
        assert_eq!(talk.next().await, Ok(json!({ "type": "flushed" })));
        talk.say(FLUSH).await;
        assert_eq!(talk.next().await, Ok(json!({ "type": "flushed" })), "nothing is told twice");
        talk.say(vec![0; 32_000]).await;
        talk.say(END).await;
        let (messages, line) = talk.rest().await;
        assert_eq!(line, format!("transcript usage {ended} 1000"));
        check_transcript(&corti, which, &messages[0]);
        assert!(messages[1]["credits"].as_f64().unwrap() > 0.0, "{messages:?}");

        let mut talk = corti.open_configured(which).await;
        talk.say(END).await;
        let (messages, line) = talk.rest().await;
        assert_eq!((line, &messages[0]["credits"]), (format!("usage {ended} 1000"), &json!(0.0)));
    }
}

/// The two sockets show a transcript in different shapes.
fn check_transcript(corti: &Corti, which: Which, message: &Value) {
    let data = &message["data"];
    if which == Which::Transcribe {
        assert!(data["text"].is_string() && data["rawTranscriptText"].is_string(), "{message}");
        assert!(data["isFinal"] == true && data["start"].as_f64() < data["end"].as_f64(), "{message}");
        return;
    }
    let (one, time) = (&data[0], &data[0]["time"]);
    assert!(
        corti.streams.contains(one["id"].as_str().unwrap()) && one["transcript"].is_string(),
        "{message}"
    );
    assert!(
        one["final"] == true && one["speakerId"] == -1 && one["participant"]["channel"] == 0,
        "{message}"
    );
    assert!(time["start"].as_f64() < time["end"].as_f64(), "{message}");
}

#[tokio::test]
async fn a_message_that_makes_no_sense_is_an_error() {
    let corti = Corti::start();
    for which in BOTH {
        let mut talk = corti.open_configured(which).await;
        for text in ["not JSON", "[]", r#"{"type":"shout"}"#] {
            talk.say(text).await;
            let said = talk.next().await.unwrap();
            assert_eq!((&said["type"], &said["error"]["status"]), (&json!("error"), &json!(400)), "{text}");
            assert!(said["error"]["details"].is_string(), "{said}");
        }
    }
}

#[tokio::test]
async fn a_sandbox_that_stops_closes_its_sockets() {
    let mut corti = Corti::start();
    let talks = [corti.open(BOTH[0], Message::Ping("".into())).await, corti.open_configured(BOTH[1]).await];
    kill_process(Pid::from_raw(corti.sandbox.id().try_into().unwrap()).unwrap(), Signal::TERM).unwrap();
    for talk in talks {
        assert_eq!(talk.rest().await.1, "1001");
    }
    assert_eq!(corti.sandbox.wait().code(), Some(0));
}

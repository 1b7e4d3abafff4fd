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

use common::{Sandbox, World};

/// How long Corti waits for a configuration.
const WINDOW: Duration = Duration::from_secs(10);
const INVALID: &str = r#"error="invalid_token", error_description=""#;
const FLUSH: &str = r#"{"type":"flush"}"#;
const END: &str = r#"{"type":"end"}"#;

// The two WebSockets: places in the arrays below.
const TRANSCRIBE: usize = 0;
const STREAMS: usize = 1;

/// A sandbox, a world whose commands are its client, a full token, and both addresses without a token.
struct Corti {
    sandbox: Sandbox,
    world: World,
    full: String,
    urls: [String; 2],
}

impl Corti {
    fn start() -> Self {
        let (sandbox, mut world) = (Sandbox::start(), World::new());
        world.use_client(&sandbox);
        let place = sandbox.environment.replacen("http", "ws", 1);
        let transcribe = format!("{place}/audio-bridge/v2/transcribe?tenant-name=base");
        let (full, streams) = (run(&world, "token --full"), run(&world, "interaction create"));
        Self { sandbox, world, full, urls: [transcribe, streams] }
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
    async fn open(&self, which: usize, first: impl Into<Message>) -> Talk {
        let url = format!("{}&token=Bearer%20{}", self.urls[which], self.full);
        let mut talk = self.knock(&url).await.unwrap();
        talk.say(first).await;
        talk
    }

    async fn open_configured(&self, which: usize) -> Talk {
        let mut talk = self.open(which, config(&minimal(which))).await;
        assert_eq!(talk.next().await.unwrap()["type"], "CONFIG_ACCEPTED");
        talk
    }
}

fn run(world: &World, arguments: &str) -> String {
    String::from_utf8(world.run(arguments).unwrap().stdout).unwrap().trim().to_owned()
}

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

    async fn flush(&mut self) {
        self.say(FLUSH).await;
        assert_eq!(self.next().await, Ok(json!({ "type": "flushed" })));
    }

    /// Everything until the socket is closed: the messages, and their types in a line with the code.
    async fn rest(mut self) -> (Vec<Value>, String) {
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

fn config(configuration: &Value) -> String {
    json!({ "type": "config", "configuration": configuration }).to_string()
}

/// The smallest valid configuration of a socket, as Corti's SDK sends it in its tests.
fn minimal(which: usize) -> Value {
    let participants = json!([{ "channel": 0, "role": "multiple" }]);
    let transcription = json!({ "primaryLanguage": "en", "participants": participants });
    let streams = json!({ "transcription": transcription, "mode": { "type": "transcription" } });
    if which == TRANSCRIBE { json!({ "primaryLanguage": "en" }) } else { streams }
}

/// `minimal` with the value at a JSON pointer replaced.
fn with(which: usize, pointer: &str, value: &Value) -> Value {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return value.clone() };
    let mut configuration = minimal(which);
    configuration.pointer_mut(parent).unwrap()[name] = value.clone();
    configuration
}

#[tokio::test]
async fn each_socket_takes_its_own_scope_or_a_full_token() {
    let corti = Corti::start();
    for choice in ["--scope transcribe", "--scope streams", "--scope transcribe,streams", "--full"] {
        let token = run(&corti.world, &format!("token {choice}"));
        for (url, own) in corti.urls.iter().zip(["transcribe", "streams"]) {
            let answer = corti.knock(&format!("{url}&token=Bearer%20{token}")).await;
            let status = answer.map_or_else(|response| response.status().as_u16(), |_| 101);
            let expected = if choice.contains(own) || choice == "--full" { 101 } else { 403 };
            assert_eq!(status, expected, "{choice} {url}");
        }
    }
}

#[tokio::test]
async fn refusals_come_before_the_upgrade() {
    let corti = Corti::start();
    let (full, limited) = (&corti.full, run(&corti.world, "token --scope streams"));
    let altered = format!("{}.{}", full.rsplit_once('.').unwrap().0, limited.rsplit_once('.').unwrap().1);
    let id = corti.urls[STREAMS].split('/').rev().nth(1).unwrap();
    let unknown = |other| format!("{}&token=Bearer%20{full}", corti.urls[STREAMS].replace(id, other));
    let mut table = vec![(unknown("00000000-0000-4000-8000-000000000000"), 404, ""), (unknown("x"), 404, "")];
    for url in &corti.urls {
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
        let kind = if status == 401 { "" } else { "application/json" };
        assert_eq!((header("content-type"), header("content-length") == "0"), (kind, status == 401), "{url}");
    }
}

#[tokio::test]
async fn good_configurations_are_accepted_and_shown() {
    let corti = Corti::start();
    let facts = json!({ "type": "facts", "outputLocale": "en", "factGenerationInterval": "fast_init" });
    let variables = json!([{ "key": "to", "type": "enum", "enum": ["active", "pending"] }]);
    let commands = json!([{ "id": "status", "phrases": ["set status to"], "variables": variables }]);
    for (which, pointer, value) in [
        (TRANSCRIBE, "/primaryLanguage", json!("da")),
        (TRANSCRIBE, "/commands", commands),
        (TRANSCRIBE, "/audioFormat", json!("audio/pcm; rate=16000; channels=1; bits=16")),
        (STREAMS, "/mode", facts),
        (STREAMS, "/transcription/participants/0/role", json!("doctor")),
        (STREAMS, "/retentionPolicy", json!("none")),
    ] {
        let configuration = with(which, pointer, &value);
        let mut talk = corti.open(which, config(&configuration)).await;
        let mut accepted = talk.next().await.unwrap();
        let session = accepted.as_object_mut().unwrap().remove("sessionId");
        assert_eq!(session.as_ref().is_some_and(Value::is_string), which == TRANSCRIBE, "{pointer}");
        assert_eq!(accepted, json!({ "type": "CONFIG_ACCEPTED", "configuration": configuration }));
        talk.say(config(&minimal(which))).await;
        let again = talk.next().await.unwrap();
        assert_eq!(
            (&again["type"], again.get("sessionId")),
            (&json!("CONFIG_ALREADY_RECEIVED"), session.as_ref())
        );
        talk.flush().await;
    }
}

#[tokio::test]
async fn bad_configurations_are_denied_with_a_reason() {
    let corti = Corti::start();
    for (which, pointer, value) in [
        (TRANSCRIBE, "", Value::Null),
        (TRANSCRIBE, "/primaryLanguage", Value::Null),
        (TRANSCRIBE, "/primaryLanguage", json!("invalid_language")),
        (TRANSCRIBE, "/audioFormat", json!("text/plain")),
        (TRANSCRIBE, "/commands", json!([{ "id": "", "phrases": [] }])),
        (STREAMS, "", Value::Null),
        (STREAMS, "/audioFormat", json!("text/plain")),
        (STREAMS, "/mode", Value::Null),
        (STREAMS, "/mode/type", json!("x")),
        (STREAMS, "/mode/type", json!("facts")),
        (STREAMS, "/transcription", Value::Null),
        (STREAMS, "/transcription/primaryLanguage", json!("invalid_language")),
        (STREAMS, "/transcription/participants", Value::Null),
        (STREAMS, "/transcription/participants/0/role", json!("nurse")),
    ] {
        let configuration = with(which, pointer, &value);
        let (messages, line) = corti.open(which, config(&configuration)).await.rest().await;
        assert_eq!(line, "CONFIG_DENIED 1000", "{configuration}");
        let (reason, named) = (&messages[0]["reason"], pointer.split('/').nth(1).unwrap_or("configuration"));
        assert!(reason.as_str().unwrap().contains(named), "{configuration}: {reason}");
    }
}

#[tokio::test]
async fn whatever_comes_before_the_configuration_is_refused() {
    let corti = Corti::start();
    for first in [vec![0; 320].into(), FLUSH.into(), END.into(), "{}".into(), Message::text("not JSON")] {
        for which in [TRANSCRIBE, STREAMS] {
            let (messages, line) = corti.open(which, first.clone()).await.rest().await;
            assert_eq!(line, "CONFIG_MISSING 1000", "{which} {first:?}: {messages:?}");
        }
    }
}

#[tokio::test]
async fn who_says_nothing_is_told_so_after_ten_seconds() {
    let corti = Corti::start();
    let mut configured = corti.open_configured(TRANSCRIBE).await;
    let started = Instant::now();
    let silent = async |which, expected| {
        let (_, line) = corti.open(which, Message::Pong("".into())).await.rest().await;
        assert_eq!(line, expected);
        assert!((WINDOW..WINDOW + Duration::from_secs(4)).contains(&started.elapsed()), "{line}");
    };
    tokio::join!(silent(TRANSCRIBE, "CONFIG_TIMEOUT 1000"), silent(STREAMS, "CONFIG_NOT_PROVIDED 1000"));
    configured.flush().await;
}

#[tokio::test]
async fn audio_is_heard_flushed_and_ended() {
    let corti = Corti::start();
    for (which, ended) in [(TRANSCRIBE, "ended"), (STREAMS, "ENDED")] {
        let mut talk = corti.open_configured(which).await;
        talk.say("not JSON").await;
        assert!(talk.next().await.unwrap()["error"]["details"].is_string());
        talk.say(vec![0; 32_000]).await;
        talk.say(FLUSH).await;
        check_transcript(&corti, which, &talk.next().await.unwrap()["data"]);
        assert_eq!(talk.next().await, Ok(json!({ "type": "flushed" })));
        talk.say(vec![0; 32_000]).await;
        talk.say(END).await;
        let (messages, line) = talk.rest().await;
        assert_eq!(line, format!("transcript usage {ended} 1000"));
        check_transcript(&corti, which, &messages[0]["data"]);
        assert!(messages[1]["credits"].as_f64().unwrap() > 0.0, "{messages:?}");
        let mut again = corti.open_configured(which).await;
        again.say(END).await;
        let (messages, line) = again.rest().await;
        assert_eq!((line, &messages[0]["credits"]), (format!("usage {ended} 1000"), &json!(0.0)));
    }
}

/// The two sockets show a transcript in different shapes.
fn check_transcript(corti: &Corti, which: usize, data: &Value) {
    if which == TRANSCRIBE {
        assert!(data["text"].is_string() && data["rawTranscriptText"].is_string(), "{data}");
        assert!(data["isFinal"] == true && data["start"].as_f64() < data["end"].as_f64(), "{data}");
        return;
    }
    let (one, time) = (&data[0], &data[0]["time"]);
    assert!(corti.urls[STREAMS].contains(one["id"].as_str().unwrap()), "{data}");
    assert!(one["transcript"].is_string() && one["final"] == true && one["speakerId"] == -1, "{data}");
    assert!(one["participant"]["channel"] == 0 && time["start"].as_f64() < time["end"].as_f64(), "{data}");
}

#[tokio::test]
async fn a_sandbox_that_stops_closes_its_sockets() {
    let mut corti = Corti::start();
    let talk = corti.open_configured(STREAMS).await;
    kill_process(Pid::from_raw(corti.sandbox.id().try_into().unwrap()).unwrap(), Signal::TERM).unwrap();
    assert_eq!(talk.rest().await.1, "1001");
    assert_eq!(corti.sandbox.wait().code(), Some(0));
}

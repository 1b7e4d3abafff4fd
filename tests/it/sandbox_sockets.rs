//! The sandbox's two WebSockets: refusals before the upgrade, audio, `flush` and `end`, and the sandbox's shutdown.
//! `sandbox_configuration` tests the configuration message.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::common::signal;
use crate::sandbox::websocket::{Corti, END, FLUSH, STREAMS, TRANSCRIBE, run};

const INVALID: &str = r#"error="invalid_token", error_description=""#;

#[tokio::test]
async fn each_websocket_accepts_its_own_scope_or_a_full_token() {
    let corti = Corti::start();
    for choice in
        ["--scope transcribe", "--scope streams", "--scope transcribe,streams", "--scope phone", "--full"]
    {
        // Other scopes do not limit a token.
        let is_full = ["--scope phone", "--full"].contains(&choice);
        let token = run(&corti.world, &format!("token {choice}"));
        for (url, own) in corti.urls.iter().zip(["transcribe", "streams"]) {
            let answer = corti.connect(&format!("{url}&token=Bearer%20{token}")).await;
            let status = answer.map_or_else(|response| response.status().as_u16(), |_| 101);
            let expected = if choice.contains(own) || is_full { 101 } else { 403 };
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
        let response = corti.connect(&url).await.err().unwrap_or_else(|| panic!("{url} was opened"));
        let header = |name| response.headers().get(name).map_or("", |value| value.to_str().unwrap());
        assert_eq!(response.status(), status, "{url}");
        assert!(header("www-authenticate").contains(challenge), "{url}: {response:?}");
        let kind = if status == 401 { "" } else { "application/json" };
        assert_eq!((header("content-type"), header("content-length") == "0"), (kind, status == 401), "{url}");
    }
}

#[tokio::test]
async fn flush_and_end_return_the_transcript() {
    let corti = Corti::start();
    for (which, ended) in [(TRANSCRIBE, "ended"), (STREAMS, "ENDED")] {
        let mut socket = corti.open_configured(which).await;
        socket.send("not JSON").await;
        assert!(socket.next().await.unwrap()["error"]["details"].is_string());
        socket.send(vec![0; 32_000]).await;
        socket.send(FLUSH).await;
        assert_transcript(&corti, which, &socket.next().await.unwrap()["data"]);
        assert_eq!(socket.next().await, Ok(json!({ "type": "flushed" })));
        socket.send(vec![0; 32_000]).await;
        socket.send(END).await;
        let (messages, line) = socket.rest().await;
        assert_eq!(line, format!("transcript usage {ended} 1000"));
        assert_transcript(&corti, which, &messages[0]["data"]);
        assert!(messages[1]["credits"].as_f64().unwrap() > 0.0, "{messages:?}");
        let mut again = corti.open_configured(which).await;
        again.send(END).await;
        let (messages, line) = again.rest().await;
        assert_eq!((line, &messages[0]["credits"]), (format!("usage {ended} 1000"), &json!(0.0)));
    }
}

#[tokio::test]
async fn a_transcript_comes_every_three_seconds_of_audio() {
    let corti = Corti::start();
    for which in [TRANSCRIBE, STREAMS] {
        let mut socket = corti.open_configured(which).await;
        for _ in 0..2 {
            for _ in 0..12 {
                socket.send(vec![0; 8_000]).await;
            }
            let transcript = socket.next().await.unwrap();
            assert_eq!(transcript["type"], "transcript");
            assert_transcript(&corti, which, &transcript["data"]);
        }
        socket.flush().await;
    }
}

#[tokio::test]
async fn a_text_that_is_not_utf8_closes_with_code_1007() {
    let corti = Corti::start();
    // A continuation frame without a start is a protocol error.
    for (kind, code) in [(Data::Text, 1007), (Data::Continue, 1002)] {
        let mut socket = corti.open_configured(TRANSCRIBE).await;
        socket.send(Message::Frame(Frame::message(&b"\xff\xfe"[..], OpCode::Data(kind), true))).await;
        assert_eq!(socket.next().await, Err(code));
    }
}

/// The two WebSockets send transcripts of different shapes.
fn assert_transcript(corti: &Corti, which: usize, data: &Value) {
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
async fn a_sandbox_that_stops_closes_its_websockets() {
    let mut corti = Corti::start();
    let socket = corti.open_configured(STREAMS).await;
    assert!(signal(corti.sandbox.id(), "TERM"));
    assert_eq!(socket.rest().await.1, "1001");
    assert_eq!(corti.sandbox.wait().code(), Some(0));
}

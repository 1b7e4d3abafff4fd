//! The configuration message of the sandbox's two WebSockets: accepted, repeated, denied, missing and late.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::sandbox::websocket::{Corti, END, FLUSH, STREAMS, TRANSCRIBE, WINDOW, config, minimal, with};

#[tokio::test]
async fn good_configurations_are_accepted_and_returned() {
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
        let mut socket = corti.open(which, config(&configuration)).await;
        let mut accepted = socket.next().await.unwrap();
        let session = accepted.as_object_mut().unwrap().remove("sessionId");
        assert_eq!(session.as_ref().is_some_and(Value::is_string), which == TRANSCRIBE, "{pointer}");
        assert_eq!(accepted, json!({ "type": "CONFIG_ACCEPTED", "configuration": configuration }));
        socket.send(config(&minimal(which))).await;
        let again = socket.next().await.unwrap();
        assert_eq!(
            (&again["type"], again.get("sessionId")),
            (&json!("CONFIG_ALREADY_RECEIVED"), session.as_ref())
        );
        socket.flush().await;
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
        (TRANSCRIBE, "/formatting", json!("iso")),
        (TRANSCRIBE, "/formatting", json!({ "dates": "tomorrow" })),
        (TRANSCRIBE, "/audioEvents", json!({})),
        (TRANSCRIBE, "/replacements", Value::Array(vec![json!({ "find": "a", "replace": "b" }); 1001])),
        (TRANSCRIBE, "/keyterms", json!({ "terms": [{ "term": "a".repeat(51) }] })),
        (STREAMS, "", Value::Null),
        (STREAMS, "/audioEvents", json!({ "enabled": "yes" })),
        (STREAMS, "/mode/factGenerationInterval", json!("hourly")),
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
async fn other_messages_before_the_configuration_are_refused() {
    let corti = Corti::start();
    for first in [vec![0; 320].into(), FLUSH.into(), END.into(), "{}".into(), Message::text("not JSON")] {
        for which in [TRANSCRIBE, STREAMS] {
            let (messages, line) = corti.open(which, first.clone()).await.rest().await;
            assert_eq!(line, "CONFIG_MISSING 1000", "{which} {first:?}: {messages:?}");
        }
    }
}

#[tokio::test]
async fn a_missing_configuration_is_reported_after_ten_seconds() {
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

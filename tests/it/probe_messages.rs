//! Messages that a server may send in a session of `probe`, and ways to end it.

use crate::common::Said;
use crate::common::ready::with_token;
use crate::common::scripted_websocket::{self, Reply};

const SILENT: Reply = Reply::Send("config", vec![]);

fn probe(script: Vec<Reply>, arguments: &str) -> Said {
    let world = with_token(&scripted_websocket::start(script), "canary-abcdefgh");
    let audio = world.file("a.raw", [0; 10]);
    Said::by(&mut world.run(&arguments.replace("AUDIO", &audio)))
}

#[test]
fn both_spellings_of_messages_are_understood() {
    let facts = r#"{"type":"facts","facts":[{"text":"coughs","group":"symptoms"}]}"#;
    let fact = r#"{"type":"facts","fact":[{"text":"no fever"}]}"#;
    let interim = r#"{"type":"transcript","data":{"text":"hel","isFinal":false}}"#;
    let object = r#"{"type":"transcript","data":{"text":"hello","isFinal":true}}"#;
    let list = r#"{"type":"transcript","data":[{"transcript":"doctor\u001b[2J","final":true}]}"#;
    let script = vec![
        Reply::Send(
            "config",
            vec![r#"{"type":"hello"}"#, "no JSON", r#"{"type":"CONFIG_ALREADY_RECEIVED"}"#],
        ),
        Reply::Send("binary", vec![r#"{"type":"delta_usage","credits":0.1}"#, interim]),
        Reply::Send("flush", vec![object, facts, r#"{"type":"flushed"}"#]),
        // ENDED comes before the usage.
        Reply::Close(
            "end",
            vec![list, fact, r#"{"type":"ENDED"}"#, r#"{"type":"usage","credits":0.25}"#],
            1000,
            "",
        ),
    ];
    let said = probe(script, "probe transcribe --audio AUDIO");
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(said.stdout, "hello\nfact: symptoms: coughs\ndoctor\\u{1b}[2J\nfact: no fever\n");
    assert!(
        said.stderr.contains("0.25 credits")
            && said.stderr.contains("received delta_usage")
            && said.stderr.contains("received an unknown message"),
        "{}",
        said.stderr
    );
}

#[test]
fn every_way_a_session_fails_has_its_exit_code() {
    let accepted = Reply::Send("config", vec![r#"{"type":"CONFIG_ACCEPTED"}"#]);
    let error = r#"{"type":"error","error":{"title":"Bad audio","details":"canary-abcdefgh"}}"#;
    for (script, code, words) in [
        (
            vec![Reply::Send("config", vec![r#"{"type":"CONFIG_REJECTED","reason":"audioFormat"}"#])],
            1,
            "CONFIG_REJECTED: audioFormat",
        ),
        (vec![Reply::Send("config", vec![r#"{"type":"CONFIG_NOT_PROVIDED"}"#])], 1, "CONFIG_NOT_PROVIDED"),
        (vec![Reply::Send("config", vec![error])], 1, "Bad audio"),
        (vec![Reply::Send("config", vec![r#"{"type":"ended"}"#])], 8, "ended before it was configured"),
        (
            vec![Reply::Close("config", vec![], 1008, "canary-abcdefgh expired")],
            8,
            "code 1008: [redacted] expired",
        ),
        (
            vec![accepted.clone(), Reply::Close("end", vec![error], 1011, "")],
            1,
            "the server ended the session: Bad audio",
        ),
        (
            vec![accepted.clone(), Reply::Close("end", vec![], 1011, "")],
            8,
            "closed the WebSocket with code 1011",
        ),
        (vec![SILENT], 8, "was silent for"),
        // It sends messages, but not the expected one.
        (vec![Reply::SendForever("config", r#"{"type":"hello"}"#)], 8, "not the expected one within 3 s"),
        (
            vec![accepted.clone(), Reply::Send("end", vec![error, r#"{"type":"ended"}"#])],
            1,
            "reported an error",
        ),
    ] {
        let said = probe(script, "probe transcribe --timeout 3s");
        assert_eq!((said.code, said.stdout.as_str()), (code, ""), "{words}: {}", said.stderr);
        assert!(said.stderr.contains(words) && said.stderr.contains("hint: "), "{words}: {}", said.stderr);
        assert!(!said.stderr.contains("canary"), "{}", said.stderr);
    }
}

#[test]
fn a_missing_message_is_a_warning() {
    let script = vec![
        Reply::Send("config", vec![r#"{"type":"CONFIG_ACCEPTED"}"#]),
        Reply::Send("end", vec![r#"{"type":"ended"}"#]),
    ];
    let said = probe(script, "probe transcribe --audio AUDIO --timeout 3s");
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains(" ms  the server did not answer `flush`"), "{}", said.stderr);
    assert!(said.stderr.contains("WARNING  usage "), "{}", said.stderr);
}

#[test]
fn a_token_in_json_escapes_is_not_printed() {
    let error =
        r#"{"type":"error","error":{"title":"bad \u0063anary-abcdefgh","details":"\u0063anary-abcdefgh"}}"#;
    for style in ["", "--json"] {
        let said = probe(vec![Reply::Send("config", vec![error])], &format!("probe transcribe {style}"));
        assert_ne!(said.code, 0);
        for text in [&said.stdout, &said.stderr] {
            assert!(!text.contains("anary-abcdefgh"), "{text}");
        }
    }
}

//! Writes and reads the JSON messages of Corti's WebSockets: to open a session, follow it and end it.

use serde_json::{Map, Value, json};

use super::websocket::SocketKind;

type Object = Map<String, Value>;

/// The smallest configuration that a WebSocket accepts.
pub fn smallest(kind: SocketKind, language: &str) -> Value {
    match kind {
        SocketKind::Transcribe => json!({ "primaryLanguage": language }),
        SocketKind::Streams => json!({
            "transcription": {
                "primaryLanguage": language,
                "participants": [{ "channel": 0, "role": "multiple" }],
            },
            "mode": { "type": "transcription" },
        }),
    }
}

/// The message that opens a session.
pub fn config(configuration: &Value) -> String {
    json!({ "type": "config", "configuration": configuration }).to_string()
}

/// Asks for everything that was heard so far.
pub fn flush() -> String {
    json!({ "type": "flush" }).to_string()
}

/// Asks the server to finish the session.
pub fn end() -> String {
    json!({ "type": "end" }).to_string()
}

/// Something that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// The words.
    pub text: String,
    /// Whether they are final.
    pub is_final: bool,
}

/// A server's message. The texts are the server's: escape them before they are shown.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerMessage {
    /// The configuration was accepted, now or before; the type is the server's word.
    Accepted(String),
    /// The configuration was rejected; type and reason are the server's words.
    Denied(String),
    /// An `error`, with the server's reason. The session may go on or not.
    Failed(String),
    /// What was said, in one piece or several.
    Transcripts(Vec<Transcript>),
    /// Facts from what was said.
    Facts(Vec<String>),
    /// Everything heard so far was sent.
    Flushed,
    /// What the session cost, in credits, if it says so.
    Usage(Option<f64>),
    /// The session is over.
    Ended,
    /// Anything else, by its type. New types must not break a client.
    Other(String),
}

impl ServerMessage {
    /// Reads one text frame.
    pub fn parse(text: &str) -> Option<Self> {
        Self::of(&serde_json::from_str(text).ok()?)
    }

    /// Reads one message in the spelling of either WebSocket: `ended` and `ENDED`, `CONFIG_DENIED` and `CONFIG_REJECTED`,
    /// `fact` and `facts`, one object or a list.
    pub fn of(message: &Value) -> Option<Self> {
        let message = message.as_object()?;
        let kind = message.get("type")?.as_str()?;
        let upper = kind.to_ascii_uppercase();
        Some(match upper.as_str() {
            "CONFIG_ACCEPTED" | "CONFIG_ALREADY_RECEIVED" => Self::Accepted(kind.to_owned()),
            config if config.starts_with("CONFIG_") => Self::Denied(match text_of(message, "reason") {
                Some(reason) => format!("{kind}: {reason}"),
                None => kind.to_owned(),
            }),
            "ERROR" => Self::Failed(failure(message)),
            "TRANSCRIPT" => Self::Transcripts(items(message, &["data"]).filter_map(transcript).collect()),
            "FACTS" => Self::Facts(items(message, &["fact", "facts", "data"]).filter_map(fact).collect()),
            "FLUSHED" => Self::Flushed,
            "USAGE" => Self::Usage(message.get("credits").and_then(Value::as_f64)),
            "ENDED" => Self::Ended,
            _ => Self::Other(kind.to_owned()),
        })
    }
}

fn text_of<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The objects in the first of these members that exists: a list, or one object.
fn items<'a>(message: &'a Object, names: &[&str]) -> impl Iterator<Item = &'a Object> {
    let member = names.iter().find_map(|name| message.get(*name));
    let list = match member {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    list.iter().filter_map(Value::as_object)
}

fn transcript(item: &Object) -> Option<Transcript> {
    let text = text_of(item, "text").or_else(|| text_of(item, "transcript"))?.to_owned();
    let is_final = item.get("isFinal").or_else(|| item.get("final")).and_then(Value::as_bool);
    Some(Transcript { text, is_final: is_final.unwrap_or(true) })
}

fn fact(item: &Object) -> Option<String> {
    let text = text_of(item, "text")?;
    Some(text_of(item, "group").map_or_else(|| text.to_owned(), |group| format!("{group}: {text}")))
}

/// Title and details of an `error`.
fn failure(message: &Object) -> String {
    let error = message.get("error").and_then(Value::as_object).unwrap_or(message);
    let words: Vec<&str> = ["title", "details"].iter().filter_map(|name| text_of(error, name)).collect();
    if words.is_empty() { "no reason given".to_owned() } else { words.join(": ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(message: &Value) -> ServerMessage {
        ServerMessage::parse(&message.to_string()).unwrap()
    }

    #[test]
    fn both_spellings_are_known() {
        let parse = |kind: &str| parse(&json!({ "type": kind }));
        assert_eq!(parse("CONFIG_ACCEPTED"), ServerMessage::Accepted("CONFIG_ACCEPTED".into()));
        for kind in ["ended", "ENDED"] {
            assert_eq!(parse(kind), ServerMessage::Ended);
        }
        for kind in ["CONFIG_DENIED", "CONFIG_REJECTED", "CONFIG_TIMEOUT", "CONFIG_NOT_PROVIDED"] {
            assert_eq!(parse(kind), ServerMessage::Denied(kind.to_owned()));
        }
        assert_eq!(parse("delta_usage"), ServerMessage::Other("delta_usage".into()));
        assert_eq!(parse("error"), ServerMessage::Failed("no reason given".into()));
        for odd in ["hello", "[]", "{}", r#"{"type":1}"#] {
            assert_eq!(ServerMessage::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn what_was_said_comes_in_one_piece_or_several() {
        let said = |text: &str, is_final| Transcript { text: text.to_owned(), is_final };
        let one = json!({ "type": "transcript", "data": { "text": "a", "isFinal": false } });
        assert_eq!(parse(&one), ServerMessage::Transcripts(vec![said("a", false)]));
        let several = json!({ "type": "transcript", "data": [{ "transcript": "a", "final": true }, { "transcript": "b" }, 1] });
        assert_eq!(parse(&several), ServerMessage::Transcripts(vec![said("a", true), said("b", true)]));
        assert_eq!(parse(&json!({ "type": "transcript" })), ServerMessage::Transcripts(Vec::new()));
    }

    #[test]
    fn facts_have_three_names() {
        for name in ["fact", "facts", "data"] {
            let message = json!({ "type": "facts", name: [{ "text": "coughs", "group": "symptoms" }, { "text": "x" }] });
            let facts = ServerMessage::Facts(vec!["symptoms: coughs".into(), "x".into()]);
            assert_eq!(parse(&message), facts);
        }
    }

    #[test]
    fn reasons_and_costs_are_read() {
        assert_eq!(parse(&json!({ "type": "usage", "credits": 0.5 })), ServerMessage::Usage(Some(0.5)));
        assert_eq!(parse(&json!({ "type": "usage" })), ServerMessage::Usage(None));
        let denied = json!({ "type": "CONFIG_DENIED", "reason": "language" });
        assert_eq!(parse(&denied), ServerMessage::Denied("CONFIG_DENIED: language".into()));
        let error = json!({ "type": "error", "error": { "title": "Bad request", "details": "no type" } });
        assert_eq!(parse(&error), ServerMessage::Failed("Bad request: no type".into()));
    }

    #[test]
    fn configurations_are_the_smallest() {
        let message = config(&smallest(SocketKind::Transcribe, "da"));
        let message: Value = serde_json::from_str(&message).unwrap();
        assert_eq!(message, json!({ "type": "config", "configuration": { "primaryLanguage": "da" } }));
        assert!(config(&smallest(SocketKind::Streams, "en")).contains("participants"));
        assert!(flush().contains("flush") && end().contains("end"));
    }
}

//! The JSON messages of Corti's WebSockets, as far as a client needs them to open a session and end it.

use serde::Deserialize;
use serde_json::json;

/// The smallest configuration that `/streams` accepts.
pub fn streams_config(language: &str) -> String {
    json!({
        "type": "config",
        "configuration": {
            "transcription": {
                "primaryLanguage": language,
                "participants": [{ "channel": 0, "role": "multiple" }],
            },
            "mode": { "type": "transcription" },
        },
    })
    .to_string()
}

/// Asks the server to finish the session.
pub fn end() -> String {
    json!({ "type": "end" }).to_string()
}

/// A server's message by what it means for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerMessage {
    /// The session may begin, in the server's word: a second configuration means that the first was taken.
    Accepted(String),
    /// The configuration was not taken; the type and the reason are the server's words.
    Denied(String),
    /// The session is over.
    Ended,
    /// Anything else, by its type. New types must not break a client.
    Other(String),
}

impl ServerMessage {
    /// Reads one text frame. Both spellings of what the two sockets send are known (`ended`, `ENDED`; `CONFIG_DENIED`,
    /// `CONFIG_REJECTED`).
    pub fn parse(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Wire {
            #[serde(rename = "type")]
            kind: String,
            reason: Option<String>,
        }
        let wire: Wire = serde_json::from_str(text).ok()?;
        let kind = wire.kind.to_ascii_uppercase();
        Some(match kind.as_str() {
            "CONFIG_ACCEPTED" | "CONFIG_ALREADY_RECEIVED" => Self::Accepted(wire.kind),
            "ENDED" => Self::Ended,
            "ERROR" => Self::Denied(wire.kind),
            config if config.starts_with("CONFIG_") => Self::Denied(
                wire.reason.map_or(wire.kind.clone(), |reason| format!("{}: {reason}", wire.kind)),
            ),
            _ => Self::Other(wire.kind),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_known() {
        let parse = |kind: &str| ServerMessage::parse(&json!({ "type": kind }).to_string()).unwrap();
        assert_eq!(parse("CONFIG_ACCEPTED"), ServerMessage::Accepted("CONFIG_ACCEPTED".into()));
        for kind in ["ended", "ENDED"] {
            assert_eq!(parse(kind), ServerMessage::Ended);
        }
        for kind in ["CONFIG_DENIED", "CONFIG_REJECTED", "CONFIG_TIMEOUT", "CONFIG_NOT_PROVIDED", "error"] {
            assert_eq!(parse(kind), ServerMessage::Denied(kind.to_owned()));
        }
        assert_eq!(parse("delta_usage"), ServerMessage::Other("delta_usage".into()));
        assert_eq!(ServerMessage::parse("hello"), None);
    }
}

//! The protocol of the two WebSockets, as a state machine without a socket: the replies to each message. Nothing is transcribed;
//! a placeholder says how much audio arrived.

use serde_json::{Value, json};
use uuid::Uuid;

use super::configuration::{check_streams, check_transcribe};
use super::validation::ValidationErrors;

/// Times and prices assume 16-bit mono audio at 16 kHz.
const BYTES_PER_SECOND: u32 = 32_000;

/// How much audio one transcript covers: Corti sends one about every three seconds.
const TRANSCRIPT_BYTES: u64 = 3 * BYTES_PER_SECOND as u64;

/// An invented price.
const SECONDS_PER_CREDIT: f64 = 100.0;

/// Which WebSocket it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// `/transcribe`.
    Transcribe,
    /// `/interactions/{id}/streams`.
    Streams(Uuid),
}

/// The messages to send, in order, and whether to close the socket after them.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Reply {
    pub(super) messages: Vec<Value>,
    pub(super) close: bool,
}

impl Reply {
    fn messages(messages: Vec<Value>) -> Self {
        Self { messages, close: false }
    }

    fn close(messages: Vec<Value>) -> Self {
        Self { messages, close: true }
    }
}

/// One session.
pub(super) struct Session {
    id: Uuid,
    kind: Kind,
    configuration: Option<Value>,
    /// Bytes of audio since the start.
    received: u64,
    /// How many of them were in a transcript.
    transcribed: u64,
}

impl Session {
    /// A session that waits for its configuration.
    pub(super) fn new(kind: Kind) -> Self {
        Self { id: Uuid::new_v4(), kind, configuration: None, received: 0, transcribed: 0 }
    }

    /// Whether a configuration was accepted.
    pub(super) fn is_configured(&self) -> bool {
        self.configuration.is_some()
    }

    /// No configuration came in time. The two sockets name that differently.
    pub(super) fn on_config_timeout(&self) -> Reply {
        let kind = match self.kind {
            Kind::Transcribe => "CONFIG_TIMEOUT",
            Kind::Streams(_) => "CONFIG_NOT_PROVIDED",
        };
        Reply::close(vec![self.status(kind)])
    }

    /// A message about the configuration. Those of `/transcribe` all name the session.
    fn status(&self, kind: &str) -> Value {
        match self.kind {
            Kind::Transcribe => json!({ "type": kind, "sessionId": self.id }),
            Kind::Streams(_) => json!({ "type": kind }),
        }
    }

    fn config_missing(&self) -> Reply {
        Reply::close(vec![self.status("CONFIG_MISSING")])
    }

    fn denied(&self, errors: &ValidationErrors) -> Reply {
        let mut denied = self.status("CONFIG_DENIED");
        denied["reason"] = errors.to_line().into();
        Reply::close(vec![denied])
    }

    /// `length` bytes of audio.
    pub(super) fn on_audio(&mut self, length: usize) -> Reply {
        if !self.is_configured() {
            return self.config_missing();
        }
        self.received = self.received.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        if self.received - self.transcribed < TRANSCRIPT_BYTES {
            return Reply::default();
        }
        Reply::messages(self.pending())
    }

    /// A text message.
    pub(super) fn on_text(&mut self, text: &str) -> Reply {
        let message = match serde_json::from_str::<Value>(text) {
            Ok(message) => message,
            Err(_) if self.is_configured() => {
                return Reply::messages(vec![error("the message is not valid JSON")]);
            }
            Err(_) => return self.config_missing(),
        };
        match (message["type"].as_str(), self.is_configured()) {
            (Some("config"), false) => self.configure(&message["configuration"]),
            (Some("config"), true) => Reply::messages(vec![self.status("CONFIG_ALREADY_RECEIVED")]),
            (_, false) => self.config_missing(),
            (Some("flush"), true) => self.flush(),
            (Some("end"), true) => self.end(),
            (_, true) => Reply::messages(vec![error("the message has no known type")]),
        }
    }

    fn configure(&mut self, configuration: &Value) -> Reply {
        let verdict = match self.kind {
            Kind::Transcribe => check_transcribe(configuration),
            Kind::Streams(_) => check_streams(configuration),
        };
        if let Err(errors) = verdict {
            return self.denied(&errors);
        }
        let mut accepted = self.status("CONFIG_ACCEPTED");
        accepted["configuration"] = configuration.clone();
        self.configuration = Some(configuration.clone());
        Reply::messages(vec![accepted])
    }

    fn flush(&mut self) -> Reply {
        let mut messages = self.pending();
        messages.push(json!({ "type": "flushed" }));
        Reply::messages(messages)
    }

    fn end(&mut self) -> Reply {
        let ended = match self.kind {
            Kind::Transcribe => "ended",
            Kind::Streams(_) => "ENDED",
        };
        let mut messages = self.pending();
        messages.push(json!({ "type": "usage", "credits": seconds(self.received) / SECONDS_PER_CREDIT }));
        messages.push(json!({ "type": ended }));
        Reply::close(messages)
    }

    /// The transcript of audio that is in none yet, if there is any.
    fn pending(&mut self) -> Vec<Value> {
        let bytes = self.received - self.transcribed;
        if bytes == 0 {
            return Vec::new();
        }
        let (start, end) = (seconds(self.transcribed), seconds(self.received));
        self.transcribed = self.received;
        let text = format!("[sandbox: {bytes} bytes of audio]");
        let data = match self.kind {
            Kind::Transcribe => json!({
                "text": text, "rawTranscriptText": text, "start": start, "end": end, "isFinal": true,
            }),
            Kind::Streams(interaction) => json!([{
                "id": interaction,
                "transcript": text,
                "final": true,
                "speakerId": -1,
                "participant": { "channel": self.first_channel() },
                "time": { "start": start, "end": end },
            }]),
        };
        vec![json!({ "type": "transcript", "data": data })]
    }

    fn first_channel(&self) -> u64 {
        let path = "/transcription/participants/0/channel";
        self.configuration.as_ref().and_then(|all| all.pointer(path)).and_then(Value::as_u64).unwrap_or(0)
    }
}

/// An `error` message; the session goes on.
fn error(details: &str) -> Value {
    let error = json!({ "id": Uuid::new_v4(), "title": "Bad request", "status": 400, "details": details });
    json!({ "type": "error", "error": error })
}

fn seconds(bytes: u64) -> f64 {
    // More than 4 GiB of audio count as 4 GiB.
    f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / f64::from(BYTES_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSCRIBE: &str = r#"{"type":"config","configuration":{"primaryLanguage":"en"}}"#;

    fn types(reply: &Reply) -> String {
        let types: Vec<&str> = reply.messages.iter().filter_map(|message| message["type"].as_str()).collect();
        format!("{}{}", types.join(" "), if reply.close { " /" } else { "" })
    }

    #[test]
    fn a_dictation_from_config_to_end() {
        let mut session = Session::new(Kind::Transcribe);
        let accepted = session.on_text(TRANSCRIBE);
        assert_eq!(types(&accepted), "CONFIG_ACCEPTED");
        assert!(accepted.messages[0]["sessionId"].is_string());
        let again = session.on_text(TRANSCRIBE);
        assert_eq!(types(&again), "CONFIG_ALREADY_RECEIVED");
        assert_eq!(again.messages[0]["sessionId"], accepted.messages[0]["sessionId"]);
        assert_eq!(session.on_audio(64_000), Reply::default());
        let flushed = session.on_text(r#"{"type":"flush"}"#);
        assert_eq!(types(&flushed), "transcript flushed");
        assert_eq!(flushed.messages[0]["data"]["end"], 2.0);
        assert_eq!(types(&session.on_text("{")), "error");
        assert_eq!(types(&session.on_text("[]")), "error");
        let ended = session.on_text(r#"{"type":"end"}"#);
        assert_eq!(types(&ended), "usage ended /");
        assert_eq!(ended.messages[0]["credits"], 0.02);
    }

    #[test]
    fn streams_answers_in_its_own_shapes() {
        let mut session = Session::new(Kind::Streams(Uuid::nil()));
        assert_eq!(types(&session.on_config_timeout()), "CONFIG_NOT_PROVIDED /");
        let config = r#"{"type":"config","configuration":{"mode":{"type":"transcription"},"transcription":
            {"primaryLanguage":"en","participants":[{"channel":3,"role":"multiple"}]}}}"#;
        let accepted = session.on_text(config);
        assert_eq!(
            (types(&accepted), accepted.messages[0].get("sessionId")),
            ("CONFIG_ACCEPTED".into(), None)
        );
        session.on_audio(1);
        let ended = session.on_text(r#"{"type":"end"}"#);
        assert_eq!(types(&ended), "transcript usage ENDED /");
        assert_eq!(ended.messages[0]["data"][0]["participant"]["channel"], 3);
    }

    #[test]
    fn a_transcript_comes_every_three_seconds() {
        let mut session = Session::new(Kind::Transcribe);
        session.on_text(TRANSCRIBE);
        // A quarter of a second each.
        let heard: Vec<Reply> = std::iter::repeat_with(|| session.on_audio(8_000)).take(24).collect();
        let told = |reply: &Reply| (reply.messages[0]["data"]["start"].clone(), types(reply));
        let spoken: Vec<usize> = (0..24).filter(|at| !heard[*at].messages.is_empty()).collect();
        assert_eq!(spoken, [11, 23]);
        assert_eq!(told(&heard[11]), (json!(0.0), "transcript".into()));
        assert_eq!(told(&heard[23]), (json!(3.0), "transcript".into()));
        assert_eq!(types(&session.on_text(r#"{"type":"flush"}"#)), "flushed");
    }

    #[test]
    fn the_configuration_comes_first_and_once() {
        let new = || Session::new(Kind::Transcribe);
        assert_eq!(types(&new().on_config_timeout()), "CONFIG_TIMEOUT /");
        assert_eq!(types(&new().on_audio(1)), "CONFIG_MISSING /");
        for text in [r#"{"type":"flush"}"#, r#"{"type":"end"}"#, "{}", "1", "no JSON", ""] {
            assert_eq!(types(&new().on_text(text)), "CONFIG_MISSING /", "{text}");
        }
        let denied = new().on_text(r#"{"type":"config"}"#);
        assert_eq!(types(&denied), "CONFIG_DENIED /");
        assert!(denied.messages[0]["sessionId"].is_string());
        assert_eq!(denied.messages[0]["reason"], "configuration: must be an object");
    }
}

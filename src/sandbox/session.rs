//! The protocol of the two WebSockets, without a socket: the replies to each message. Nothing is transcribed; a placeholder says
//! how much audio arrived.

use serde_json::{Value, json};
use uuid::Uuid;

use super::configuration::{check_streams, check_transcribe};
use super::validation::one_line;

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

/// One session. Its methods return the messages to send, in order.
pub(super) struct Session {
    id: Uuid,
    kind: Kind,
    /// The first participant's channel, once a configuration was accepted.
    channel: Option<u64>,
    /// Bytes of audio since the start.
    received: u64,
    /// How many of them were in a transcript.
    transcribed: u64,
    /// Whether to close the socket, after the last messages.
    pub(super) has_ended: bool,
}

impl Session {
    /// A session that waits for its configuration.
    pub(super) fn new(kind: Kind) -> Self {
        let id = Uuid::new_v4();
        Self { id, kind, channel: None, received: 0, transcribed: 0, has_ended: false }
    }

    /// Whether a configuration was accepted.
    pub(super) fn is_configured(&self) -> bool {
        self.channel.is_some()
    }

    /// No configuration came in time. The two sockets have different names for that.
    pub(super) fn on_config_timeout(&mut self) -> Vec<Value> {
        match self.kind {
            Kind::Transcribe => self.refuse("CONFIG_TIMEOUT"),
            Kind::Streams(_) => self.refuse("CONFIG_NOT_PROVIDED"),
        }
    }

    /// A message about the configuration. Those of `/transcribe` all name the session.
    fn status(&self, kind: &str) -> Value {
        match self.kind {
            Kind::Transcribe => json!({ "type": kind, "sessionId": self.id }),
            Kind::Streams(_) => json!({ "type": kind }),
        }
    }

    fn refuse(&mut self, kind: &str) -> Vec<Value> {
        self.has_ended = true;
        vec![self.status(kind)]
    }

    /// `length` bytes of audio.
    pub(super) fn on_audio(&mut self, length: usize) -> Vec<Value> {
        if !self.is_configured() {
            return self.refuse("CONFIG_MISSING");
        }
        self.received = self.received.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        if self.received - self.transcribed < TRANSCRIPT_BYTES { Vec::new() } else { self.transcript() }
    }

    /// A text message.
    pub(super) fn on_text(&mut self, text: &str) -> Vec<Value> {
        let message = serde_json::from_str::<Value>(text);
        let kind = message.as_ref().ok().and_then(|message| message["type"].as_str());
        match (kind, &message) {
            (Some("config"), Ok(message)) if !self.is_configured() => {
                self.configure(&message["configuration"])
            }
            (Some("config"), _) => vec![self.status("CONFIG_ALREADY_RECEIVED")],
            _ if !self.is_configured() => self.refuse("CONFIG_MISSING"),
            (Some("flush"), _) => {
                let mut messages = self.transcript();
                messages.push(json!({ "type": "flushed" }));
                messages
            }
            (Some("end"), _) => self.end(),
            (_, Ok(_)) => vec![error("the message has no known type")],
            (_, Err(_)) => vec![error("the message is not valid JSON")],
        }
    }

    fn configure(&mut self, configuration: &Value) -> Vec<Value> {
        let errors = match self.kind {
            Kind::Transcribe => check_transcribe(configuration),
            Kind::Streams(_) => check_streams(configuration),
        };
        if let Err(errors) = errors {
            let mut messages = self.refuse("CONFIG_DENIED");
            messages[0]["reason"] = one_line(&errors).into();
            return messages;
        }
        let mut accepted = self.status("CONFIG_ACCEPTED");
        accepted["configuration"] = configuration.clone();
        let channel = configuration.pointer("/transcription/participants/0/channel");
        self.channel = Some(channel.and_then(Value::as_u64).unwrap_or(0));
        vec![accepted]
    }

    fn end(&mut self) -> Vec<Value> {
        let ended = match self.kind {
            Kind::Transcribe => "ended",
            Kind::Streams(_) => "ENDED",
        };
        self.has_ended = true;
        let mut messages = self.transcript();
        messages.push(json!({ "type": "usage", "credits": seconds(self.received) / SECONDS_PER_CREDIT }));
        messages.push(json!({ "type": ended }));
        messages
    }

    /// The transcript of the audio since the last one, if there is any.
    fn transcript(&mut self) -> Vec<Value> {
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
                "participant": { "channel": self.channel },
                "time": { "start": start, "end": end },
            }]),
        };
        vec![json!({ "type": "transcript", "data": data })]
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

    fn types(messages: &[Value]) -> String {
        messages.iter().filter_map(|message| message["type"].as_str()).collect::<Vec<_>>().join(" ")
    }

    /// The types of the replies, and whether the session has ended.
    fn reply(session: &mut Session, text: &str) -> (String, bool) {
        (types(&session.on_text(text)), session.has_ended)
    }

    #[test]
    fn a_dictation_from_config_to_end() {
        let mut session = Session::new(Kind::Transcribe);
        let accepted = session.on_text(TRANSCRIBE);
        assert_eq!(types(&accepted), "CONFIG_ACCEPTED");
        assert!(accepted[0]["sessionId"].is_string());
        let again = session.on_text(TRANSCRIBE);
        assert_eq!(types(&again), "CONFIG_ALREADY_RECEIVED");
        assert_eq!(again[0]["sessionId"], accepted[0]["sessionId"]);
        assert!(session.on_audio(64_000).is_empty());
        let flushed = session.on_text(r#"{"type":"flush"}"#);
        assert_eq!(types(&flushed), "transcript flushed");
        assert_eq!(flushed[0]["data"]["end"], 2.0);
        for text in ["{", "[]"] {
            assert_eq!(reply(&mut session, text), ("error".into(), false));
        }
        let ended = session.on_text(r#"{"type":"end"}"#);
        assert_eq!((types(&ended), session.has_ended), ("usage ended".into(), true));
        assert_eq!(ended[0]["credits"], 0.02);
    }

    #[test]
    fn streams_answers_in_its_own_shapes() {
        let mut silent = Session::new(Kind::Streams(Uuid::nil()));
        assert_eq!(types(&silent.on_config_timeout()), "CONFIG_NOT_PROVIDED");
        assert!(silent.has_ended);
        let mut session = Session::new(Kind::Streams(Uuid::nil()));
        let config = r#"{"type":"config","configuration":{"mode":{"type":"transcription"},"transcription":
            {"primaryLanguage":"en","participants":[{"channel":3,"role":"multiple"}]}}}"#;
        let accepted = session.on_text(config);
        assert_eq!((types(&accepted), accepted[0].get("sessionId")), ("CONFIG_ACCEPTED".into(), None));
        session.on_audio(1);
        let ended = session.on_text(r#"{"type":"end"}"#);
        assert_eq!((types(&ended), session.has_ended), ("transcript usage ENDED".into(), true));
        assert_eq!(ended[0]["data"][0]["participant"]["channel"], 3);
    }

    #[test]
    fn a_transcript_comes_every_three_seconds() {
        let mut session = Session::new(Kind::Transcribe);
        session.on_text(TRANSCRIBE);
        // A quarter of a second each.
        let heard: Vec<Vec<Value>> = std::iter::repeat_with(|| session.on_audio(8_000)).take(24).collect();
        let told = |reply: &[Value]| (reply[0]["data"]["start"].clone(), types(reply));
        let spoken: Vec<usize> = (0..24).filter(|at| !heard[*at].is_empty()).collect();
        assert_eq!(spoken, [11, 23]);
        assert_eq!(told(&heard[11]), (json!(0.0), "transcript".into()));
        assert_eq!(told(&heard[23]), (json!(3.0), "transcript".into()));
        assert_eq!(types(&session.on_text(r#"{"type":"flush"}"#)), "flushed");
    }

    #[test]
    fn the_configuration_comes_first_and_once() {
        let new = || Session::new(Kind::Transcribe);
        let (mut silent, mut hasty) = (new(), new());
        assert_eq!(types(&silent.on_config_timeout()), "CONFIG_TIMEOUT");
        assert_eq!(types(&hasty.on_audio(1)), "CONFIG_MISSING");
        assert!(silent.has_ended && hasty.has_ended);
        for text in [r#"{"type":"flush"}"#, r#"{"type":"end"}"#, "{}", "1", "no JSON", ""] {
            assert_eq!(reply(&mut new(), text), ("CONFIG_MISSING".into(), true), "{text}");
        }
        let mut session = new();
        let denied = session.on_text(r#"{"type":"config"}"#);
        assert_eq!((types(&denied), session.has_ended), ("CONFIG_DENIED".into(), true));
        assert!(denied[0]["sessionId"].is_string());
        assert_eq!(denied[0]["reason"], "configuration: must be an object");
    }
}

//! Shows the messages of the server as they arrive, and keeps what the result needs.

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::domain::corti::message::ServerMessage;
use crate::domain::text::event::{Event, Sink};
use crate::domain::text::page::{Page, Tone};
use crate::output::with_schema;

use super::milliseconds;

/// The messages so far.
pub(super) struct Messages<'a> {
    sink: &'a dyn Sink,
    began: Instant,
    pub(super) transcripts: usize,
    pub(super) credits: Option<f64>,
    /// The last error that the server reported.
    pub(super) error: Option<String>,
}

impl<'a> Messages<'a> {
    pub(super) fn new(sink: &'a dyn Sink) -> Self {
        Self { sink, began: Instant::now(), transcripts: 0, credits: None, error: None }
    }

    /// Shows and parses a message. `None` if it is not one of Corti's.
    pub(super) fn show(&mut self, text: &str) -> Option<ServerMessage> {
        let raw = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        let message = ServerMessage::of(&raw);
        let mut line = with_schema("probe-message", json!({ "at_ms": milliseconds(self.began.elapsed()) }));
        // Moved, not cloned: parsed JSON can take 100 times the memory of its text.
        line["message"] = raw;
        let step = Page::new();
        self.sink.event(match &message {
            Some(ServerMessage::Transcripts(said)) if said.iter().any(|one| one.is_final) => {
                let said = said.iter().filter(|one| one.is_final);
                self.transcripts += said.clone().count();
                Event::Datum(said.fold(Page::new(), |page, one| page.line(&one.text)), line)
            }
            Some(ServerMessage::Facts(facts)) if !facts.is_empty() => {
                let facts = facts.iter().map(|fact| format!("fact: {fact}"));
                Event::Datum(facts.fold(Page::new(), Page::line), line)
            }
            Some(ServerMessage::Usage(credits)) => {
                self.credits = *credits;
                Event::Step(step, line)
            }
            Some(ServerMessage::Failed(reason)) => {
                self.error = Some(reason.clone());
                Event::Step(step.toned(Tone::Bad, format!("received an error: {reason}")), line)
            }
            Some(ServerMessage::Other(kind)) => {
                Event::Step(step.toned(Tone::Dim, format!("received {kind}")), line)
            }
            Some(_) => Event::Step(step, line),
            None => {
                let text = "received an unknown message: --json shows it";
                Event::Step(step.toned(Tone::Caution, text), line)
            }
        });
        message
    }
}

//! The events of a running command, as values. `output.rs` decides which are shown, and how.

use std::time::Duration;

use crate::domain::client::secret::Secret;

use super::page::Page;
use super::redactor::Redactor;

/// Something that happens while a command runs.
#[derive(Clone, Debug)]
pub enum Event {
    /// Progress. Silent under `--quiet`.
    Note(String),
    /// The name of another program, and its output. It may be a question, so it is always shown.
    Said(String, String),
    /// A warning, and a command that may help.
    Warning(String, Option<String>),
    /// A step of `demo`, for people only. Silent with `--json`.
    Story(Page),
    /// What the following question is about.
    Preview(Page),
    /// A part of the output that is ready before the command ends: as text, and as a JSON object.
    Datum(Page, serde_json::Value),
    /// Lines on stdout that a CI system must read before the command goes on: its masks.
    Commands(Secret),
    /// A step of a command, beside its output: silent under `--quiet`, and one more object with `--json`. A page without
    /// lines is for programs only.
    Step(Page, serde_json::Value),
    /// Output of a command that writes a line for every line it reads: whole lines of JSON or printable text, the last
    /// without its line break.
    Lines(String),
    /// What the command waits for, and how often this event was sent before.
    Waiting(String, usize),
    /// The wait is over.
    Waited,
    /// A request was answered. Shown with `--verbose`, without query, headers and body.
    Exchange {
        /// `GET`, `POST`.
        method: &'static str,
        /// Scheme, host and path.
        url: String,
        /// The HTTP status, or what went wrong.
        result: String,
        /// How long it took.
        elapsed: Duration,
    },
}

/// Receives events.
pub trait Sink {
    /// Receives one event.
    fn event(&self, event: Event);

    /// Cuts secrets out of all that is shown. Code that sends a secret, or receives one, adds it.
    fn redactor(&self) -> &Redactor;

    /// Whether stdout is still read. `| head` closes it, and then a long command may stop.
    fn is_read(&self) -> bool {
        true
    }
}

/// Passes on only the events that `passes` accepts.
pub struct Filter<'a> {
    /// Receives them.
    pub sink: &'a dyn Sink,
    /// Whether an event is passed on.
    pub passes: fn(&Event) -> bool,
}

impl Sink for Filter<'_> {
    fn event(&self, event: Event) {
        if (self.passes)(&event) {
            self.sink.event(event);
        }
    }

    fn redactor(&self) -> &Redactor {
        self.sink.redactor()
    }
}

//! What happens while a command runs, as values. `output.rs` decides what of it is shown, and how.

use std::time::Duration;

use crate::domain::client::secret::Secret;

use super::page::Page;
use super::redactor::Redactor;

/// Something that a person may want to know before the command is done.
#[derive(Clone, Debug)]
pub enum Event {
    /// Progress. Silent under `--quiet`.
    Note(String),
    /// What another program says, and which: it may be a question, so it is never silent.
    Said(String, String),
    /// Something to look at, and a command that may help.
    Warning(String, Option<String>),
    /// A step of a command that shows what it does, for people only. With `--json` it is silent.
    Story(Page),
    /// What a person is about to be asked to agree to.
    Preview(Page),
    /// A datum that is ready before the command ends: as text, and as a JSON object.
    Datum(Page, serde_json::Value),
    /// Lines on stdout that another program must have read before the command goes on: a CI system's masks.
    Commands(Secret),
    /// A step of a command whose data are something else: for a person beside the data, silent under `--quiet`; with
    /// `--json` one more object. A page without lines is for programs only.
    Step(Page, serde_json::Value),
    /// Data of a command that makes a line of each thing that it reads: whole lines of JSON, or of printable text, as
    /// many as are ready, the last without its line break.
    Lines(String),
    /// Something outside has not answered yet: what it is, and how many times this was said.
    Waiting(&'static str, usize),
    /// It has.
    Waited,
    /// A request was answered. Shown with `--verbose`; it has no query, no header and no body.
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

/// Where events go.
pub trait Sink {
    /// Takes one event.
    fn event(&self, event: Event);

    /// Takes secrets out of all that is shown. Whoever sends a secret to a server, or gets one, adds it.
    fn redactor(&self) -> &Redactor;

    /// Whether data still reach anybody: `| head` has enough at some point, and a command that goes on may stop then.
    fn is_read(&self) -> bool {
        true
    }
}

//! The outcome of a command that makes its JSON object and its text in one place.

use serde_json::Value;

use crate::failure::Failure;
use crate::output::{Outcome, Text};

/// What a command did or found out.
pub(crate) struct Done {
    /// The command's name in the JSON schema.
    pub(crate) command: &'static str,
    pub(crate) json: Value,
    pub(crate) text: Text,
    /// Reported after the outcome.
    pub(crate) failure: Option<Failure>,
}

impl Done {
    pub(crate) fn new(command: &'static str, json: Value, text: Text) -> Self {
        Self { command, json, text, failure: None }
    }
}

impl Outcome for Done {
    fn command(&self) -> &'static str {
        self.command
    }

    fn json(&self) -> Value {
        self.json.clone()
    }

    fn text(&self) -> Text {
        self.text.clone()
    }

    fn verdict(&mut self) -> Option<Failure> {
        self.failure.take()
    }
}

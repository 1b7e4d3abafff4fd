//! The result of a command as one value: what is printed, and how the process ends.

use serde_json::Value;

use crate::domain::client::secret::Secret;
use crate::failure::Failure;
use crate::output::{self, Text};

/// The result of a command.
pub(crate) struct Outcome {
    /// The command's name in the JSON schema: `corti-auth/{command}/v1`.
    pub(crate) command: &'static str,
    /// The JSON object, without the schema and the secret.
    pub(crate) json: Value,
    /// The member of the JSON object that holds a secret to print.
    pub(crate) secret: Option<(&'static str, Secret)>,
    /// The result as text.
    pub(crate) text: Text,
    /// A failure to report after the result, such as an expired token.
    pub(crate) failure: Option<Failure>,
    /// The command that undoes what was made, in case the result cannot be printed.
    pub(crate) undo: Option<String>,
    /// The exit code of the program that `exec` ran.
    pub(crate) program_code: u8,
}

impl Outcome {
    pub(crate) fn new(command: &'static str, json: Value, text: Text) -> Self {
        Self { command, json, secret: None, text, failure: None, undo: None, program_code: 0 }
    }

    /// Prints nothing: events have said it all.
    pub(crate) fn silent() -> Self {
        Self::new("", Value::Null, Text::Nothing)
    }
}

impl output::Outcome for Outcome {
    fn command(&self) -> &'static str {
        self.command
    }

    fn json(&self) -> Value {
        self.json.clone()
    }

    fn secrets(&self) -> Vec<(&'static str, Secret)> {
        self.secret.iter().cloned().collect()
    }

    fn text(&self) -> Text {
        self.text.clone()
    }

    fn verdict(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    fn undo(&self) -> Option<String> {
        self.undo.clone()
    }

    fn program_code(&self) -> u8 {
        self.program_code
    }
}

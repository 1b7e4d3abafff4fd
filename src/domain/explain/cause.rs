//! A cause of a failure, with the evidence for it.

use serde::Serialize;

use super::evidence::Evidence;

/// How strong the evidence for a cause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Only the status fits.
    Low,
    /// The token or the request shows it.
    Medium,
    /// The server says so.
    High,
}

/// A cause that the evidence allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Its name, which does not change between versions.
    pub id: &'static str,
    /// The cause in words.
    pub cause: &'static str,
    /// The evidence, without a status that fits. May hold the server's words: escape them before they are shown.
    pub evidence: Vec<String>,
    /// What to do: each line is one short sentence, or a command behind what it is for. Empty where nothing failed.
    pub remedy: Vec<String>,
    /// How strong the evidence is in sum; 0 without evidence.
    pub(super) weight: u8,
}

/// A cause without evidence yet.
pub(super) fn cause(id: &'static str, cause: &'static str) -> Cause {
    Cause { id, cause, evidence: Vec::new(), remedy: Vec::new(), weight: 0 }
}

impl Cause {
    /// How strong the evidence is.
    pub fn confidence(&self) -> Confidence {
        match self.weight {
            0 | 1 => Confidence::Low,
            2 => Confidence::Medium,
            _ => Confidence::High,
        }
    }

    /// Counts the server's words as evidence, if they name the cause.
    pub(super) fn if_server_says(self, it: &Evidence, is_said: bool) -> Self {
        let words = it.words.as_ref().filter(|_| is_said);
        self.if_answer_proves(words.map(|words| format!("the server says: {words}")))
    }

    /// Adds a reason that the kind of the answer proves, if there is one.
    pub(super) fn if_answer_proves(self, reason: Option<impl Into<String>>) -> Self {
        self.weighed(3, reason)
    }

    /// Adds a reason that the token, the request or a clock shows, if there is one.
    pub(super) fn if_request_shows(self, reason: Option<impl Into<String>>) -> Self {
        self.weighed(2, reason)
    }

    /// Counts a status that fits.
    pub(super) fn if_status_matches(mut self, is_matching: bool) -> Self {
        self.weight += u8::from(is_matching);
        self
    }

    /// Adds a reason, if there is one.
    pub(super) fn weighed(mut self, weight: u8, reason: Option<impl Into<String>>) -> Self {
        self.weight += if reason.is_some() { weight } else { 0 };
        self.evidence.extend(reason.map(Into::into));
        self
    }

    /// Adds a line that says what to do.
    pub(super) fn remedy(mut self, line: impl Into<String>) -> Self {
        self.remedy.push(line.into());
        self
    }

    /// Adds lines that say what to do.
    pub(super) fn remedies(self, lines: &[&str]) -> Self {
        lines.iter().fold(self, |cause, line| cause.remedy(*line))
    }
}

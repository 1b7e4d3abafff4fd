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
    /// How strong the evidence is.
    pub confidence: Confidence,
    /// The evidence, without a status that fits. May hold the server's words: escape them before they are shown.
    pub evidence: Vec<String>,
    /// What to do. It ends with a command, if one helps.
    pub remedy: String,
    /// 0 without evidence.
    pub(super) weight: u8,
}

/// A cause without evidence yet.
pub(super) fn cause(id: &'static str, cause: &'static str) -> Cause {
    let (confidence, evidence) = (Confidence::Low, Vec::new());
    Cause { id, cause, confidence, evidence, remedy: String::new(), weight: 0 }
}

impl Cause {
    /// The server's words name the cause, if `is_said`.
    pub(super) fn said(self, it: &Evidence, is_said: bool) -> Self {
        let words = it.words.as_ref().filter(|_| is_said);
        self.proved(words.map(|words| format!("the server says: {words}")))
    }

    /// The kind of the answer proves it.
    pub(super) fn proved(self, reason: Option<impl Into<String>>) -> Self {
        self.weighed(3, reason)
    }

    /// The token, the request or a clock shows it.
    pub(super) fn shown(self, reason: Option<impl Into<String>>) -> Self {
        self.weighed(2, reason)
    }

    /// Only the status fits.
    pub(super) fn fits(mut self, is_fitting: bool) -> Self {
        self.weight += u8::from(is_fitting);
        self
    }

    /// Adds a reason, if there is one.
    pub(super) fn weighed(mut self, weight: u8, reason: Option<impl Into<String>>) -> Self {
        self.weight += if reason.is_some() { weight } else { 0 };
        self.evidence.extend(reason.map(Into::into));
        self
    }

    /// Says what to do. This comes last.
    pub(super) fn remedy(mut self, text: impl Into<String>) -> Self {
        self.remedy = text.into();
        self.confidence = match self.weight {
            0 | 1 => Confidence::Low,
            2 => Confidence::Medium,
            _ => Confidence::High,
        };
        self
    }
}

//! A cause of a failure, and the weighing of what speaks for it.

use super::evidence::Evidence;

/// How much speaks for a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Only the status fits.
    Low,
    /// The token or the request shows it.
    Medium,
    /// The server says so.
    High,
}

impl Confidence {
    /// `low`, `medium` or `high`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A cause that the evidence allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Its name, which does not change between versions.
    pub id: &'static str,
    /// The cause in words.
    pub cause: &'static str,
    /// How much speaks for it.
    pub confidence: Confidence,
    /// What speaks for it, apart from a status that fits. May hold the server's words: escape them before they are shown.
    pub evidence: Vec<String>,
    /// What to do; it ends with a command, where one helps.
    pub remedy: String,
}

/// A cause that is being weighed.
pub(super) struct Candidate<'a> {
    evidence: &'a Evidence,
    cause: Cause,
    pub(super) weight: u8,
}

impl<'a> Candidate<'a> {
    /// A cause that nothing speaks for yet.
    pub(super) fn new(evidence: &'a Evidence, id: &'static str, cause: &'static str) -> Self {
        let (confidence, reasons) = (Confidence::Low, Vec::new());
        let cause = Cause { id, cause, confidence, evidence: reasons, remedy: String::new() };
        Self { evidence, cause, weight: 0 }
    }

    /// The server's words say so, if `is_said`.
    pub(super) fn said(self, is_said: bool) -> Self {
        let words = self.evidence.words().filter(|_| is_said);
        let reason = words.map(|words| format!("the server says: {words}"));
        self.proved(reason)
    }

    /// The kind of the answer proves it.
    pub(super) fn proved(self, reason: Option<impl Into<String>>) -> Self {
        self.add(3, reason)
    }

    /// The token, the request or a clock shows it.
    pub(super) fn shown(self, reason: Option<impl Into<String>>) -> Self {
        self.add(2, reason)
    }

    /// Only the words of a server fit, which says no more than that it refuses.
    pub(super) fn hinted(self, reason: Option<impl Into<String>>) -> Self {
        self.add(1, reason)
    }

    /// Only the status fits.
    pub(super) fn fits(mut self, is_fitting: bool) -> Self {
        self.weight += u8::from(is_fitting);
        self
    }

    pub(super) fn remedy(mut self, text: impl Into<String>) -> Self {
        self.cause.remedy = text.into();
        self
    }

    fn add(mut self, weight: u8, reason: Option<impl Into<String>>) -> Self {
        if let Some(reason) = reason {
            self.weight += weight;
            self.cause.evidence.push(reason.into());
        }
        self
    }

    pub(super) fn into_cause(self) -> Cause {
        let confidence = match self.weight {
            0 | 1 => Confidence::Low,
            2 => Confidence::Medium,
            _ => Confidence::High,
        };
        Cause { confidence, ..self.cause }
    }
}

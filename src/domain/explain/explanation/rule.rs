//! The table of causes: what speaks for each, and what to do about it. One file for each place that refuses.

use super::Evidence;

mod answer;
mod bearer;
mod detour;
mod grant;
mod place;
mod socket;

/// What Keycloak says of a path under a realm that is none of its own, in lower case (measured: 405 for a misspelt /token).
const NO_PATH: [&str; 3] = ["404 not found", "405 method not allowed", "protocol not found"];

/// A cause that a failure may have.
pub(super) struct Rule {
    pub(super) id: &'static str,
    pub(super) cause: &'static str,
    pub(super) signs: fn(&Evidence) -> Signs,
    pub(super) remedy: fn(&Evidence) -> String,
}

/// All of them; of those that weigh the same the earlier is named first.
pub(super) fn all() -> impl Iterator<Item = &'static Rule> {
    let tables: [&'static [Rule]; 6] =
        [&grant::RULES, &bearer::RULES, &place::RULES, &detour::RULES, &answer::RULES, &socket::RULES];
    tables.into_iter().flatten()
}

/// What speaks for a cause, and how much it weighs together.
#[derive(Debug, Default)]
pub(super) struct Signs {
    pub(super) weight: u8,
    pub(super) evidence: Vec<String>,
}

impl Signs {
    fn none() -> Self {
        Self::default()
    }

    fn add(mut self, weight: u8, text: Option<String>) -> Self {
        if let Some(text) = text {
            self.weight = self.weight.saturating_add(weight);
            self.evidence.push(text);
        }
        self
    }

    /// The server says so itself.
    fn said(self, words: Option<String>) -> Self {
        self.add(3, words.map(|words| format!("the server says: {words}")))
    }

    /// The form of the answer says so.
    fn certain(self, text: Option<String>) -> Self {
        self.add(3, text)
    }

    /// The token, the request or a clock shows it.
    fn shown(self, text: Option<String>) -> Self {
        self.add(2, text)
    }

    /// It fits, and so do others.
    fn fits(self, text: Option<String>) -> Self {
        self.add(1, text)
    }
}

/// That a status alone speaks for something.
fn fitting(evidence: &Evidence, statuses: &[u16]) -> Option<String> {
    let status = evidence.status.filter(|_| evidence.is_bare(statuses))?;
    Some(format!("{status} fits"))
}

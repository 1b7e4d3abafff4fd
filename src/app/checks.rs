//! Collects the checks of `doctor` and `probe`, and shows each one as it finishes.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::domain::explain::diagnosis::Verdict;
use crate::domain::text::event::{Event, Sink};
use crate::domain::text::excerpt::at_most;
use crate::domain::text::page::Page;
use crate::failure::{Failure, Kind};

/// The width of the longest check's name.
const NAME_WIDTH: usize = 13;

/// How much of a detail is kept: it may be a server's text.
const MAX_DETAIL: usize = 1000;

/// One check and its result.
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) detail: String,
    /// What to run next, one per line.
    pub(crate) hint: Option<String>,
    pub(crate) elapsed: Duration,
    /// More members for the JSON of `probe`.
    pub(crate) more: Value,
}

impl Check {
    /// The check without its hints, aligned with its neighbours.
    pub(crate) fn page(&self, fact: &str) -> Page {
        self.page_of(format!("{:NAME_WIDTH$}", self.name), fact)
    }

    /// The same with the time that it took.
    pub(crate) fn timed_page(&self, fact: &str) -> Page {
        let time = match self.verdict {
            Verdict::Skipped => String::new(),
            _ => format!("{} ms", self.elapsed.as_millis()),
        };
        self.page_of(format!("{:NAME_WIDTH$} {time:>8}", self.name), fact)
    }

    fn page_of(&self, name: String, fact: &str) -> Page {
        Page::new().check(self.verdict.tone(), self.verdict.mark(), name, fact)
    }
}

/// The checks so far.
pub(crate) struct Checks<'a> {
    sink: &'a dyn Sink,
    show: fn(&Check) -> Event,
    started: Instant,
    pub(crate) list: Vec<Check>,
    pub(crate) first_failure: Option<Kind>,
    /// Output of other programs. It is shown, but left out of a report.
    pub(crate) foreign_words: Vec<String>,
}

impl<'a> Checks<'a> {
    /// `show` makes the event of a finished check.
    pub(crate) fn new(sink: &'a dyn Sink, show: fn(&Check) -> Event) -> Self {
        Self {
            sink,
            show,
            started: Instant::now(),
            list: Vec::new(),
            first_failure: None,
            foreign_words: Vec::new(),
        }
    }

    /// Starts to time the next check. Otherwise its time begins when the previous check finished.
    pub(crate) fn begin(&mut self) {
        self.started = Instant::now();
    }

    pub(crate) fn ok(&mut self, name: &'static str, detail: impl Into<String>) {
        self.add(name, Verdict::Ok, detail, None, json!({}));
    }

    pub(crate) fn warn(&mut self, name: &'static str, detail: impl Into<String>, hint: Option<String>) {
        self.add(name, Verdict::Warning, detail, hint, json!({}));
    }

    pub(crate) fn skip(&mut self, name: &'static str, reason: impl Into<String>) {
        self.add(name, Verdict::Skipped, reason, None, json!({}));
    }

    /// Skips several checks for one reason, and shows them in one row.
    pub(crate) fn skip_together(&mut self, shown: &'static str, names: &[&'static str], reason: &str) {
        let skipped = |name| Check {
            name,
            verdict: Verdict::Skipped,
            detail: reason.to_owned(),
            hint: None,
            elapsed: Duration::ZERO,
            more: json!({}),
        };
        self.sink.event((self.show)(&skipped(shown)));
        self.list.extend(names.iter().copied().map(skipped));
        self.begin();
    }

    /// Records a failure and returns it.
    pub(crate) fn fail(&mut self, name: &'static str, failure: Failure) -> Failure {
        let hint = (!failure.hints.is_empty()).then(|| failure.hints.join("\n"));
        self.first_failure.get_or_insert(failure.kind);
        self.foreign_words.extend(failure.command_stderr().map(str::to_owned));
        self.add(name, Verdict::Failed, failure.in_one_line(), hint, json!({}));
        failure
    }

    pub(crate) fn add(
        &mut self,
        name: &'static str,
        verdict: Verdict,
        detail: impl Into<String>,
        hint: Option<String>,
        more: Value,
    ) {
        let detail = at_most(MAX_DETAIL, &detail.into()).into_owned();
        let check = Check { name, verdict, detail, hint, elapsed: self.started.elapsed(), more };
        self.sink.event((self.show)(&check));
        self.list.push(check);
        self.begin();
    }
}

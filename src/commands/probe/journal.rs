//! What happens during a probe, told as it happens: steps with their times, and the server's messages.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::app::context::Context;
use crate::domain::corti::message::ServerMessage;
use crate::domain::corti::request::Response;
use crate::domain::explain::diagnosis::{Check, Verdict};
use crate::domain::text::event::{Event, Sink};
use crate::domain::text::excerpt::at_most;
use crate::domain::text::page::{Page, Tone};
use crate::failure::Failure;
use crate::output::with_schema;

use super::Summary;

/// How much of a refusal's body is shown.
const MAX_BODY: usize = 2000;

/// The steps so far.
pub(super) struct Journal<'a> {
    sink: &'a dyn Sink,
    began: Instant,
    summary: Summary,
}

/// A step under way.
pub(super) struct Step {
    name: &'static str,
    began: Instant,
}

impl Step {
    pub(super) fn begin(name: &'static str) -> Self {
        Self { name, began: Instant::now() }
    }
}

impl<'a> Journal<'a> {
    pub(super) fn new(context: &Context<'a>) -> Self {
        let summary = Summary { steps: Vec::new(), transcripts: 0, credits: None, complaint: None };
        Self { sink: context.sink, began: Instant::now(), summary }
    }

    pub(super) fn into_summary(self) -> Summary {
        self.summary
    }

    pub(super) fn done(&mut self, step: &Step, detail: impl Into<String>) {
        self.add(step, Verdict::Ok, &detail.into(), &json!({}), Page::new());
    }

    pub(super) fn doubtful(&mut self, step: &Step, detail: impl Into<String>) {
        self.add(step, Verdict::Warning, &detail.into(), &json!({}), Page::new());
    }

    pub(super) fn skipped(&mut self, name: &'static str, reason: impl Into<String>) {
        let step = Step::begin(name);
        self.add(&step, Verdict::Skipped, &reason.into(), &json!({}), Page::new());
    }

    /// Takes the failure down and gives it back.
    pub(super) fn failed(&mut self, step: &Step, failure: Failure) -> Failure {
        let detail = failure.in_one_line();
        self.add(step, Verdict::Failed, &detail, &json!({}), Page::new());
        failure
    }

    /// The answer to the upgrade: its headers are for programs where all is well, and for everybody where it is not.
    pub(super) fn answered(&mut self, step: &Step, response: &Response) {
        let headers: Vec<(String, String)> =
            response.headers.iter().map(|(name, value)| (name.clone(), header(name, value))).collect();
        let body = String::from_utf8_lossy(&response.body);
        let body = at_most(MAX_BODY, &body);
        let more = json!({ "http_status": response.status, "headers": headers, "body": body });
        if response.status == 101 {
            self.add(step, Verdict::Ok, "101, the WebSocket is open", &more, Page::new());
            return;
        }
        let page = headers
            .iter()
            .fold(Page::new(), |page, (name, value)| page.field("", format!("{name}: {value}")));
        let page = page.optional("", Some(format!("body: {body}")).filter(|_| !body.is_empty()));
        self.add(step, Verdict::Failed, &format!("refused with {}", response.status), &more, page);
    }

    /// Takes a message of the server's down, and says what it means.
    pub(super) fn message(&mut self, text: &str) -> Option<ServerMessage> {
        let raw = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        let message = ServerMessage::of(&raw);
        let mut line = with_schema("probe-message", json!({ "at_ms": milliseconds(self.began.elapsed()) }));
        // Moved, not cloned: parsed JSON can take 100 times the memory of its text.
        line["message"] = raw;
        let datum = message.as_ref().map(datum).unwrap_or_default();
        if datum.lines().is_empty() {
            self.step_event(message.as_ref().map_or_else(unknown, remark), line);
        } else {
            self.sink.event(Event::Datum(datum, line));
        }
        let summary = &mut self.summary;
        match &message {
            Some(ServerMessage::Transcripts(said)) => {
                summary.transcripts += said.iter().filter(|one| one.is_final).count();
            }
            Some(ServerMessage::Usage(credits)) => summary.credits = *credits,
            Some(ServerMessage::Failed(reason)) => summary.complaint = Some(reason.clone()),
            _ => {}
        }
        message
    }

    pub(super) fn credits(&self) -> Option<f64> {
        self.summary.credits
    }

    pub(super) fn complaint(&self) -> Option<&str> {
        self.summary.complaint.as_deref()
    }

    fn add(&mut self, step: &Step, verdict: Verdict, detail: &str, more: &Value, rest: Page) {
        let elapsed = step.began.elapsed();
        let mut line = json!({
            "step": step.name,
            "verdict": verdict.as_str(),
            "ms": (verdict != Verdict::Skipped).then(|| milliseconds(elapsed)),
            "detail": detail,
        });
        if let (Some(line), Some(more)) = (line.as_object_mut(), more.as_object()) {
            line.extend(more.clone());
        }
        self.summary.steps.push(line.clone());
        let timed = match verdict {
            Verdict::Skipped => detail.to_owned(),
            _ => format!("{detail} ({} ms)", elapsed.as_millis()),
        };
        let check = Check { name: step.name, verdict, detail: timed, hint: None };
        self.step_event(check.page().join(rest), with_schema("probe-step", line));
    }

    fn step_event(&self, page: Page, line: Value) {
        self.sink.event(Event::Step(page, line));
    }
}

fn header(name: &str, value: &str) -> String {
    // A load balancer's cookie is as good as a ticket.
    if name == "set-cookie" { "[redacted]".to_owned() } else { value.to_owned() }
}

/// What was said, for stdout.
fn datum(message: &ServerMessage) -> Page {
    match message {
        ServerMessage::Transcripts(said) => {
            said.iter().filter(|one| one.is_final).fold(Page::new(), |page, one| page.line(&one.text))
        }
        ServerMessage::Facts(facts) => {
            facts.iter().fold(Page::new(), |page, fact| page.line(format!("fact: {fact}")))
        }
        _ => Page::new(),
    }
}

/// What is worth a line beside it. The steps tell of the rest.
fn remark(message: &ServerMessage) -> Page {
    match message {
        ServerMessage::Failed(reason) => Page::new().toned(Tone::Bad, format!("received an error: {reason}")),
        ServerMessage::Other(kind) => Page::new().toned(Tone::Dim, format!("received {kind}")),
        _ => Page::new(),
    }
}

fn unknown() -> Page {
    Page::new().toned(Tone::Caution, "received a message that is none of Corti's: --json shows it")
}

/// To a tenth.
fn milliseconds(elapsed: Duration) -> f64 {
    let tenths = u32::try_from(elapsed.as_micros() / 100).unwrap_or(u32::MAX);
    f64::from(tenths) / 10.0
}

//! `doctor`: looks at everything between a secret and a token, one thing after the other, and says what to do about
//! each that is wrong.
//!
//! It changes nothing that outlives it, and sends the secret nowhere but to a realm that proved to be the right one.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::app::context::Context;
use crate::app::interrupt::interruption;
use crate::app::tokens::Tokens;
use crate::domain::client::environment::Environment;
use crate::domain::client::identity::{ClientId, Tenant};
use crate::domain::explain::diagnosis::{Check, Verdict};
use crate::domain::text::event::{Event, Sink};
use crate::domain::text::excerpt::at_most;
use crate::domain::text::page::Page;
use crate::domain::text::redactor::Redactor;
use crate::edge::process;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

mod canary;
mod credential;
mod network;
mod report;
mod setting;

/// How much of a detail is kept, which may be a server's.
const MAX_DETAIL: usize = 1000;

/// Looks at the configuration, the variables, the store (an entry of its own is written, read and removed), the network to
/// each host of the environment, the realm, the clock, and whether a token and its tenant are taken. Exit code 0 only when
/// nothing failed, else that of the first check that did.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth doctor
  corti-auth doctor --profile hospital-a --json
  corti-auth doctor --environment eu              the network alone, before a login
  corti-auth doctor --report report.txt           for a support ticket: no secret is in it")]
pub(super) struct DoctorArgs {
    /// Write what was found, without secrets, to this file too
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// What was found.
pub(super) struct DoctorOutcome {
    subject: Subject,
    checks: Vec<Check>,
    first_failure: Option<Kind>,
    report: Option<PathBuf>,
}

/// What is examined, as far as it is known.
#[derive(Default)]
struct Subject {
    place: Option<(Environment, Tenant)>,
    client_id: Option<ClientId>,
    /// Where the secret is, in words.
    secret_place: Option<String>,
}

/// # Errors
/// Where an option is malformed, or the report cannot be written.
pub(super) async fn run(args: &DoctorArgs, context: &Context<'_>) -> Result<DoctorOutcome, Failure> {
    // What the context would warn of has a line of its own here.
    let unwarned = Unwarned(context.sink);
    let context = &Context::new(context.host, context.options, &unwarned)?;
    context.flags()?;
    if let Some(path) = &args.report {
        report::refuse_odd(path)?;
    }
    let mut findings = Findings::new(context.sink);
    let setting = setting::examine(context, &mut findings);
    let mut stop = std::pin::pin!(process::asked_to_stop());
    let store_works = canary::examine(context, &setting, stop.as_mut(), &mut findings).await?;
    let tokens = Tokens::new(context);
    let rest = async {
        let network = network::examine(context, &tokens.http, setting.place.as_ref(), &mut findings).await;
        credential::examine(&tokens, &setting, store_works, &network, &mut findings).await;
    };
    tokio::select! {
        () = rest => {}
        () = stop => return Err(interruption()),
    }
    let subject = Subject {
        client_id: setting.plan.as_ref().map(|plan| plan.client.id.clone()),
        secret_place: setting.plan.as_ref().map(|plan| setting::secret_place(context, plan)),
        place: setting.place,
    };
    let Findings { checks, first_failure, foreign_words, .. } = findings;
    if let Some(path) = &args.report {
        report::write(path, context, &subject, &checks, &foreign_words)?;
    }
    Ok(DoctorOutcome { subject, checks, first_failure, report: args.report.clone() })
}

/// Lets everything pass but warnings.
struct Unwarned<'a>(&'a dyn Sink);

impl Sink for Unwarned<'_> {
    fn event(&self, event: Event) {
        if !matches!(event, Event::Warning(..)) {
            self.0.event(event);
        }
    }

    fn redactor(&self) -> &Redactor {
        self.0.redactor()
    }
}

/// The checks so far. Each is shown as it comes.
struct Findings<'a> {
    sink: &'a dyn Sink,
    checks: Vec<Check>,
    first_failure: Option<Kind>,
    /// What other programs said: shown here, and left out of a report.
    foreign_words: Vec<String>,
}

impl<'a> Findings<'a> {
    fn new(sink: &'a dyn Sink) -> Self {
        Self { sink, checks: Vec::new(), first_failure: None, foreign_words: Vec::new() }
    }

    fn ok(&mut self, name: &'static str, detail: impl Into<String>) {
        self.add(Check { name, verdict: Verdict::Ok, detail: detail.into(), hint: None });
    }

    fn warn(&mut self, name: &'static str, detail: impl Into<String>, hint: impl Into<String>) {
        let (detail, hint) = (detail.into(), Some(hint.into()));
        self.add(Check { name, verdict: Verdict::Warning, detail, hint });
    }

    fn skip(&mut self, name: &'static str, reason: impl Into<String>) {
        self.add(Check { name, verdict: Verdict::Skipped, detail: reason.into(), hint: None });
    }

    /// `subject` stands before the failure's words, where it is not empty.
    fn fail(&mut self, name: &'static str, subject: &str, failure: &Failure) {
        let lead = Some(subject.to_owned()).filter(|subject| !subject.is_empty());
        let detail = lead.into_iter().chain(failure.causes()).collect::<Vec<_>>().join(": ");
        let hint = (!failure.hints().is_empty()).then(|| failure.hints().join("\n"));
        self.first_failure.get_or_insert(failure.kind());
        self.foreign_words.extend(failure.foreign_words().map(str::to_owned));
        self.add(Check { name, verdict: Verdict::Failed, detail, hint });
    }

    fn add(&mut self, mut check: Check) {
        check.detail = at_most(MAX_DETAIL, &check.detail).into_owned();
        self.sink.event(Event::Story(check.page()));
        self.checks.push(check);
    }

    /// Whether a check of this name failed.
    fn failed(&self, name: &str) -> bool {
        self.checks.iter().any(|check| check.name == name && check.verdict == Verdict::Failed)
    }
}

impl DoctorOutcome {
    fn count(&self, verdict: Verdict) -> usize {
        self.checks.iter().filter(|check| check.verdict == verdict).count()
    }

    fn summary(&self) -> String {
        let all = [Verdict::Ok, Verdict::Warning, Verdict::Failed, Verdict::Skipped];
        let counts = all.into_iter().map(|verdict| (self.count(verdict), verdict.as_str()));
        let words = counts.filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
        words.collect::<Vec<_>>().join(", ")
    }
}

impl Outcome for DoctorOutcome {
    fn command(&self) -> &'static str {
        "doctor"
    }

    fn json(&self) -> Value {
        let check = |check: &Check| {
            json!({
                "name": check.name,
                "verdict": check.verdict.as_str(),
                "detail": check.detail,
                "hint": check.hint,
            })
        };
        json!({
            "ok": self.first_failure.is_none(),
            "environment": self.subject.place.as_ref().map(|(environment, _)| environment.to_string()),
            "tenant": self.subject.place.as_ref().map(|(_, tenant)| tenant.as_str()),
            "client_id": self.subject.client_id.as_ref().map(ClientId::as_str),
            "checks": self.checks.iter().map(check).collect::<Vec<_>>(),
            "report": self.report.as_ref().map(|path| path.display().to_string()),
        })
    }

    fn text(&self) -> Text {
        let page = Page::new().line(self.summary());
        Text::Message(match &self.report {
            Some(path) => page.line(format!(
                "the report is in `{}`: there is no secret in it; read it before you send it",
                path.display()
            )),
            None => page,
        })
    }

    fn verdict(&mut self) -> Option<Failure> {
        let failed: Vec<_> = self.checks.iter().filter(|check| check.verdict == Verdict::Failed).collect();
        let mut names: Vec<_> = failed.iter().map(|check| check.name).collect();
        // Each host has its own checks.
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(*name));
        let failure = Failure::new(self.first_failure?, format!("failed: {}", names.join(", ")));
        let hints = failed.first().and_then(|first| first.hint.as_deref()).unwrap_or_default();
        Some(hints.lines().fold(failure, Failure::hint))
    }
}

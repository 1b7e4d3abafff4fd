//! `doctor`: checks everything between a stored secret and a working token, and says how to repair what fails.
//!
//! It leaves nothing behind, and sends the secret only to a realm that proved to be the right one.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::app::checks::{Check, Checks};
use crate::app::context::Context;
use crate::app::interrupt::StopSignal;
use crate::app::tokens::Tokens;
use crate::domain::client::environment::Environment;
use crate::domain::client::identity::{ClientId, Tenant};
use crate::domain::explain::diagnosis::Verdict;
use crate::domain::text::event::{Event, Sink};
use crate::domain::text::page::Page;
use crate::domain::text::redactor::Redactor;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

mod configuration;
mod network;
mod report;
mod store;
mod token;

/// Checks the configuration, the variables, the store (with a test entry that is deleted again), the network to each host,
/// the realm, the clock, and whether Corti accepts the token and the tenant. Exit code 0 if nothing failed, otherwise that
/// of the first failed check.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth doctor
  corti-auth doctor --profile hospital-a --json
  corti-auth doctor --environment eu              the network alone, before a login
  corti-auth doctor --report report.txt           for a support ticket: no secret is in it")]
pub(super) struct DoctorArgs {
    /// Also write the checks to this file, without secrets
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// The checks, and what they were about.
pub(super) struct DoctorOutcome {
    subject: Subject,
    checks: Vec<Check>,
    first_failure: Option<Kind>,
    report: Option<PathBuf>,
}

/// The client that was examined, as far as it is known.
struct Subject {
    place: Option<(Environment, Tenant)>,
    client_id: Option<ClientId>,
    /// Where the secret is, in words.
    secret_place: Option<String>,
}

pub(super) async fn run(args: &DoctorArgs, context: &Context<'_>) -> Result<DoctorOutcome, Failure> {
    // The context's warnings are checks here.
    let unwarned = Unwarned(context.sink);
    let context = &Context::new(context.host, context.options, &unwarned)?;
    context.flags()?;
    if let Some(path) = &args.report {
        report::refuse_odd(path)?;
    }
    let mut checks = Checks::new(context.sink, show);
    let configuration = configuration::examine(context, &mut checks);
    let mut stop = StopSignal::watch();
    let alone = stop.interrupts(async { Ok(store::alone(context).await) }).await?;
    let store_works = store::examine(context, &configuration, &mut checks).await;
    drop(alone);
    let tokens = Tokens::new(context);
    stop.interrupts(async {
        let network = network::examine(&tokens, configuration.place.as_ref(), &mut checks).await;
        token::examine(&tokens, &configuration, store_works, &network, &mut checks).await;
        Ok(())
    })
    .await?;
    let subject = Subject {
        client_id: configuration.plan.as_ref().map(|plan| plan.client.id.clone()),
        secret_place: configuration.plan.as_ref().map(|plan| configuration::secret_place(context, plan)),
        place: configuration.place,
    };
    if let Some(path) = &args.report {
        report::write(path, context, &subject, &checks)?;
    }
    let Checks { list, first_failure, .. } = checks;
    Ok(DoctorOutcome { subject, checks: list, first_failure, report: args.report.clone() })
}

fn show(check: &Check) -> Event {
    let hints = check.hint.iter().flat_map(|hint| hint.lines());
    let page = check.page(&check.detail);
    Event::Story(hints.fold(page, |page, hint| page.field("", format!("hint: {hint}"))))
}

/// Drops warnings.
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

impl DoctorOutcome {
    /// How many checks came to each verdict.
    fn summary(&self) -> String {
        let all = [Verdict::Ok, Verdict::Warning, Verdict::Failed, Verdict::Skipped];
        let count = |verdict| self.checks.iter().filter(|check| check.verdict == verdict).count();
        let counts = all.map(|verdict| (count(verdict), verdict.as_str())).into_iter();
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
        let report = |path: &PathBuf| {
            format!("wrote `{}`, without secrets: read it before you send it", path.display())
        };
        let page = Page::new().line(self.summary());
        Text::Message(self.report.iter().map(report).fold(page, Page::line))
    }

    fn verdict(&mut self) -> Option<Failure> {
        let mut failed = self.checks.iter().filter(|check| check.verdict == Verdict::Failed).peekable();
        let hints = failed.peek().and_then(|first| first.hint.as_deref()).unwrap_or_default();
        let mut names = Vec::new();
        // Some checks come once per host.
        for check in failed {
            if !names.contains(&check.name) {
                names.push(check.name);
            }
        }
        let failure = Failure::new(self.first_failure?, format!("failed: {}", names.join(", ")));
        Some(hints.lines().fold(failure, Failure::hint))
    }
}

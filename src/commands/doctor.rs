//! `doctor`: checks everything between a stored secret and a working token, and says how to repair what fails.
//!
//! It removes what it wrote, and sends the secret only after the realm was checked to be the right one.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::app::checks::{Check, Checks};
use crate::app::context::Context;
use crate::app::interrupt::StopSignal;
use crate::app::tokens::Tokens;
use crate::domain::explain::diagnosis::Verdict;
use crate::domain::text::event::{Event, Filter};
use crate::domain::text::page::Page;
use crate::failure::Failure;
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

pub(super) async fn run(args: &DoctorArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    // Warnings are shown as checks instead.
    let unwarned = Filter { sink: context.sink, passes: |event| !matches!(event, Event::Warning(..)) };
    let context = &Context::new(context.host, context.options, &unwarned)?;
    context.flags()?;
    if let Some(path) = &args.report {
        report::ensure_writable(path)?;
    }
    let mut checks = Checks::new(context.sink, show);
    let configuration = configuration::examine(context, &mut checks);
    let mut stop = StopSignal::watch();
    let lock = stop.run(async { Ok(store::lock(context).await) }).await?;
    let store_works = store::examine(context, &configuration, &mut checks).await;
    drop(lock);
    let tokens = Tokens::new(context);
    stop.run(async {
        let network = network::examine(&tokens, configuration.place.as_ref(), &mut checks).await;
        token::examine(&tokens, &configuration, store_works, &network, &mut checks).await;
        Ok(())
    })
    .await?;
    let mut page = Page::new();
    // Otherwise the failure says it.
    if checks.first_failure.is_none() {
        let hints = hints(&checks.list).into_iter().map(|hint| format!("hint: {hint}"));
        page = hints.fold(page.line(summary(&checks.list)), Page::line);
    }
    let mut written = None;
    if let Some(path) = &args.report {
        report::write(path, context, &configuration, &checks)?;
        let path = path.display().to_string();
        page = page.line(format!("wrote `{path}`; it contains no secrets, but check it before you send it"));
        written = Some(path);
    }
    let check = |check: &Check| {
        json!({
            "name": check.name,
            "verdict": check.verdict.as_str(),
            "detail": check.detail,
            "hint": check.hint,
        })
    };
    let json = json!({
        "ok": checks.first_failure.is_none(),
        "environment": configuration.place.as_ref().map(|(environment, _)| environment.to_string()),
        "tenant": configuration.place.as_ref().map(|(_, tenant)| tenant.as_str()),
        "client_id": configuration.plan.as_ref().map(|plan| plan.client.id.as_str()),
        "checks": checks.list.iter().map(check).collect::<Vec<_>>(),
        "report": written,
    });
    Ok(Outcome { failure: failure(&checks), ..Outcome::new("doctor", json, Text::Message(page)) })
}

fn show(check: &Check) -> Event {
    Event::Story(check.page(&check.detail))
}

/// The hints of the failed checks and then of the others, each once.
fn hints(checks: &[Check]) -> Vec<&str> {
    let (failed, others): (Vec<_>, Vec<_>) =
        checks.iter().partition(|check| check.verdict == Verdict::Failed);
    let mut hints = Vec::new();
    for hint in failed.iter().chain(&others).filter_map(|check| check.hint.as_deref()).flat_map(str::lines) {
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    hints
}

/// How many checks came to each verdict.
fn summary(checks: &[Check]) -> String {
    let all = [Verdict::Ok, Verdict::Warning, Verdict::Failed, Verdict::Skipped];
    let count = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    let counts = all.map(|verdict| (count(verdict), verdict.as_str())).into_iter();
    let words = counts.filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    words.collect::<Vec<_>>().join(", ")
}

/// All failed checks by name.
fn failure(checks: &Checks<'_>) -> Option<Failure> {
    let failed: Vec<_> = checks.list.iter().filter(|check| check.verdict == Verdict::Failed).collect();
    let mut names = Vec::new();
    // Some checks come once per host.
    for check in &failed {
        if !names.contains(&check.name) {
            names.push(check.name);
        }
    }
    let count = if names.len() == 1 { "1 check".to_owned() } else { format!("{} checks", names.len()) };
    let message = format!("{count} failed: {}", names.join(", "));
    let failure = Failure::new(checks.first_failure?, message);
    Some(hints(&checks.list).into_iter().fold(failure, Failure::hint))
}

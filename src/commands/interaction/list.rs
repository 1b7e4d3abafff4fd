//! `interaction list`: lists interactions, and shows each page as it arrives.

use std::collections::BTreeSet;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::app::api::Api;
use crate::app::caller::Caller;
use crate::app::spinner;
use crate::app::tokens::Tokens;
use crate::domain::corti::interaction::{Listing, Record, SORTS, STATUSES};
use crate::domain::text::event::Event;
use crate::domain::text::page::Page;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, with_schema};

use super::statuses;

/// List interactions, the newest first
///
/// A table on a terminal, otherwise tab-separated lines without a heading. --json prints one JSON object a line, with
/// everything that the API returns. Only the JSON has the patient's name.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth interaction list --limit 20
  corti-auth interaction list --status planned --status in-progress
  corti-auth interaction list --json | jq -r .websocket_url")]
pub(super) struct ListArgs {
    /// Stop after this many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Only encounters with this status; repeat it for several
    #[arg(long, value_parser = statuses())]
    status: Vec<String>,
    /// Only interactions of this patient (identifier)
    #[arg(long, value_name = "ID")]
    patient: Option<String>,
    /// Sort by this field
    #[arg(long, value_parser = sorts(), default_value = SORTS[0].0)]
    sort: &'static str,
    /// Sort in ascending order: the smallest or oldest first
    #[arg(long)]
    ascending: bool,
}

/// Maps our words to the API's.
fn sorts() -> impl TypedValueParser<Value = &'static str> {
    PossibleValuesParser::new(SORTS.map(|(word, _)| word))
        .map(|chosen| SORTS.iter().find(|(word, _)| *word == chosen).map_or(SORTS[0].1, |(_, value)| value))
}

impl ListArgs {
    fn listing(&self) -> Listing {
        let chosen = |status: &&str| self.status.iter().any(|word| word == status);
        Listing {
            statuses: STATUSES.into_iter().filter(chosen).collect(),
            patient: self.patient.clone(),
            sort: self.sort,
            ascending: self.ascending,
            limit: self.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        }
    }
}

pub(super) async fn run(args: &ListArgs, tokens: &Tokens<'_>) -> Result<Outcome, Failure> {
    let context = tokens.context;
    let caller = Caller::of(context)?;
    let (api, listing) = (Api::open(&caller, tokens).await?, args.listing());
    let is_full = |shown: usize| listing.limit.is_some_and(|limit| shown >= limit);
    // An interaction that is created meanwhile moves the others back, so a page may repeat the last one of the page before.
    let mut seen = BTreeSet::new();
    for page in 1.. {
        let records = spinner::show(context, "asking for interactions", api.list(&listing, page)).await?;
        if records.is_empty() {
            break;
        }
        let before = seen.len();
        for record in records {
            if is_full(seen.len()) {
                return Ok(Outcome::silent());
            }
            let id = record.id();
            // Without an id, the same row means the same interaction.
            if seen.insert(if id.is_empty() { record.row().join("\t") } else { id.to_owned() }) {
                show(&record.redacted(context.sink.redactor()), seen.len() == 1, tokens);
            }
        }
        if !context.sink.is_read() || is_full(seen.len()) {
            return Ok(Outcome::silent());
        }
        if before == seen.len() {
            let message = format!("page {page} of the API has no new interactions");
            return Err(Failure::new(Kind::Network, message).hint("corti-auth interaction list --limit 100"));
        }
    }
    if seen.is_empty() {
        context.note("no interactions match");
    }
    Ok(Outcome::silent())
}

fn show(record: &Record, is_first: bool, tokens: &Tokens<'_>) {
    let context = tokens.context;
    let page = if context.host.terminal.stdout {
        if is_first {
            context.sink.event(Event::Story(Page::new().headings(&Record::COLUMNS)));
        }
        Page::new().cells(&Record::COLUMNS, record.cells())
    } else {
        Page::new().row(record.row())
    };
    context.sink.event(Event::Datum(page, with_schema("interaction", record.to_json())));
}

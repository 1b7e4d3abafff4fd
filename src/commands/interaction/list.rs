//! `interaction list`: lists interactions, page by page as they come.

use std::collections::BTreeSet;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::app::caller::Caller;
use crate::app::spinner;
use crate::app::tokens::Tokens;
use crate::domain::corti::interaction::{Listing, Record, STATUSES, Sort};
use crate::domain::text::event::Event;
use crate::domain::text::page::{Page, Tone};
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text, with_schema};

use super::{Api, statuses};

/// List interactions, the newest first
///
/// On a terminal a table; elsewhere a line each, its columns separated by tabs, without a heading. With --json one JSON
/// object a line, with all that the API tells. A patient's name is only among the JSON.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth interaction list --limit 20
  corti-auth interaction list --status planned --status in-progress
  corti-auth interaction list --json | jq -r .websocket_url")]
pub(super) struct ListArgs {
    /// Stop after so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Only encounters in this state; repeat it for several
    #[arg(long, value_parser = statuses())]
    status: Vec<String>,
    /// Only those of this patient, by its identifier
    #[arg(long, value_name = "ID")]
    patient: Option<String>,
    /// Sort by this
    #[arg(long, value_enum, default_value_t)]
    sort: Sort,
    /// The smallest or oldest first
    #[arg(long)]
    ascending: bool,
}

impl ValueEnum for Sort {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Created, Self::Updated, Self::Ended, Self::Id, Self::User, Self::Patient]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Ended => "ended",
            Self::Id => "id",
            Self::User => "user",
            Self::Patient => "patient",
        }))
    }
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

/// Everything was listed.
pub(super) struct ListOutcome;

/// # Errors
/// Where there is no token, the API refuses, or its pages never end.
pub(super) async fn run(args: &ListArgs, tokens: &Tokens<'_>) -> Result<ListOutcome, Failure> {
    let context = tokens.context;
    let caller = Caller::of(context)?;
    let (api, listing) = (Api::open(&caller, tokens).await?, args.listing());
    // While pages are read new interactions move the others on: one of the last page comes again.
    let (mut seen, mut nameless, mut shown) = (BTreeSet::new(), BTreeSet::new(), 0);
    for page in 1.. {
        let records = spinner::show(context, "asking for interactions", api.list(&listing, page)).await?;
        if records.is_empty() {
            break;
        }
        let before = (seen.len(), nameless.len());
        // One without an id is new as long as no other had its row.
        nameless.extend(records.iter().filter(|record| record.id().is_empty()).map(Record::row));
        for record in records {
            if listing.limit.is_some_and(|limit| shown >= limit) {
                return Ok(ListOutcome);
            }
            // One without an id cannot be known again, and is no reason to hide it.
            if seen.insert(record.id().to_owned()) || record.id().is_empty() {
                shown += 1;
                show(&record.redacted(context.sink.redactor()), shown == 1, tokens);
            }
        }
        if !context.sink.is_read() || listing.limit.is_some_and(|limit| shown >= limit) {
            return Ok(ListOutcome);
        }
        if before == (seen.len(), nameless.len()) {
            let message = format!("the API's page {page} brings nothing that was not on those before it");
            return Err(Failure::new(Kind::Network, message).hint("bound the list: --limit 100"));
        }
    }
    if seen.is_empty() {
        context.note("there are no such interactions");
    }
    Ok(ListOutcome)
}

fn show(record: &Record, is_first: bool, tokens: &Tokens<'_>) {
    let context = tokens.context;
    let page = if context.host.terminal.stdout {
        if is_first {
            let names = Record::COLUMNS.map(|(name, _)| name.to_owned());
            context.sink.event(Event::Story(Page::new().toned(Tone::Strong, padded(&names))));
        }
        Page::new().line(padded(&record.row()))
    } else {
        Page::new().row(record.row())
    };
    context.sink.event(Event::Datum(page, with_schema("interaction", record.to_json())));
}

/// The cells, each as wide as its column: pages are shown as they come, so no width is known but these.
fn padded(cells: &[String]) -> String {
    let cells = cells.iter().zip(Record::COLUMNS).map(|(cell, (_, width))| format!("{cell:width$}"));
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

impl Outcome for ListOutcome {
    fn command(&self) -> &'static str {
        "interaction"
    }

    fn json(&self) -> Value {
        Value::Null
    }

    fn text(&self) -> Text {
        Text::Nothing
    }
}

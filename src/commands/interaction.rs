//! `interaction`: creates, lists, shows and deletes the interactions that `/streams` sessions belong to.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use crate::app::api::Api;
use crate::app::caller::Caller;
use crate::app::context::Context;
use crate::app::spinner;
use crate::app::tokens::Tokens;
use crate::cli::argument;
use crate::domain::corti::interaction::STATUSES;
use crate::domain::text::event::Event;
use crate::domain::text::page::Page;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

mod create;
mod list;

/// Each command needs a full token. It mints one, or uses the one in `CORTI_ACCESS_TOKEN`.
#[derive(Debug, Args)]
pub(super) struct InteractionArgs {
    #[command(subcommand)]
    command: InteractionCommand,
}

#[derive(Debug, Subcommand)]
enum InteractionCommand {
    Create(Box<create::CreateArgs>),
    #[command(visible_alias = "ls")]
    List(list::ListArgs),
    #[command(visible_alias = "show")]
    Get(GetArgs),
    #[command(visible_aliases = ["rm", "remove"])]
    Delete(DeleteArgs),
}

/// Show an interaction and its websocketUrl
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth interaction get 6f9c1a1e-5a0f-4a54-9f43-2f4d1a7c8b90
  corti-auth interaction get 6f9c1a1e-5a0f-4a54-9f43-2f4d1a7c8b90 --json   all that is known")]
struct GetArgs {
    /// The interaction's id
    #[arg(value_parser = argument::interaction_id)]
    id: Uuid,
}

/// Delete an interaction, with its recordings, transcripts, facts and documents
///
/// Asks first. Without a terminal, --yes is needed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth interaction delete 6f9c1a1e-5a0f-4a54-9f43-2f4d1a7c8b90
  corti-auth interaction delete 6f9c1a1e-5a0f-4a54-9f43-2f4d1a7c8b90 --yes")]
struct DeleteArgs {
    /// The interaction's id
    #[arg(value_parser = argument::interaction_id)]
    id: Uuid,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

pub(super) async fn run(args: &InteractionArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    let tokens = Tokens::new(context);
    match &args.command {
        InteractionCommand::Create(args) => create::run(args, &tokens).await,
        InteractionCommand::List(args) => list::run(args, &tokens).await,
        InteractionCommand::Get(args) => get(args, &tokens).await,
        InteractionCommand::Delete(args) => delete(args, &tokens).await,
    }
}

async fn get(args: &GetArgs, tokens: &Tokens<'_>) -> Result<Outcome, Failure> {
    let caller = Caller::of(tokens.context)?;
    let api = Api::open(&caller, tokens).await?;
    let record = spinner::show(tokens.context, "asking for the interaction", api.get(args.id)).await?;
    let record = record.redacted(tokens.context.sink.redactor());
    Ok(Outcome::new("interaction", record.to_json(), Text::Page(record.summary())))
}

async fn delete(args: &DeleteArgs, tokens: &Tokens<'_>) -> Result<Outcome, Failure> {
    let (context, id) = (tokens.context, args.id);
    if !args.yes && !context.may_ask() {
        let message = "deleting needs a confirmation, and there is no terminal";
        return Err(
            Failure::new(Kind::Usage, message).hint(format!("corti-auth interaction delete {id} --yes"))
        );
    }
    let caller = Caller::of(context)?;
    let api = Api::open(&caller, tokens).await?;
    if !args.yes {
        let record = spinner::show(context, "asking for the interaction", api.get(id)).await?;
        context.sink.event(Event::Preview(record.summary()));
        let question = "Delete it, with its recordings, transcripts, facts and documents?";
        if !context.questions().confirm(question).await? {
            context.note("cancelled; nothing was deleted");
            return Err(Failure::new(Kind::Interrupted, "cancelled; nothing was deleted"));
        }
    }
    spinner::show(context, "deleting the interaction", api.delete(id)).await?;
    let json = json!({ "id": id.to_string(), "interaction_id": id.to_string(), "deleted": true });
    let text = Text::Message(Page::new().line(format!("deleted interaction {id}")));
    Ok(Outcome::new("interaction-delete", json, text))
}

fn statuses() -> PossibleValuesParser {
    PossibleValuesParser::new(STATUSES)
}

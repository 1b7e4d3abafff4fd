//! `interaction`: creates, lists, shows and deletes the interactions that `/streams` sessions belong to.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

use crate::app::context::Context;
use crate::app::outcome::Outcome;
use crate::app::tokens::Tokens;
use crate::domain::corti::interaction::STATUSES;
use crate::failure::Failure;

mod create;
mod delete;
mod list;
mod show;

/// Each command needs a full token. It mints one, or uses the one in `CORTI_ACCESS_TOKEN`.
#[derive(Debug, Args)]
pub(super) struct InteractionArgs {
    #[command(subcommand)]
    command: InteractionCommand,
}

#[derive(Debug, Subcommand)]
enum InteractionCommand {
    Create(Box<create::CreateArgs>),
    List(list::ListArgs),
    Get(show::GetArgs),
    Delete(delete::DeleteArgs),
}

pub(super) async fn run(args: &InteractionArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    let tokens = Tokens::new(context);
    match &args.command {
        InteractionCommand::Create(args) => create::run(args, &tokens).await,
        InteractionCommand::List(args) => list::run(args, &tokens).await,
        InteractionCommand::Get(args) => show::run(args, &tokens).await,
        InteractionCommand::Delete(args) => delete::run(args, &tokens).await,
    }
}

fn statuses() -> PossibleValuesParser {
    PossibleValuesParser::new(STATUSES)
}

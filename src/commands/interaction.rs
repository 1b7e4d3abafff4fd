//! `interaction`: creates, lists, shows and deletes the interactions that `/streams` sessions belong to.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

use crate::app::api::Api;
use crate::app::context::Context;
use crate::app::tokens::Tokens;
use crate::domain::corti::interaction::STATUSES;
use crate::failure::{Failure, Kind};
use crate::output::Outcome;

mod create;
mod delete;
mod list;
mod show;

/// Each command needs a full token: a new one, or that of `CORTI_ACCESS_TOKEN`.
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

pub(super) async fn run(args: &InteractionArgs, context: &Context<'_>) -> Result<Box<dyn Outcome>, Failure> {
    let tokens = Tokens::new(context);
    match &args.command {
        InteractionCommand::Create(args) => Ok(Box::new(create::run(args, &tokens).await?)),
        InteractionCommand::List(args) => Ok(Box::new(list::run(args, &tokens).await?)),
        InteractionCommand::Get(args) => Ok(Box::new(show::run(args, &tokens).await?)),
        InteractionCommand::Delete(args) => Ok(Box::new(delete::run(args, &tokens).await?)),
    }
}

fn statuses() -> PossibleValuesParser {
    PossibleValuesParser::new(STATUSES)
}

/// Reads a body from a file or standard input (`-`).
async fn read_body(
    path: &std::path::Path,
    context: &Context<'_>,
) -> Result<zeroize::Zeroizing<Vec<u8>>, Failure> {
    crate::app::input::read(path, MAX_BODY, context).await.map_err(|reason| {
        Failure::new(Kind::Usage, format!("cannot read the interaction from {reason}"))
            .hint("corti-auth interaction create --from - < FILE")
    })
}

/// How much of a body is read. The API's are kilobytes.
const MAX_BODY: usize = 1024 * 1024;

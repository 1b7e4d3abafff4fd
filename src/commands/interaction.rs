//! `interaction`: creates, lists, shows and deletes the interactions that `/streams` sessions belong to.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

use crate::app::access::Access;
use crate::app::api::Api;
use crate::app::context::Context;
use crate::app::minting::Minter;
use crate::domain::client::secret::AccessToken;
use crate::domain::corti::interaction::STATUSES;
use crate::failure::{Failure, Kind};
use crate::output::Outcome;

mod create;
mod delete;
mod list;
mod show;

/// Each needs a full token, which is minted for it, or taken from `CORTI_ACCESS_TOKEN`.
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

/// # Errors
/// Where there is no token, or the API refuses.
pub(super) async fn run(args: &InteractionArgs, context: &Context<'_>) -> Result<Box<dyn Outcome>, Failure> {
    let minter = Minter::new(context);
    match &args.command {
        InteractionCommand::Create(args) => Ok(Box::new(create::run(args, &minter).await?)),
        InteractionCommand::List(args) => Ok(Box::new(list::run(args, &minter).await?)),
        InteractionCommand::Get(args) => Ok(Box::new(show::run(args, &minter).await?)),
        InteractionCommand::Delete(args) => Ok(Box::new(delete::run(args, &minter).await?)),
    }
}

/// Where the API is, and a full token for it.
struct Entry {
    access: Access,
    token: AccessToken,
}

impl Entry {
    async fn open(minter: &Minter<'_>) -> Result<Self, Failure> {
        let access = Access::of(minter.context)?;
        let token = access.full_token(minter).await?;
        Ok(Self { access, token })
    }

    fn api<'a>(&'a self, minter: &'a Minter<'_>) -> Api<'a> {
        Api::renewing(&self.access, minter, &self.token)
    }
}

fn statuses() -> PossibleValuesParser {
    PossibleValuesParser::new(STATUSES)
}

/// The file or standard input (`-`) that holds a body.
async fn read_body(
    path: &std::path::Path,
    context: &Context<'_>,
) -> Result<zeroize::Zeroizing<Vec<u8>>, Failure> {
    crate::app::input::read(path, MAX_BODY, context).await.map_err(|reason| {
        Failure::new(Kind::Usage, format!("cannot read the interaction from {reason}"))
            .hint("give one JSON object: corti-auth interaction create --from FILE, or pipe it in: --from -")
    })
}

/// How much of a body is read. The API's are kilobytes.
const MAX_BODY: usize = 1024 * 1024;

//! `interaction get`: shows one interaction.

use clap::Args;
use uuid::Uuid;

use crate::app::api::Api;
use crate::app::caller::Caller;
use crate::app::outcome::Outcome;
use crate::app::spinner;
use crate::app::tokens::Tokens;
use crate::cli::argument;
use crate::failure::Failure;
use crate::output::Text;

/// Show an interaction, and where its /streams session opens
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth interaction get 6f9c1a1e-5a0f-4a54-9f43-2f4d1a7c8b90
  corti-auth interaction get 6f9c1a1e-5a0f-4a54-9f43-2f4d1a7c8b90 --json    everything the API returns")]
pub(super) struct GetArgs {
    /// The interaction
    #[arg(value_parser = argument::interaction_id)]
    id: Uuid,
}

pub(super) async fn run(args: &GetArgs, tokens: &Tokens<'_>) -> Result<Outcome, Failure> {
    let caller = Caller::of(tokens.context)?;
    let api = Api::open(&caller, tokens).await?;
    let record = spinner::show(tokens.context, "asking for the interaction", api.get(args.id)).await?;
    let record = record.redacted(tokens.context.sink.redactor());
    Ok(Outcome::new("interaction", record.to_json(), Text::Page(record.summary())))
}

//! `token`: mints an access token and prints it.

use clap::Args;
use serde_json::json;

use crate::app::context::Context;
use crate::app::delivery::Delivery;
use crate::app::tokens::Tokens;
use crate::cli::argument;
use crate::cli::format_args::FormatArgs;
use crate::cli::token_args::{CacheArgs, ChoiceArgs};
use crate::domain::token::grant::Token;
use crate::domain::token::scope::{LIMITED, Requirement, TokenClass};
use crate::failure::{Failure, Kind};
use crate::output::Outcome;

/// You choose whether the token is limited or full. A limited one (transcribe, streams) opens those WebSockets and nothing
/// else, and is safe for a browser. A full one acts as the client itself. Keep it on your backend.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth token transcribe
  corti-auth token transcribe streams --json
  eval \"$(corti-auth token full --format env)\"
  corti-auth token full --format curl | curl -K - https://api.eu.corti.app/v2/languages/")]
pub(super) struct TokenArgs {
    #[command(flatten)]
    choice: ChoiceArgs,
    #[command(flatten)]
    cache: CacheArgs,
    /// Print nothing and exit with 10 if the token lacks this scope
    #[arg(long, value_name = "SCOPE", add = argument::offering(&LIMITED))]
    require_scope: Vec<String>,
    /// Print nothing and exit with 10 if the token has this scope
    #[arg(long, value_name = "SCOPE", add = argument::offering(&LIMITED))]
    forbid_scope: Vec<String>,
    #[command(flatten)]
    format: FormatArgs,
}

pub(super) async fn run(args: &TokenArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    args.choice.check_words("for another scope: corti-auth token --scope SCOPE")?;
    let delivery = args.format.delivery(context)?;
    let requirement = requirement(args)?;
    let plan = context.plan()?;
    let requested = args.choice.scope_request(
        &plan,
        context,
        ["corti-auth token transcribe", "corti-auth token full"],
    )?;
    let token = Tokens::new(context).get(&plan, &requested, args.cache.policy(context)).await?;
    requirement.check(&token.granted).map_err(|unmet| {
        let same = token.granted.mint_command() + &context.profile_option();
        Failure::new(Kind::Check, unmet).hint(format!("see its scopes: {same} --json"))
    })?;
    if requested.class() != TokenClass::Limited
        && (context.host.terminal.stdout || delivery.is_for_pipelines())
    {
        let caution =
            "this token acts as the client itself: keep it on a backend and out of chats and tickets";
        let hint = match &delivery {
            // It has a hint of its own.
            Delivery::Gitlab(_) => None,
            // A pipeline has no browser.
            it if it.is_for_pipelines() => {
                Some(format!("for one step alone: corti-auth exec {} -- CMD", token.granted.arguments()))
            }
            _ => Some("for a browser: corti-auth token transcribe".to_owned()),
        };
        context.warn(caution, hint.as_deref());
    }
    let client = &plan.client;
    let text = delivery.deliver(client, &token, context)?;
    let Token { access_token, expires_at, expires_in, granted, cached } = token;
    let json = json!({
        "token_type": "Bearer",
        "expires_in": expires_in,
        "expires_at": expires_at.to_string(),
        "expires_at_unix": expires_at.as_second(),
        "scopes": granted.to_strings(),
        "reach": granted.class().as_str(),
        "cached": cached,
        "fingerprint": access_token.secret().fingerprint(),
        "environment": client.environment.to_string(),
        "tenant": client.tenant.as_str(),
        "client_id": client.id.as_str(),
    });
    let secret = Some(("access_token", access_token.secret().clone()));
    Ok(Outcome { secret, ..Outcome::new("token", json, text) })
}

fn requirement(args: &TokenArgs) -> Result<Requirement, Failure> {
    let set = |texts: &[String], option: &str| {
        argument::scopes(texts).map_err(|error| {
            Failure::new(Kind::Usage, error).hint(format!("{option} transcribe, once for each scope"))
        })
    };
    Ok(Requirement {
        required: set(&args.require_scope, "--require-scope")?,
        forbidden: set(&args.forbid_scope, "--forbid-scope")?,
    })
}

//! Finds the token to check, and the environment and tenant that it may be sent to.

use crate::app::caller::{self, GivenToken};
use crate::app::tokens::Tokens;
use crate::domain::client::variable::ACCESS_TOKEN;
use crate::domain::token::reuse::CachePolicy;
use crate::failure::Failure;

use super::CheckArgs;

/// A command that mints the token it checks.
const AGAIN: &str = "corti-auth check --scope transcribe";

/// The token from the file, from `CORTI_ACCESS_TOKEN`, or a new one.
pub(super) async fn find(args: &CheckArgs, tokens: &Tokens<'_>) -> Result<GivenToken, Failure> {
    let context = tokens.context;
    let is_chosen = context.options.profile.is_some() || args.choice.is_given();
    if let Some(path) = &args.file {
        let (nth, reader) = (args.which.nth, "corti-auth check -");
        return GivenToken::in_file(path, nth, "transcribe", reader, AGAIN, context).await;
    }
    // Options on the command line outrank the variable.
    if let Some(token) = context.variables()?.access_token.clone().filter(|_| !is_chosen) {
        context.note(format!("checking the token in {ACCESS_TOKEN}"));
        return GivenToken::of(token, AGAIN, context);
    }
    let plan = context.plan()?;
    let ask = args.choice.scope_request(&plan, context, [AGAIN, "corti-auth check --full"])?;
    // Not a cached one: if it expired during the check, it would seem to do less.
    let token = tokens.get(&plan, &ask, CachePolicy::BYPASS).await?.access_token;
    let inspection = caller::usable(&token, AGAIN, context.host.clock.now())?;
    let (environment, tenant) = (plan.client.environment, plan.client.tenant);
    Ok(GivenToken { token, inspection, environment, tenant })
}

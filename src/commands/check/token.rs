//! Finds the token to check, and the environment and tenant that it may be sent to.

use crate::app::tokens::Tokens;
use crate::app::{caller, token_source};
use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::client::resolve;
use crate::domain::client::secret::AccessToken;
use crate::domain::client::variable::ACCESS_TOKEN;
use crate::domain::text::shell::Shell;
use crate::domain::token::inspection::{Inspection, Kind as TokenKind};
use crate::domain::token::jwt::JwtError;
use crate::domain::token::reuse::CachePolicy;
use crate::failure::{Failure, Kind};

use super::CheckArgs;

/// A token and where it may be sent.
pub(super) struct CheckedToken {
    pub(super) token: AccessToken,
    pub(super) inspection: Inspection,
    pub(super) environment: Environment,
    pub(super) tenant: Tenant,
}

impl CheckedToken {
    /// The token from the file, from `CORTI_ACCESS_TOKEN`, or a new one.
    pub(super) async fn find(args: &CheckArgs, tokens: &Tokens<'_>) -> Result<Self, Failure> {
        let context = tokens.context;
        let is_chosen = context.options.profile.is_some() || args.choice.is_given();
        let given = if let Some(path) = &args.file {
            let hint = Shell::HERE.read_from("corti-auth check -", "FILE");
            let text = token_source::text(path, hint, context).await?;
            let found = token_source::choose(&text, args.which.nth, context).await?;
            AccessToken::parse(&found.token)
        } else {
            // Options on the command line outrank the variable.
            let token = context.variables()?.access_token.as_ref().filter(|_| !is_chosen);
            if token.is_some() {
                context.note(format!("checking the token in {ACCESS_TOKEN}"));
            }
            token.cloned()
        };
        let Some(token) = given else {
            let plan = context.plan()?;
            let ask = args.choice.scope_request(
                &plan,
                context,
                ["corti-auth check --scope transcribe", "corti-auth check --full"],
            )?;
            // Not a cached one: if it expired during the check, it would seem to do less.
            let token = tokens.get(&plan, &ask, CachePolicy::BYPASS).await?.access_token;
            let inspection = inspect(&token, tokens)?;
            let (environment, tenant) = (plan.client.environment, plan.client.tenant);
            return Ok(Self { token, inspection, environment, tenant });
        };
        let (environment, tenant) =
            resolve::resolve_target(context.flags()?, context.variables()?, context.config()?)?;
        context.sink.redactor().add(token.secret());
        let inspection = inspect(&token, tokens)?;
        let place = Some((&environment, &tenant));
        caller::issuer(Some(&inspection), place, "the token", "corti-auth check --scope transcribe")?;
        Ok(Self { token, inspection, environment, tenant })
    }
}

/// Refuses a token that is not an access token, or has expired.
fn inspect(token: &AccessToken, tokens: &Tokens<'_>) -> Result<Inspection, Failure> {
    match caller::decode(token) {
        Ok(_) | Err(JwtError::Opaque) => {}
        Err(error) => return Err(error.into()),
    }
    let inspection = caller::inspect(token, tokens.context.host.clock.now())?;
    let reason = match inspection {
        None => "the token is not a JWT, so its scopes cannot be read".to_owned(),
        Some(Inspection { kind: kind @ (TokenKind::Id | TokenKind::Refresh), .. }) => {
            format!("the token is of the kind `{}`, which opens no API", kind.as_str())
        }
        Some(inspection) if inspection.is_expired() => {
            return Err(Failure::new(Kind::Token, "the token has expired").hint(inspection.renewal()));
        }
        Some(inspection) => return Ok(inspection),
    };
    Err(Failure::new(Kind::Token, reason).hint("corti-auth check --scope transcribe"))
}

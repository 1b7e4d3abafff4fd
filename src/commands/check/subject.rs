//! The token that is looked at, and where it may be sent.

use crate::app::context::Context;
use crate::app::tokens::Tokens;
use crate::app::{caller, input};
use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::client::resolve;
use crate::domain::client::secret::AccessToken;
use crate::domain::client::variable::ACCESS_TOKEN;
use crate::domain::token::inspection::Inspection;
use crate::domain::token::jwt::MAX_TOKEN_BYTES;
use crate::domain::token::pasted::{self, Pasted};
use crate::domain::token::reuse::CachePolicy;
use crate::failure::{Failure, Kind};

use super::{CheckArgs, inspect};

/// A token and its place.
pub(super) struct Subject {
    pub(super) token: AccessToken,
    pub(super) inspection: Inspection,
    pub(super) environment: Environment,
    pub(super) tenant: Tenant,
}

impl Subject {
    /// The token from the file, from the variable, or a new one.
    ///
    /// # Errors
    /// Where there is none, or it must not be sent where it would go.
    pub(super) async fn find(
        args: &CheckArgs,
        context: &Context<'_>,
        tokens: &Tokens<'_>,
    ) -> Result<Self, Failure> {
        // What is asked for on the command line outranks the variable.
        let chosen = context.options.profile.is_some() || args.choice.is_made();
        if let Some(path) = &args.file {
            let bytes = input::read(path, MAX_TOKEN_BYTES + 1024, context).await.map_err(|reason| {
                Failure::new(Kind::Usage, format!("cannot read the token from {reason}"))
                    .hint("name a file with one token, or pipe it in: corti-auth check - < FILE")
            })?;
            let pasted = std::str::from_utf8(&bytes).ok().map(pasted::clean);
            if let Some(remark) = pasted.as_ref().and_then(|pasted| Pasted::remark(&pasted.cleaned)) {
                context.note(remark);
            }
            let token = pasted.and_then(|pasted| AccessToken::parse(&pasted.token)).ok_or_else(|| {
                Failure::new(Kind::Token, "what is given is not one token alone")
                    .hint("corti-auth token --scope transcribe | corti-auth check -")
            })?;
            return Self::given(token, context);
        }
        if let Some(token) = context.variables()?.access_token.as_ref().filter(|_| !chosen) {
            context.note(format!("looking at the token in {ACCESS_TOKEN}"));
            return Self::given(token.clone(), context);
        }
        let plan = context.plan()?;
        let requested = args.choice.scope_request(&plan, context)?;
        // A new one, and none of the cache's: it must outlive the check, or it would seem to do less.
        let token = tokens.get(&plan, &requested, CachePolicy::BYPASS).await?.access_token;
        let inspection = inspect(&token, context)?;
        let (environment, tenant) = (plan.client.environment, plan.client.tenant);
        Ok(Self { token, inspection, environment, tenant })
    }

    fn given(token: AccessToken, context: &Context<'_>) -> Result<Self, Failure> {
        let (environment, tenant) =
            resolve::resolve_target(context.flags()?, context.variables()?, context.config()?)?;
        context.sink.redactor().add(token.secret());
        let inspection = inspect(&token, context)?;
        let mint = "mint one here: corti-auth check --scope transcribe";
        caller::issuer(Some(&inspection), Some((&environment, &tenant)), "the token", mint)?;
        Ok(Self { token, inspection, environment, tenant })
    }

    pub(super) fn fingerprint(&self) -> String {
        self.token.secret().fingerprint()
    }
}

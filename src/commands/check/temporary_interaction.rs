//! An interaction that is there while its `/streams` is tried, and no longer.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::api::{Api, deletion};
use crate::app::context::Context;
use crate::app::tokens::Tokens;
use crate::domain::client::secret::AccessToken;
use crate::domain::corti::interaction::Interaction;
use crate::domain::token::reuse::CachePolicy;
use crate::domain::token::scope::ScopeRequest;
use crate::failure::{Failure, Kind};

use super::subject::Subject;

/// An interaction made for a check, and the full token that may delete it.
pub(super) struct Passing {
    pub(super) interaction: Interaction,
    full: AccessToken,
}

/// What became of it.
pub(super) struct Passed {
    pub(super) id: Uuid,
    /// The command that deletes it, where it is still there.
    pub(super) left: Option<String>,
}

impl Passing {
    /// Mints the full token of the configured client.
    ///
    /// # Errors
    /// Where there is none, or the client is of another place than the token that is looked at.
    pub(super) async fn prepare(
        context: &Context<'_>,
        tokens: &Tokens<'_>,
        subject: &Subject,
    ) -> Result<AccessToken, Failure> {
        let plan = context.plan()?;
        let client = &plan.client;
        if client.environment != subject.environment || client.tenant != subject.tenant {
            let message = format!(
                "--streams needs a client of `{}`, tenant `{}`, and the configured one is of `{}`, tenant `{}`",
                subject.environment, subject.tenant, client.environment, client.tenant
            );
            return Err(
                Failure::new(Kind::Configuration, message).hint("leave --streams out, or: corti-auth login")
            );
        }
        // New, so that it lives until the interaction is deleted.
        Ok(tokens.get(&plan, &ScopeRequest::Full, CachePolicy::BYPASS).await?.access_token)
    }

    /// Creates the interaction. Not to be given up half-way: it would be left behind. It is bounded.
    ///
    /// # Errors
    /// Where the API does not answer, or refuses.
    pub(super) async fn create(
        tokens: &Tokens<'_>,
        subject: &Subject,
        full: AccessToken,
    ) -> Result<Self, Failure> {
        let (environment, tenant) = (&subject.environment, &subject.tenant);
        let interaction =
            Api::new(&tokens.http, environment, tenant, &full).create_passing(tokens.context).await?;
        Ok(Self { interaction, full })
    }

    /// Deletes it, or says that it is still there.
    pub(super) async fn end(self, context: &Context<'_>, tokens: &Tokens<'_>, subject: &Subject) -> Passed {
        let id = self.interaction.id;
        let (environment, tenant) = (&subject.environment, &subject.tenant);
        let failure = Api::new(&tokens.http, environment, tenant, &self.full).delete(id).await.err();
        let failure = failure.filter(|failure| failure.http_status() != Some(404));
        let left = failure.map(|failure| {
            let remedy = deletion(id, context);
            let message = format!("the interaction `{id}` was not deleted: {}", failure.in_one_line());
            context.warn(message, Some(&remedy));
            remedy
        });
        Passed { id, left }
    }
}

impl Passed {
    pub(super) fn json(&self) -> Value {
        json!({ "interaction_id": self.id.to_string(), "deleted": self.left.is_none() })
    }
}

//! Sends requests to the interactions API and reads the answers.

use std::cell::RefCell;

use serde_json::Value;
use uuid::Uuid;

use crate::app::caller::Caller;
use crate::app::context::Context;
use crate::app::tokens::Tokens;
use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::client::secret::AccessToken;
use crate::domain::client::variable::ACCESS_TOKEN;
use crate::domain::corti::interaction::{self, Fields, Interaction, InteractionError, Listing, Record};
use crate::domain::corti::request::{Request, Response};
use crate::domain::text::shell::Shell;
use crate::domain::token::scope::ScopeRequest;
use crate::edge::http::Http;
use crate::failure::{Failure, Kind};

/// The command that deletes an interaction.
pub(crate) fn deletion(id: Uuid, context: &Context<'_>) -> String {
    format!("corti-auth interaction delete {id} --yes{}", context.profile_option())
}

/// The API of one tenant, with a full token.
pub(crate) struct Api<'a> {
    http: &'a Http<'a>,
    environment: &'a Environment,
    tenant: &'a Tenant,
    token: RefCell<AccessToken>,
    /// Where a new token comes from if this one is refused.
    renewal: Option<(&'a Caller, &'a Tokens<'a>)>,
}

impl<'a> Api<'a> {
    pub(crate) fn new(
        http: &'a Http<'a>,
        environment: &'a Environment,
        tenant: &'a Tenant,
        token: &AccessToken,
    ) -> Self {
        Self { http, environment, tenant, token: RefCell::new(token.clone()), renewal: None }
    }

    /// Gets a full token of `caller`.
    pub(crate) async fn open(caller: &'a Caller, tokens: &'a Tokens<'a>) -> Result<Self, Failure> {
        if caller.is_limited() {
            let message = format!("the token in {ACCESS_TOKEN} is limited and cannot call the REST API");
            let hint = format!("to mint a full one: {}", Shell::HERE.unset(&[ACCESS_TOKEN]));
            tokens.context.warn(message, Some(&hint));
        }
        let token = tokens.get_for(caller, &ScopeRequest::Full, tokens.context.cache_policy()).await?;
        Ok(Self::renewing(caller, tokens, &token))
    }

    /// Replaces a refused token once per request: it may be a cached one that was revoked, the server's keys may have changed,
    /// and a long list takes longer than a token lives.
    pub(crate) fn renewing(caller: &'a Caller, tokens: &'a Tokens<'a>, token: &AccessToken) -> Self {
        let (environment, tenant) = caller.place();
        let api = Self::new(&tokens.http, environment, tenant, token);
        Self { renewal: Some((caller, tokens)), ..api }
    }

    /// Creates an interaction that has an identifier and nothing else, for a session that needs one.
    pub(crate) async fn create_minimal(&self, context: &Context<'_>) -> Result<Interaction, Failure> {
        let body = Fields::default().body(None, &Uuid::new_v4().to_string());
        self.create(&body.map_err(|error| Failure::new(Kind::Unexpected, error))?, context).await
    }

    /// As [`Self::create_minimal`], for a command that deletes the interaction at its end. If its WebSocket must not be used,
    /// it is deleted at once.
    pub(crate) async fn create_temporary(&self, context: &Context<'_>) -> Result<Interaction, Failure> {
        let created = self.create_minimal(context).await;
        match created.as_ref().err().and_then(Failure::interaction_with_wrong_url) {
            Some((id, reason)) if self.delete(id).await.is_ok() => {
                let message = format!("{reason}; the interaction {id} was deleted");
                Err(Failure::new(Kind::Network, message).hint("check --environment: corti-auth status"))
            }
            _ => created,
        }
    }

    /// Creates an interaction.
    ///
    /// # Errors
    /// If nobody knows whether the interaction exists now, the failure says so, with the command that looks for it. If its
    /// WebSocket must not be used, it has the command that deletes it.
    pub(crate) async fn create(&self, body: &Value, context: &Context<'_>) -> Result<Interaction, Failure> {
        let in_doubt = |failure: Failure| {
            if !failure.answer_was_lost() {
                return failure;
            }
            failure
                .context("the interaction may have been created, but Corti's answer was lost or unusable")
                .hint(format!("look for it: corti-auth interaction list{}", context.profile_option()))
        };
        let response = self.send_or(|api| api.create(body), in_doubt).await?;
        let created = self.checked(interaction::parse(&response, self.environment, self.tenant));
        created.map_err(|failure| match failure.interaction_with_wrong_url() {
            Some((id, _)) => failure
                .context(format!("interaction {id} was created, but the API returned a wrong websocketUrl"))
                .hint(deletion(id, context)),
            None => in_doubt(failure),
        })
    }

    pub(crate) async fn list(&self, listing: &Listing, page: u32) -> Result<Vec<Record>, Failure> {
        let response = self.send(|api| api.list(listing, page)).await?;
        self.checked(Record::page(&response))
    }

    pub(crate) async fn get(&self, id: Uuid) -> Result<Record, Failure> {
        let response = self.send(|api| api.get(id)).await?;
        self.checked(Record::one(&response))
    }

    pub(crate) async fn delete(&self, id: Uuid) -> Result<(), Failure> {
        let response = self.send(|api| api.delete(id)).await?;
        self.checked(interaction::deleted(&response))
    }

    async fn send(&self, request: impl Fn(interaction::Api<'_>) -> Request) -> Result<Response, Failure> {
        self.send_or(request, |failure| failure).await
    }

    /// Sends a request, whose own failure goes through `failed`; the failure to get another token does not. After a 401
    /// nothing was done, so even a request that creates something may be sent again.
    async fn send_or(
        &self,
        request: impl Fn(interaction::Api<'_>) -> Request,
        failed: impl Fn(Failure) -> Failure,
    ) -> Result<Response, Failure> {
        let Self { environment, tenant, .. } = self;
        let send = async || {
            let request = request(interaction::Api { environment, tenant, token: &self.token.borrow() });
            self.http.send(&request).await.map_err(|error| failed(error.into()))
        };
        let response = send().await?;
        match self.renewal {
            Some((Caller::Client(plan), tokens)) if response.status == 401 => {
                let policy = tokens.context.cache_policy().with_refresh();
                let token = tokens.get(plan, &ScopeRequest::Full, policy).await?;
                self.token.replace(token.access_token);
                send().await
            }
            _ => Ok(response),
        }
    }

    fn checked<T>(&self, result: Result<T, InteractionError>) -> Result<T, Failure> {
        result.map_err(|error| match error {
            InteractionError::Refused(problem) => match self.renewal {
                Some((Caller::Ready(ready), _)) => Failure::refused_given_token(problem, &ready.inspect),
                _ => problem.into(),
            },
            other => other.into(),
        })
    }
}

//! From a plan to a token: the secret out of its source, one request, and the answer held against what was asked.

use crate::domain::grant::{self, Token};
use crate::domain::identity::Client;
use crate::domain::resolve::{Plan, SecretSource};
use crate::domain::scope::{Ask, ScopeSet};
use crate::domain::secret::ClientSecret;
use crate::edge::http::Http;
use crate::edge::store::StoreError;
use crate::failure::Failure;

use super::context::Context;

/// Mints for the plan's client.
///
/// # Errors
/// Where there is no secret, or no token for it.
pub(super) async fn mint_for(
    context: &Context<'_>,
    http: &Http<'_>,
    plan: &Plan,
    ask: &Ask,
) -> Result<Token, Failure> {
    let secret = secret(context, plan).await?;
    mint(context, http, &plan.client, &secret, ask).await
}

/// Mints with a secret that is at hand.
///
/// # Errors
/// Where the server does not answer, refuses, or grants something else than asked.
pub(super) async fn mint(
    context: &Context<'_>,
    http: &Http<'_>,
    client: &Client,
    secret: &ClientSecret,
    ask: &Ask,
) -> Result<Token, Failure> {
    let request = grant::request(client, secret, ask);
    let response = context.waiting("asking the authorization server", http.send(&request)).await?;
    grant::parse(&response, ask, context.host.clock.now()).map_err(|error| Failure::grant(&error, client))
}

/// Asks for a token that opens `/streams` and nothing else.
pub(super) fn streams() -> Ask {
    Ask::Scopes(ScopeSet::from_wire("streams"))
}

async fn secret(context: &Context<'_>, plan: &Plan) -> Result<ClientSecret, Failure> {
    match &plan.source {
        SecretSource::Variable(secret) => Ok(secret.clone()),
        SecretSource::Store(name, profile) => {
            let read = context.store(profile.store).read(&plan.client, context.sink).await;
            read.map_err(|error| {
                let missing = error == StoreError::Missing;
                let failure = Failure::store(&error, &plan.client);
                match plan.overridden() {
                    Some(own) if missing => failure.hint(format!(
                        "profile `{name}` has a secret for `{}`, which is not sent anywhere else: drop --environment, \
                         --tenant and their variables to use it",
                        own.store_user()
                    )),
                    _ => failure,
                }
            })
        }
    }
}

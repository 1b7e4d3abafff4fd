//! Checks whether the client's secret gets a token, and whether the API accepts that token. The token is discarded.

use crate::app::spinner;
use crate::app::tokens::Tokens;
use crate::domain::client::api_client::Client;
use crate::domain::client::resolve::Plan;
use crate::domain::client::secret::AccessToken;
use crate::domain::corti::problem::Problem;
use crate::domain::corti::request::Request;
use crate::domain::token::inspection::span;
use crate::domain::token::scope::ScopeRequest;
use crate::failure::{Failure, Kind};

use super::Checks;
use super::configuration::Configuration;
use super::network::Network;

/// Checks `token` and `tenant`.
pub(super) async fn examine(
    tokens: &Tokens<'_>,
    configuration: &Configuration,
    store_works: bool,
    network: &Network,
    checks: &mut Checks<'_>,
) {
    let reason = if configuration.plan.is_none() {
        Some("no client is known")
    } else if !store_works {
        Some("the store cannot be used")
    } else {
        // The secret is sent only after the realm was checked to be the right one.
        network.untrusted
    };
    let (Some(plan), None) = (&configuration.plan, reason) else {
        checks.skip("token", reason.unwrap_or_default());
        return checks.skip("tenant", "there is no token");
    };
    let Some(token) = token(tokens, plan, checks).await else {
        return checks.skip("tenant", "there is no token");
    };
    if !network.api {
        return checks.skip("tenant", format!("cannot reach {}", plan.client.environment.api_url()));
    }
    match accepts(tokens, &plan.client, &token).await {
        Ok(()) => checks.ok("tenant", format!("the API accepts Tenant-Name `{}`", plan.client.tenant)),
        Err(failure) => drop(checks.fail("tenant", failure)),
    }
}

async fn token(tokens: &Tokens<'_>, plan: &Plan, checks: &mut Checks<'_>) -> Option<AccessToken> {
    let token = async {
        let secret = tokens.secret(plan).await?;
        tokens.mint_with(&secret, &plan.client, plan.origin(), &ScopeRequest::Full).await
    };
    match token.await {
        Ok(token) => {
            let life = span(token.expires_in.unsigned_abs());
            checks.ok("token", format!("got a full token (valid {life}) and discarded it"));
            Some(token.access_token)
        }
        Err(failure) => {
            checks.fail("token", failure);
            None
        }
    }
}

/// Lists the languages with the token and the tenant: a read that changes nothing.
async fn accepts(tokens: &Tokens<'_>, client: &Client, token: &AccessToken) -> Result<(), Failure> {
    let Client { environment, tenant, .. } = client;
    let request = Request::get(format!("{}/languages/", environment.api_url()), token, tenant);
    let response = spinner::show(tokens.context, "waiting for the API", tokens.http.send(&request)).await?;
    match response.status {
        200..=299 if response.is_html() => {
            let message = format!("the API answered {} with an HTML page", response.status);
            Err(Failure::new(Kind::Network, message).hint("look for a proxy or a login page in between"))
        }
        200..=299 => Ok(()),
        403 => {
            let message = format!("the API refuses the token for Tenant-Name `{tenant}`");
            let error = anyhow::Error::new(Problem::of(&response)).context(message);
            Err(Failure::caused(Kind::Rejected, error)
                .hint("compare the tenant with the Corti Console: --tenant NAME")
                .hint("for Corti support: corti-auth doctor --report report.txt"))
        }
        _ => Err(Problem::of(&response).into()),
    }
}

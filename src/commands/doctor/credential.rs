//! Checks that the client's secret gets a token, and that the API accepts it for the tenant. The token is discarded.

use crate::app::spinner;
use crate::app::tokens::Tokens;
use crate::domain::client::identity::Client;
use crate::domain::client::resolve::Plan;
use crate::domain::client::secret::AccessToken;
use crate::domain::corti::problem::Problem;
use crate::domain::corti::request::Request;
use crate::domain::token::reuse::CachePolicy;
use crate::domain::token::scope::ScopeRequest;
use crate::failure::{Failure, Kind};

use super::Findings;
use super::network::Network;
use super::setting::Setting;

/// Judges `mint` and `tenant`.
pub(super) async fn examine(
    tokens: &Tokens<'_>,
    setting: &Setting,
    store_works: bool,
    network: &Network,
    findings: &mut Findings<'_>,
) {
    let token = match &setting.plan {
        None => skipped("no client is known", findings),
        Some(_) if !store_works => skipped("the store cannot be used", findings),
        // A secret is shown to nobody who has not proved to be the right realm.
        Some(_) if findings.failed("discovery") => {
            skipped("the secret is not sent before the realm has shown that it is the right one", findings)
        }
        Some(_) if !network.realm => skipped("the realm is not reached", findings),
        Some(plan) => mint(tokens, plan, findings).await,
    };
    match (&setting.plan, token) {
        (Some(plan), Some(_)) if !network.api => {
            findings.skip("tenant", format!("{} is not reached", plan.client.environment.api_url()));
        }
        (Some(plan), Some(token)) => match agrees(tokens, &plan.client, &token).await {
            Ok(detail) => findings.ok("tenant", detail),
            Err(failure) => findings.fail("tenant", "", &failure),
        },
        _ => findings.skip("tenant", "there is no token"),
    }
}

fn skipped(reason: &str, findings: &mut Findings<'_>) -> Option<AccessToken> {
    findings.skip("mint", reason);
    None
}

async fn mint(tokens: &Tokens<'_>, plan: &Plan, findings: &mut Findings<'_>) -> Option<AccessToken> {
    match tokens.get(plan, &ScopeRequest::Full, CachePolicy::BYPASS).await {
        Ok(token) => {
            let detail = format!("got a full token (valid {} s) and discarded it", token.expires_in);
            findings.ok("mint", detail);
            Some(token.access_token)
        }
        Err(failure) => {
            findings.fail("mint", "", &failure);
            None
        }
    }
}

/// A harmless read with the token and the tenant.
async fn agrees(tokens: &Tokens<'_>, client: &Client, token: &AccessToken) -> Result<String, Failure> {
    let Client { environment, tenant, .. } = client;
    let request = Request::get(format!("{}/languages/", environment.api_url()), token, tenant);
    let response = spinner::show(tokens.context, "asking the API", tokens.http.send(&request)).await?;
    match response.status {
        200..=299 if response.is_html() => {
            let message = format!("the API answered {} with an HTML page", response.status);
            Err(Failure::new(Kind::Network, message)
                .hint("look for a proxy or a login page in between: corti-auth doctor -v"))
        }
        200..=299 => Ok(format!("the API accepts Tenant-Name `{tenant}`")),
        403 => {
            let problem = Problem::of(&response);
            let message = format!("the API refuses the token for Tenant-Name `{tenant}`");
            Err(Failure::caused(Kind::Rejected, anyhow::Error::new(problem).context(message))
                .hint("hold the tenant against the one that the Corti Console shows for this client: --tenant NAME")
                .hint("if it is the same, ask Corti's support what the client may do: corti-auth doctor --report report.txt"))
        }
        _ => Err(Problem::of(&response).into()),
    }
}

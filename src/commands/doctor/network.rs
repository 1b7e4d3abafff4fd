//! Checks the network to each host of the environment, then the realm and the clock.

use crate::app::route::{CLOCK_HINT, Route};
use crate::app::tokens::Tokens;
use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::corti::request::Response;
use crate::domain::explain::diagnosis::{self, Skew, Target, Verdict};
use crate::domain::explain::discovery;
use crate::edge::http_error::HttpError;
use crate::failure::{Failure, Kind};

use super::Checks;

/// The results that later checks need.
pub(super) struct Network {
    /// Why the secret must not be sent to the realm.
    pub(super) untrusted: Option<&'static str>,
    /// Whether the host of the REST API answers.
    pub(super) api: bool,
}

/// Checks `dns`, `tcp`, `tls`, `discovery` and `clock`.
pub(super) async fn examine(
    tokens: &Tokens<'_>,
    place: Option<&(Environment, Tenant)>,
    checks: &mut Checks<'_>,
) -> Network {
    let mut network = Network { untrusted: Some("cannot reach the authorization server"), api: false };
    let Some((environment, tenant)) = place else {
        let names = ["dns", "tcp", "tls", "discovery", "clock"];
        checks.skip_together("network", &names, "no environment (add --environment eu)");
        return network;
    };
    let mut realm = None;
    for target in diagnosis::targets(environment, tenant) {
        let answer = ask(tokens, &target, checks).await;
        if target.purposes.contains(&"api") {
            network.api = matches!(answer, Some(Ok(_)));
        }
        if target.purposes.contains(&"auth") {
            realm = answer;
        }
    }
    match realm {
        None => {
            checks.skip("discovery", "cannot reach the authorization server");
            checks.skip("clock", "cannot reach the authorization server");
        }
        Some(Err(error)) => {
            checks.fail("discovery", error.into());
            checks.skip("clock", "the authorization server did not answer");
        }
        Some(Ok((response, skew))) => {
            network.untrusted = match discovery::check(&response, environment, tenant) {
                Ok(()) => {
                    checks.ok("discovery", format!("the realm is `{}`", environment.issuer(tenant)));
                    None
                }
                Err(error) => {
                    checks.fail("discovery", error.into());
                    Some("the secret is not sent: this is not the right realm")
                }
            };
            clock(skew, checks);
        }
    }
    network
}

/// Checks `dns`, `tcp` and `tls` of one host. Gives its answer with the difference of the clocks; `None` if it is not reached.
async fn ask(
    tokens: &Tokens<'_>,
    target: &Target,
    checks: &mut Checks<'_>,
) -> Option<Result<(Response, Option<Skew>), HttpError>> {
    let (context, label) = (tokens.context, target.label());
    let route = Route::to(target.url.clone(), label.clone(), context);
    if route.connect(context, checks).await.is_err() {
        checks.skip("tls", format!("{label}: not reached"));
        return None;
    }
    let sent = context.host.clock.now();
    let result = route.tls(&tokens.http, context, checks).await.ok()?;
    let received = context.host.clock.now();
    Some(result.map(|response| {
        let skew = Skew::of(&response, sent, received);
        (response, skew)
    }))
}

fn clock(skew: Option<Skew>, checks: &mut Checks<'_>) {
    let Some(skew) = skew else { return checks.skip("clock", "the response has no Date header") };
    match skew.verdict() {
        Verdict::Ok => checks.ok("clock", skew.to_string()),
        Verdict::Warning => checks.warn("clock", skew.to_string(), Some(CLOCK_HINT.to_owned())),
        _ => {
            let failure = Failure::new(Kind::Configuration, skew.to_string()).hint(CLOCK_HINT);
            checks.fail("clock", failure);
        }
    }
}

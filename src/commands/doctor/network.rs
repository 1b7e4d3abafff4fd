//! The way to each host: DNS, TCP, TLS and the proxy; then the realm that answers there, and its clock.

use std::time::Duration;

use jiff::Timestamp;

use crate::app::context::Context;
use crate::app::spinner;
use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::corti::request::{Body, Method, Request, Response};
use crate::domain::explain::diagnosis::{self, Skew, Target, Verdict};
use crate::domain::explain::discovery::check_realm;
use crate::edge::connectivity;
use crate::edge::http::Http;
use crate::edge::http_error::HttpError;
use crate::edge::proxy::{self, Proxy};
use crate::failure::{Failure, Kind};

use super::Findings;

/// What was reached.
#[derive(Default)]
pub(super) struct Network {
    /// Whether the realm is the one that was meant.
    pub(super) realm: bool,
    /// Whether something answers for the REST API.
    pub(super) api: bool,
}

/// An answer to a request without credentials, and this machine's time around it.
struct Answer {
    response: Response,
    sent: Timestamp,
    received: Timestamp,
}

/// Where connections go: a host of the environment, or a proxy for one or more of them.
struct Route {
    host: String,
    port: u16,
    label: String,
    reached: bool,
}

/// Judges `dns`, `tcp`, `tls`, `discovery` and `clock`.
pub(super) async fn examine(
    context: &Context<'_>,
    http: &Http<'_>,
    place: Option<&(Environment, Tenant)>,
    findings: &mut Findings<'_>,
) -> Network {
    let Some((environment, tenant)) = place else {
        for name in ["dns", "tcp", "tls", "discovery", "clock"] {
            findings.skip(name, "no environment is known: --environment eu");
        }
        return Network::default();
    };
    let targets = diagnosis::targets(environment, tenant);
    let mut routes = routes(context, &targets);
    for route in &mut routes {
        let work = reached(route, context.options.timeout, findings);
        route.reached = spinner::show(context, "looking for the host", work).await;
    }
    let mut answers = Vec::new();
    for target in &targets {
        answers.push(answer(context, http, target, &routes, findings).await);
    }
    let api = targets
        .iter()
        .zip(&answers)
        .any(|(target, answer)| target.purposes.contains(&"api") && matches!(answer, Some(Ok(_))));
    let realm = match answers.into_iter().next().flatten() {
        Some(Ok(answer)) => judge(&answer, environment, tenant, findings),
        Some(Err(failure)) => {
            findings.fail("discovery", "", &failure);
            findings.skip("clock", "the realm did not answer");
            false
        }
        None => {
            findings.skip("discovery", "the realm's host is not reached");
            findings.skip("clock", "the realm's host is not reached");
            false
        }
    };
    Network { realm, api }
}

fn routes(context: &Context<'_>, targets: &[Target]) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    for target in targets {
        let proxy = proxy::used_for(&target.url, &context.host.env);
        let (host, port) = address(target, proxy.as_ref());
        let is_known = routes.iter().any(|route| route.host == host && route.port == port);
        if !is_known {
            let label = match &proxy {
                Some(proxy) => format!("{host}:{port} (the proxy of {})", proxy.variable),
                None => target.label(),
            };
            routes.push(Route { host, port, label, reached: false });
        }
    }
    routes
}

fn address(target: &Target, proxy: Option<&Proxy>) -> (String, u16) {
    let direct = || {
        let host = target.url.host_str().unwrap_or_default().to_owned();
        (host, target.url.port_or_known_default().unwrap_or_default())
    };
    proxy.map_or_else(direct, |proxy| (proxy.host.clone(), proxy.port))
}

/// Judges `dns` and `tcp` of one route.
async fn reached(route: &Route, limit: Duration, findings: &mut Findings<'_>) -> bool {
    let label = &route.label;
    let addresses = match connectivity::resolve(&route.host, route.port, limit).await {
        Ok(addresses) => addresses,
        Err(error) => {
            findings.fail("dns", label, &error.into());
            findings.skip("tcp", format!("{label}: it has no address"));
            return false;
        }
    };
    if connectivity::is_address(&route.host) {
        findings.skip("dns", format!("{} needs no lookup", route.host));
    } else {
        let found: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
        findings.ok("dns", format!("{label}: {}", found.join(", ")));
    }
    match connectivity::connect(&addresses, limit).await {
        Ok(address) => findings.ok("tcp", format!("{label}: connected to {address}")),
        Err(error) => {
            findings.fail("tcp", label, &error.into());
            return false;
        }
    }
    true
}

/// Judges `tls` of one host by a request without credentials. `None` where it was not reached.
async fn answer(
    context: &Context<'_>,
    http: &Http<'_>,
    target: &Target,
    routes: &[Route],
    findings: &mut Findings<'_>,
) -> Option<Result<Answer, Failure>> {
    let label = target.label();
    let proxy = proxy::used_for(&target.url, &context.host.env);
    let (host, port) = address(target, proxy.as_ref());
    let route = routes.iter().find(|route| route.host == host && route.port == port);
    let is_plain = target.url.scheme() == "http";
    if is_plain {
        findings.skip("tls", format!("{label}: plain http to this machine has no TLS and no proxy"));
    }
    if !route.is_some_and(|route| route.reached) {
        if !is_plain {
            findings.skip("tls", format!("{label}: not reached"));
        }
        return None;
    }
    let result = ask(context, http, target).await;
    if is_plain {
        return Some(result.map_err(Failure::from));
    }
    let way = proxy.map_or_else(
        || "without a proxy".to_owned(),
        |proxy| format!("through the proxy {host}:{port} of {}", proxy.variable),
    );
    match result {
        Ok(answer) => {
            let status = answer.response.status;
            findings.ok("tls", format!("{label}: trusted, answered {status}, {way}"));
            Some(Ok(answer))
        }
        // The connection stood: it is what came through it that is no HTTP.
        Err(error @ (HttpError::Broken { .. } | HttpError::TooLong(_))) => {
            findings.ok("tls", format!("{label}: trusted, {way}"));
            Some(Err(error.into()))
        }
        Err(error) => {
            findings.fail("tls", &format!("{label}, {way}"), &with_clock_hint(error));
            None
        }
    }
}

/// A certificate that is not valid now is most often one that is not valid by this machine's clock.
fn with_clock_hint(error: HttpError) -> Failure {
    let text = error.to_string();
    let failure = Failure::from(error);
    if text.contains("expired") || text.contains("not valid yet") {
        return failure.hint(format!("check this machine's clock, too: {CLOCK_HINT}"));
    }
    failure
}

async fn ask(context: &Context<'_>, http: &Http<'_>, target: &Target) -> Result<Answer, HttpError> {
    let request = Request {
        method: Method::Get,
        url: target.url.to_string(),
        bearer: None,
        tenant: None,
        body: Body::Empty,
        // A repetition would make the way look longer than it is.
        repeatable: false,
    };
    let clock = context.host.clock;
    let sent = clock.now();
    let response = spinner::show(context, "asking the host", http.send(&request)).await?;
    Ok(Answer { response, sent, received: clock.now() })
}

/// Judges `discovery` and `clock`, and says whether the realm is the right one.
fn judge(answer: &Answer, environment: &Environment, tenant: &Tenant, findings: &mut Findings<'_>) -> bool {
    let realm = check_realm(&answer.response, environment, tenant);
    let is_right = realm.is_ok();
    match realm {
        Ok(()) => findings.ok("discovery", format!("the realm is `{}`", environment.issuer(tenant))),
        Err(error) => findings.fail("discovery", "", &error.into()),
    }
    let Some(skew) = Skew::of(&answer.response, answer.sent, answer.received) else {
        findings.skip("clock", "the answer has no date");
        return is_right;
    };
    match skew.verdict() {
        Verdict::Ok => findings.ok("clock", skew.to_string()),
        Verdict::Warning => findings.warn("clock", skew.to_string(), CLOCK_HINT),
        _ => {
            let failure = Failure::new(Kind::Configuration, skew.to_string()).hint(CLOCK_HINT);
            findings.fail("clock", "", &failure);
        }
    }
    is_right
}

const CLOCK_HINT: &str = if cfg!(windows) {
    "w32tm /resync"
} else if cfg!(target_os = "macos") {
    "sudo sntp -sS time.apple.com"
} else {
    "sudo timedatectl set-ntp true"
};

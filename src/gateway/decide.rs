//! Forward-auth: an engine asks whether a request may pass, and forwards it to Corti itself.
//!
//! The answer has the target, the token and the tenant that the engine sends instead of the caller's. So the engine proves with
//! a key that it is the engine, and gets a limited token unless `full = true`. Nothing here counts what is open: only the inline
//! proxy limits WebSockets, sessions, requests at once and bodies.

use std::sync::Arc;

use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, HOST, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::admission::{authenticate, authorize};
use super::forward::{bearer, target};
use super::record::Record;
use super::state::{Gateway, OwnToken};
use super::tunnel::{self, upstream_query};
use crate::domain::gateway::operation::without_credentials;
use crate::domain::gateway::refusal::{Code, Refusal};

const ENGINE_KEY: &str = "x-corti-engine-key";

/// The caller's headers that the decision depends on.
const DECIDING: [HeaderName; 7] = [
    HOST,
    ORIGIN,
    AUTHORIZATION,
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION,
    HeaderName::from_static("sec-fetch-site"),
];

/// How an engine tells which request it asks about, by headers that it sets whatever the caller sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `auth_request`: in `X-Corti-Method`, `X-Corti-Uri` and `X-Corti-Upgrade`. It understands no refusals but 401 and 403.
    Nginx,
    /// `forward_auth`: in `X-Forwarded-Method`, `X-Forwarded-Uri` and `Upgrade`.
    Caddy,
    /// `ext_authz`: by the method, the path behind `/decide/envoy`, and `Upgrade`.
    Envoy,
}

impl Dialect {
    /// That of a path below `/decide/`. Envoy puts the caller's path behind its own.
    pub(super) fn of(path: &str) -> Option<Self> {
        match path.strip_prefix("/decide/")? {
            "nginx" => Some(Self::Nginx),
            "caddy" => Some(Self::Caddy),
            path if path.starts_with("envoy/") => Some(Self::Envoy),
            _ => None,
        }
    }

    /// The request that the engine asks about, without its body.
    fn asked(self, request: &Parts) -> Option<Parts> {
        let header = |name: &str| single(&request.headers, name);
        let upgrade =
            HeaderName::from_static(if self == Self::Nginx { "x-corti-upgrade" } else { "upgrade" });
        let (method, target) = match self {
            Self::Nginx => (header("x-corti-method")?, header("x-corti-uri")?),
            Self::Caddy => (header("x-forwarded-method")?, header("x-forwarded-uri")?),
            Self::Envoy => {
                let target = request.uri.path_and_query()?.as_str();
                (request.method.as_str(), target.strip_prefix("/decide/envoy")?)
            }
        };
        let (mut asked, ()) = Request::builder().method(method).uri(target).body(()).ok()?.into_parts();
        let names = DECIDING.into_iter().map(|name| (name.clone(), name)).chain([(UPGRADE, upgrade)]);
        for (name, sent) in names {
            for value in request.headers.get_all(sent) {
                asked.headers.append(name.clone(), value.clone());
            }
        }
        // The engine sends Corti its own.
        asked.headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        Some(asked)
    }
}

/// The value of a header that occurs exactly once.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())?.to_str().ok()
}

/// Decides on the request that an engine describes.
pub(super) async fn answer(
    gateway: &Arc<Gateway>,
    dialect: Dialect,
    request: &Parts,
    record: &Arc<Record>,
) -> Result<Response, Refusal> {
    check_engine(gateway, &request.headers)?;
    let unclear =
        || Refusal::new(Code::REQUEST_INVALID, "the engine does not say which request it asks about");
    let asked = dialect.asked(request).ok_or_else(unclear)?;
    let (authenticated, ticket) = authenticate(gateway, &asked, record).await?;
    let (call, own_only) = authorize(gateway, &asked, &authenticated, ticket.as_ref(), record).await?;
    if call.operation.is_socket() && tunnel::key(&asked.method, &asked.headers).is_none() {
        return Err(Refusal::new(Code::REQUEST_INVALID, "this is not a WebSocket's handshake"));
    }
    let token = OwnToken::of(&call);
    if token == OwnToken::Full && !gateway.config.decide.as_ref().is_some_and(|decide| decide.full) {
        let detail = "forward-auth serves only WebSockets here: [decide] does not set full = true";
        return Err(Refusal::new(Code::OPERATION_DENIED, detail));
    }
    if call.needs_body_check(own_only) {
        let detail = "forward-auth cannot check an update of your own interaction";
        return Err(Refusal::new(Code::OPERATION_DENIED, detail));
    }
    // The engine sends the change after this: an owner that is looked up in between stays for up to a minute (docs/serve.md).
    gateway.forget_owner(&call);
    let (access, _) = gateway.token(token, None).await?;
    let query = asked.uri.query();
    let target = match token {
        OwnToken::Full => target(&call, query),
        OwnToken::Socket(_) => {
            let query = without_credentials(query.unwrap_or_default());
            format!("{}?{}", call.path, upstream_query(&query, gateway.tenant.as_str(), &access))
        }
    };
    let given = [
        (CACHE_CONTROL, Some(HeaderValue::from_static("no-store"))),
        (AUTHORIZATION, bearer(&access)),
        (HeaderName::from_static("tenant-name"), HeaderValue::from_str(gateway.tenant.as_str()).ok()),
        (HeaderName::from_static("x-corti-target"), HeaderValue::from_str(&target).ok()),
    ];
    let given = given.into_iter().map(|(name, value)| Some((name, value?))).collect::<Option<HeaderMap>>();
    let invalid = || Refusal::new(Code::UPSTREAM_INVALID, "Corti's token cannot be sent in a header");
    let mut given = given.ok_or_else(invalid)?;
    if let Some(protocol) = authenticated.protocol {
        given.insert("x-corti-protocol", HeaderValue::from_static(protocol));
    }
    Ok((StatusCode::OK, given).into_response())
}

/// A refusal as nginx understands it: 401 or 403, and the real answer in headers.
pub(super) fn for_nginx(mut response: Response, problem: &Value) -> Response {
    let status = response.status();
    let headers = response.headers_mut();
    headers.insert("x-corti-status", status.as_u16().into());
    if let Ok(problem) = HeaderValue::from_str(&problem.to_string()) {
        headers.insert("x-corti-problem", problem);
    }
    if status != StatusCode::UNAUTHORIZED {
        *response.status_mut() = StatusCode::FORBIDDEN;
    }
    response
}

/// Refuses whoever does not have the engine's key.
fn check_engine(gateway: &Gateway, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(known) = &gateway.engine_key_hash else {
        return Err(Refusal::new(Code::ROUTE_UNKNOWN, "forward-auth is off: serve.toml has no [decide]"));
    };
    let digest = single(headers, ENGINE_KEY).map(|given| <[u8; 32]>::from(Sha256::digest(given.as_bytes())));
    if digest.is_some_and(|digest| bool::from(known.ct_eq(&digest))) {
        return Ok(());
    }
    Err(Refusal::new(Code::ENGINE_KEY_INVALID, "the engine's key is missing or wrong"))
}

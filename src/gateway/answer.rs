//! Answers one request: finds out who asks for what, asks the rules, and passes it on.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION,
    CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN, RETRY_AFTER, SEC_WEBSOCKET_PROTOCOL,
    UPGRADE, VARY, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use tokio::time::timeout;
use uuid::Uuid;

use super::record::Record;
use super::state::{Allowed, Gateway};
use super::{broker, inline, tunnel};
use crate::domain::gateway::operation::{self, Call};
use crate::domain::gateway::place::{self, Found};
use crate::domain::gateway::refusal::{Code, Refusal};
use crate::domain::gateway::rules;
use crate::domain::gateway::ticket::Ticket;

/// How long an upgrade may take. The SDK gives up after 4 s.
const UPGRADE_LIMIT: Duration = Duration::from_millis(3500);

/// How long any other answer may take to begin, uploads and streams included.
const REQUEST_LIMIT: Duration = Duration::from_secs(45 * 60);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The answer to a request, which always says which request it was.
pub(super) async fn answer(gateway: Arc<Gateway>, request: Request) -> Response {
    let id = Uuid::new_v4().to_string();
    let mut record = Record::new(&gateway.journal, id.clone());
    let origin = request.headers().get(ORIGIN).cloned();
    let path_is_ours = ["/corti/", "/broker/"].iter().any(|start| request.uri().path().starts_with(start));
    let answered = match check_page(&gateway, request.headers()) {
        Err(refusal) => Err(refusal),
        Ok(_) if request.method() == Method::OPTIONS && is_preflight(request.headers()) => Ok(preflight()),
        Ok(_) if !path_is_ours && request.method() == Method::GET && gateway.page.is_some() => {
            match &gateway.page {
                Some(page) => Ok(page.answer(request.uri().path()).await),
                None => Ok(Response::default()),
            }
        }
        Ok(page) => {
            let is_upgrade = request.headers().contains_key(UPGRADE);
            let limit = if is_upgrade { UPGRADE_LIMIT } else { REQUEST_LIMIT };
            let dispatched = timeout(limit, Box::pin(dispatch(&gateway, request, page, &mut record))).await;
            let late =
                || Refusal::later(Code::UpstreamUnreachable, "there was no answer in time", UPGRADE_LIMIT);
            dispatched.unwrap_or_else(|_| Err(late()))
        }
    };
    let mut response = match answered {
        Ok(response) => {
            record.outcome = "ok";
            response
        }
        Err(refusal) => {
            record.outcome = refusal.code.parts().0;
            refused(&refusal, &id)
        }
    };
    record.answered(response.status().as_u16());
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(origin) = origin.filter(|origin| gateway.accepts_origin(origin)) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("x-request-id, retry-after"));
    }
    headers.append(VARY, HeaderValue::from_static("Origin"));
    // A WebSocket keeps its record until it ends.
    match response.extensions_mut().remove::<tunnel::Pending>() {
        Some(pending) => pending.start(record),
        None => response = response.map(|body| inline::counted(body, record)),
    }
    response
}

/// Refuses foreign hosts, against DNS rebinding, and foreign pages. Returns the page's origin.
fn check_page(gateway: &Gateway, headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let is_repeated = |name| headers.get_all(name).iter().nth(1).is_some();
    if is_repeated(HOST) || is_repeated(ORIGIN) {
        return Err(Refusal::new(Code::RequestInvalid, "Host or Origin is given twice"));
    }
    let host = headers.get(HOST).and_then(|it| it.to_str().ok());
    if !host.is_some_and(|host| gateway.hosts.iter().any(|own| own.eq_ignore_ascii_case(host))) {
        return Err(Refusal::new(Code::HostUnknown, "the Host header names another server"));
    }
    match headers.get(ORIGIN) {
        Some(origin) if gateway.accepts_origin(origin) => Ok(origin.to_str().ok().map(str::to_owned)),
        Some(_) => {
            Err(Refusal::new(Code::OriginDenied, "this page's origin is not one of the gateway's `origins`"))
        }
        None => Ok(None),
    }
}

/// Browsers send `Sec-Fetch-Site` with every request, and `Origin` with every one that could change something.
fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
}

fn is_preflight(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The headers of `@corti/sdk`, and what a page needs besides.
fn preflight() -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PATCH, DELETE"),
        (
            ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, accept, tenant-name, range, x-corti-analytics, x-fern-language, x-fern-sdk-name, \
             x-fern-sdk-version, x-fern-runtime, x-fern-runtime-version",
        ),
        (ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

async fn dispatch(
    gateway: &Arc<Gateway>,
    request: Request,
    origin: Option<String>,
    record: &mut Record,
) -> Result<Response, Refusal> {
    if origin.is_none() && comes_from_elsewhere(request.headers()) {
        return Err(Refusal::new(Code::OriginDenied, "a page sent this without an Origin header"));
    }
    // The target as it was sent: in its absolute form it names a host.
    if request.uri().authority().is_some() {
        return Err(Refusal::new(Code::PathInvalid, "the request target is not a path"));
    }
    let is_upgrade = request.headers().contains_key(UPGRADE);
    let is_socket = request.uri().path().starts_with("/corti/audio-bridge/");
    let found = credential(&request, is_upgrade && is_socket)?;
    let (caller, ticket) = gateway.identify(&found.credential).await?;
    record.caller = Some(caller.id.clone());
    let permissions = gateway.config.rules.permissions(&caller.groups);
    gateway.throttle.request(&caller.id, &permissions.limits)?;
    let session = permissions.limits.session;
    // A ticket is for one session, however often it is used.
    let session = if ticket.is_some() { caller.remaining(gateway.clock.now(), session) } else { session };
    let allowed = Allowed { caller, permissions, origin, protocol: found.protocol, session };
    let path = request.uri().path().to_owned();
    if path.starts_with("/broker/") {
        if ticket.is_some() {
            return Err(Refusal::new(Code::OperationDenied, "a ticket opens one WebSocket and nothing else"));
        }
        return broker::answer(gateway, request, &allowed, record).await;
    }
    if !gateway.config.proxy {
        return Err(Refusal::new(Code::RouteUnknown, "this gateway forwards no calls"));
    }
    let call = operation::find(request.method().as_str(), &path)?;
    record.operation = call.operation.name;
    if call.operation.is_socket() != is_upgrade {
        let detail =
            if is_upgrade { "this operation is no WebSocket" } else { "this operation is a WebSocket" };
        return Err(Refusal::new(Code::RequestInvalid, detail));
    }
    let owned = allowed.permissions.decide(&call)?;
    match (&ticket, owned) {
        // It was made for this interaction, after its owner was checked.
        (Some(ticket), _) => check_ticket(ticket, &call, allowed.origin.as_deref())?,
        (None, Some(interaction)) => {
            rules::check_owner(gateway.owner(interaction).await?, &allowed.caller)?;
        }
        (None, None) => {}
    }
    if is_upgrade {
        tunnel::open(gateway, request, &call, &allowed).await
    } else {
        let answered =
            inline::forward(gateway, request, &call, &allowed.permissions.limits, owned.is_some(), record)
                .await;
        if let Some(interaction) = owned.filter(|_| call.operation.method != "GET") {
            gateway.forget_owner(interaction);
        }
        answered
    }
}

fn check_ticket(ticket: &Ticket, call: &Call, origin: Option<&str>) -> Result<(), Refusal> {
    if ticket.operation != call.operation.name || ticket.interaction != call.interaction {
        return Err(Refusal::new(Code::OperationDenied, "the ticket is for another WebSocket"));
    }
    if ticket.origin.as_deref() != origin {
        return Err(Refusal::new(Code::OriginDenied, "the ticket is for another page"));
    }
    Ok(())
}

fn credential(request: &Request, is_upgrade: bool) -> Result<Found, Refusal> {
    fn texts(headers: &HeaderMap, name: HeaderName) -> Vec<Option<&str>> {
        headers.get_all(name).iter().map(|value| value.to_str().ok()).collect()
    }
    place::find(place::Request {
        authorization: &texts(request.headers(), AUTHORIZATION),
        protocols: &texts(request.headers(), SEC_WEBSOCKET_PROTOCOL),
        query: request.uri().query().unwrap_or_default(),
        is_upgrade,
    })
}

/// A refusal as a problem.
fn refused(refusal: &Refusal, id: &str) -> Response {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [(CONTENT_TYPE, "application/problem+json"), (CACHE_CONTROL, "no-store")];
    let mut response = (status, headers, Body::from(refusal.problem(id).to_string())).into_response();
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = refusal.retry_after_seconds() {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

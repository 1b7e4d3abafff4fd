//! Answers one request: finds out who asks for what, asks the rules, and passes it on.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN, RETRY_AFTER,
    SEC_WEBSOCKET_PROTOCOL, UPGRADE, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use tokio::time::timeout;
use tower_http::cors::{AllowOrigin, CorsLayer};
use uuid::Uuid;

use super::page::Page;
use super::record::{self, Record};
use super::state::{Allowed, Gateway};
use super::{broker, forward, page, tunnel};
use crate::domain::gateway::credential::{self, Found};
use crate::domain::gateway::operation::{self, Call};
use crate::domain::gateway::refusal::{Code, Refusal};
use crate::domain::gateway::rules;
use crate::domain::gateway::ticket::Ticket;

/// How long an upgrade may take. The SDK gives up after 4 s.
const UPGRADE_LIMIT: Duration = Duration::from_millis(3500);

/// How long any other answer may take to begin, uploads and streams included.
const REQUEST_LIMIT: Duration = Duration::from_secs(45 * 60);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Which pages of other origins may read our answers.
pub(super) fn cors(gateway: &Arc<Gateway>) -> CorsLayer {
    let gateway = Arc::clone(gateway);
    let is_listed = move |origin: &HeaderValue, _: &_| accepts_origin(&gateway, origin);
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(is_listed))
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers(
            forward::FORWARDED
                .into_iter()
                .chain(["authorization", "tenant-name"])
                .map(HeaderName::from_static)
                .collect::<Vec<_>>(),
        )
        .expose_headers([REQUEST_ID, forward::CORTIS_ID, RETRY_AFTER])
        .max_age(Duration::from_secs(600))
}

/// The answer to a request, which always says which request it was.
pub(super) async fn answer(gateway: Arc<Gateway>, request: Request) -> Response {
    let record = Arc::new(Record::new(&gateway.journal));
    let id = record.entry().request;
    let is_page = page_of(&gateway, &request).is_some();
    let limit = if asks_for_socket(&request) { UPGRADE_LIMIT } else { REQUEST_LIMIT };
    let request = request.map(|body| record::counted(body, &record, |entry| &mut entry.bytes_in));
    let answered = timeout(limit, Box::pin(answer_to(&gateway, request, &record))).await;
    let late = || Refusal::later(Code::UPSTREAM_UNREACHABLE, "the gateway timed out", Duration::from_secs(1));
    let (mut response, outcome) = match answered.unwrap_or_else(|_| Err(late())) {
        Ok(response) => (response, "ok"),
        // A browser shows it to whoever opened the page.
        Err(refusal) if is_page => (page::refused(&refusal, &gateway.config.public_url), refusal.code.0),
        Err(refusal) => (refused(&refusal, id), refusal.code.0),
    };
    record.answered(response.status().as_u16(), outcome);
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response.map(|body| record::counted(body, &record, |entry| &mut entry.bytes_out))
}

async fn answer_to(
    gateway: &Arc<Gateway>,
    request: Request,
    record: &Arc<Record>,
) -> Result<Response, Refusal> {
    let origin = check_page(gateway, request.headers())?;
    let path = request.uri().path().to_owned();
    if let Some(page) = page_of(gateway, &request) {
        return Ok(page.answer(&path).await);
    }
    if origin.is_none() && comes_from_elsewhere(request.headers()) {
        return Err(Refusal::new(Code::ORIGIN_DENIED, "a page sent this without an Origin header"));
    }
    // An absolute target could name another host than `Host`.
    if request.uri().authority().is_some() {
        return Err(Refusal::new(Code::PATH_INVALID, "the request target is not a path"));
    }
    let (allowed, ticket) = admit(gateway, credential(&request)?, origin, record).await?;
    if !asks_for_socket(&request) {
        let open = gateway.throttle.open_request(&allowed.caller.id, &allowed.permissions.limits)?;
        let _ = record.open.set(open);
    }
    if !path.starts_with("/broker/") {
        return proxied(gateway, request, &allowed, ticket.as_ref(), record).await;
    }
    if ticket.is_some() {
        return Err(Refusal::new(Code::OPERATION_DENIED, "a ticket opens one WebSocket and nothing else"));
    }
    broker::answer(gateway, request, &allowed, record).await
}

/// Whether it asks for a WebSocket. Every other `Upgrade` is ignored, as HTTP allows (RFC 9110, section 7.8): some clients offer
/// HTTP/2 with each request.
fn is_websocket(headers: &HeaderMap) -> bool {
    headers.get(UPGRADE).is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Whether it asks for one of Corti's WebSockets.
fn asks_for_socket(request: &Request) -> bool {
    request.uri().path().starts_with("/corti/audio-bridge/") && is_websocket(request.headers())
}

/// The page of `--static`, if the request is for a file of it.
fn page_of<'a>(gateway: &'a Gateway, request: &Request) -> Option<&'a Page> {
    let path = request.uri().path();
    let is_ours = path.starts_with("/corti/") || path.starts_with("/broker/");
    gateway.page.as_ref().filter(|_| !is_ours && request.method() == Method::GET)
}

/// Refuses foreign hosts, against DNS rebinding, and foreign pages. Returns the page's origin.
fn check_page(gateway: &Gateway, headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let is_repeated = |name| headers.get_all(name).iter().nth(1).is_some();
    if is_repeated(HOST) || is_repeated(ORIGIN) {
        return Err(Refusal::new(Code::REQUEST_INVALID, "Host or Origin is given twice"));
    }
    let host = headers.get(HOST).and_then(|it| it.to_str().ok());
    if !host.is_some_and(|host| gateway.hosts.iter().any(|own| own.eq_ignore_ascii_case(host))) {
        return Err(Refusal::new(Code::HOST_UNKNOWN, "the Host header names another server"));
    }
    let Some(origin) = headers.get(ORIGIN) else { return Ok(None) };
    if accepts_origin(gateway, origin) {
        return Ok(origin.to_str().ok().map(str::to_owned));
    }
    Err(Refusal::new(Code::ORIGIN_DENIED, "this page's origin is not one of the gateway's `origins`"))
}

fn accepts_origin(gateway: &Gateway, origin: &HeaderValue) -> bool {
    origin.to_str().is_ok_and(|origin| gateway.config.origins.contains(origin))
}

/// Browsers send `Sec-Fetch-Site` with every request, and `Origin` with every one that could change something.
fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
}

/// Finds out who asks and what this caller may do, and counts the request.
async fn admit(
    gateway: &Gateway,
    found: Found,
    origin: Option<String>,
    record: &Record,
) -> Result<(Allowed, Option<Ticket>), Refusal> {
    let (caller, ticket) = gateway.identify(&found.credential).await?;
    record.entry().caller = Some(caller.id.clone());
    let permissions = gateway.permissions(&caller.groups);
    gateway.throttle.request(&caller.id, &permissions.limits)?;
    let session = permissions.limits.session;
    // A ticket is for one session, however often it is used.
    let session = if ticket.is_some() { caller.remaining(gateway.clock.now(), session) } else { session };
    Ok((Allowed { caller, permissions, origin, protocol: found.protocol, session }, ticket))
}

fn credential(request: &Request) -> Result<Found, Refusal> {
    let texts = |name: HeaderName| -> Vec<Option<&str>> {
        request.headers().get_all(name).iter().map(|value| value.to_str().ok()).collect()
    };
    credential::find(credential::Request {
        authorization: &texts(AUTHORIZATION),
        protocols: &texts(SEC_WEBSOCKET_PROTOCOL),
        query: request.uri().query().unwrap_or_default(),
        is_upgrade: asks_for_socket(request),
    })
}

/// Passes a call on to Corti, if the caller may make it.
async fn proxied(
    gateway: &Arc<Gateway>,
    request: Request,
    allowed: &Allowed,
    ticket: Option<&Ticket>,
    record: &Arc<Record>,
) -> Result<Response, Refusal> {
    if !gateway.config.proxy.enabled {
        return Err(Refusal::new(
            Code::ROUTE_UNKNOWN,
            "this gateway serves only /broker/v1/ (proxy is disabled)",
        ));
    }
    let call = operation::find(request.method().as_str(), request.uri().path())?;
    record.entry().operation = call.operation.name;
    if call.operation.is_socket() != is_websocket(request.headers()) {
        let is_socket = call.operation.is_socket();
        let detail = if is_socket {
            "this path accepts only WebSockets"
        } else {
            "this path does not accept WebSockets"
        };
        return Err(Refusal::new(Code::REQUEST_INVALID, detail));
    }
    let owned = allowed.permissions.decide(&call)?;
    match (ticket, owned) {
        // It was made for this interaction, after its owner was checked.
        (Some(ticket), _) => check_ticket(ticket, &call, allowed.origin.as_deref())?,
        (None, Some(interaction)) => {
            rules::check_owner(gateway.owner(interaction).await?, allowed.caller.user)?;
        }
        (None, None) => {}
    }
    if call.operation.is_socket() {
        return tunnel::open(gateway, request, &call, allowed, record).await;
    }
    let answer = forward::forward(gateway, request, &call, allowed, owned.is_some()).await;
    if call.operation.method != "GET"
        && let Some(interaction) = &call.interaction
    {
        // Its owner may have changed.
        gateway.owners.remove(interaction);
    }
    answer
}

fn check_ticket(ticket: &Ticket, call: &Call, origin: Option<&str>) -> Result<(), Refusal> {
    if ticket.operation != call.operation.name || ticket.interaction != call.interaction {
        return Err(Refusal::new(Code::OPERATION_DENIED, "the ticket is for another WebSocket"));
    }
    if ticket.origin.as_deref() != origin {
        return Err(Refusal::new(Code::ORIGIN_DENIED, "the ticket is for another page"));
    }
    Ok(())
}

/// A refusal as a problem.
fn refused(refusal: &Refusal, id: Uuid) -> Response {
    let status = StatusCode::from_u16(refusal.code.1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [(CONTENT_TYPE, "application/problem+json"), (CACHE_CONTROL, "no-store")];
    let mut response = (status, headers, refusal.problem(id).to_string()).into_response();
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = refusal.retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

//! Authenticates the caller of a request and authorizes the call, also when an engine only describes the request.

use axum::http::HeaderMap;
use axum::http::header::{
    AUTHORIZATION, HOST, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use axum::http::request::Parts;

use super::record::Record;
use super::state::{Authenticated, Gateway};
use crate::domain::gateway::credential::{self, Found};
use crate::domain::gateway::operation::{self, Call};
use crate::domain::gateway::refusal::{Code, Refusal};
use crate::domain::gateway::rules;
use crate::domain::gateway::ticket::Ticket;

/// Finds out who asks and what the rules allow this caller, and counts the request.
pub(super) async fn authenticate(
    gateway: &Gateway,
    asked: &Parts,
    record: &Record,
) -> Result<(Authenticated, Option<Ticket>), Refusal> {
    let origin = check_host_and_origin(gateway, &asked.headers)?;
    if origin.is_none() && comes_from_elsewhere(&asked.headers) {
        return Err(Refusal::new(Code::ORIGIN_DENIED, "a page sent this without an Origin header"));
    }
    // An absolute target could name another host than `Host`.
    if asked.uri.authority().is_some() {
        return Err(Refusal::new(Code::PATH_INVALID, "the request target is not a path"));
    }
    let found = credential(asked)?;
    let (caller, ticket) = gateway.identify(&found.credential).await?;
    record.set_caller(&caller.id);
    let permissions = gateway.permissions(&caller.groups);
    gateway.throttle.request(&caller.id, &permissions.limits)?;
    let session = permissions.limits.session;
    // A ticket is for one session, however often it is used.
    let session = if ticket.is_some() { caller.remaining(gateway.clock.now(), session) } else { session };
    Ok((Authenticated { caller, permissions, origin, protocol: found.protocol, session }, ticket))
}

fn credential(asked: &Parts) -> Result<Found, Refusal> {
    let texts = |name: HeaderName| -> Vec<Option<&str>> {
        asked.headers.get_all(name).iter().map(|value| value.to_str().ok()).collect()
    };
    credential::find(credential::Request {
        authorization: &texts(AUTHORIZATION),
        protocols: &texts(SEC_WEBSOCKET_PROTOCOL),
        query: asked.uri.query().unwrap_or_default(),
        is_upgrade: asks_for_socket(asked),
    })
}

/// Finds the operation, if the caller may do it, and whether only for the caller's own interactions.
pub(super) async fn authorize(
    gateway: &Gateway,
    asked: &Parts,
    authenticated: &Authenticated,
    ticket: Option<&Ticket>,
    record: &Record,
) -> Result<(Call, bool), Refusal> {
    let call = operation::find(asked.method.as_str(), asked.uri.path())?;
    record.entry().operation = call.operation.name;
    if call.operation.is_socket() != is_websocket(&asked.headers) {
        let is_socket = call.operation.is_socket();
        let detail = if is_socket {
            "this path accepts only WebSockets"
        } else {
            "this path does not accept WebSockets"
        };
        return Err(Refusal::new(Code::REQUEST_INVALID, detail));
    }
    let own = authenticated.permissions.decide(&call)?;
    match (ticket, own) {
        // A ticket was made for its interaction, whose owner was checked then.
        (Some(ticket), _) => check_ticket(ticket, &call, authenticated.origin.as_deref())?,
        (None, Some(interaction)) => {
            rules::check_owner(gateway.owner(interaction).await?, authenticated.caller.user)?;
        }
        (None, None) => {}
    }
    Ok((call, own.is_some()))
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

/// Refuses foreign hosts, against DNS rebinding, and foreign pages. Returns the page's origin.
pub(super) fn check_host_and_origin(
    gateway: &Gateway,
    headers: &HeaderMap,
) -> Result<Option<String>, Refusal> {
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

pub(super) fn accepts_origin(gateway: &Gateway, origin: &HeaderValue) -> bool {
    origin.to_str().is_ok_and(|origin| gateway.config.origins.contains(origin))
}

/// Browsers send `Sec-Fetch-Site` with every request, and `Origin` with every one that could change something.
fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
}

/// Whether it asks for a WebSocket. Every other `Upgrade` is ignored, as HTTP allows (RFC 9110, section 7.8): some clients offer
/// HTTP/2 with each request.
fn is_websocket(headers: &HeaderMap) -> bool {
    headers.get(UPGRADE).is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Whether it asks for one of Corti's WebSockets.
pub(super) fn asks_for_socket(asked: &Parts) -> bool {
    asked.uri.path().starts_with("/corti/audio-bridge/") && is_websocket(&asked.headers)
}

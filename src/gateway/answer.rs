//! Answers one request: authenticates its caller, authorizes it, and passes it on.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use tokio::time::timeout;
use tower_http::cors::{AllowOrigin, CorsLayer};
use uuid::Uuid;

use super::admission::{accepts_origin, asks_for_socket, authenticate, authorize, check_host_and_origin};
use super::decide::Dialect;
use super::page::Page;
use super::record::{self, Record};
use super::state::{Authenticated, Gateway};
use super::{broker, decide, forward, linger, page, tunnel};
use crate::domain::gateway::refusal::{Code, Refusal};
use crate::domain::gateway::ticket::Ticket;

/// How long an upgrade, or an engine's question, may take. The SDK gives up after 4 s.
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
    let (asked, body) = request.into_parts();
    let (page, dialect) = (page_of(&gateway, &asked), Dialect::of(asked.uri.path()));
    let limit = if dialect.is_some() || asks_for_socket(&asked) { UPGRADE_LIMIT } else { REQUEST_LIMIT };
    let body = record::counted(linger::drain_on_drop(body), &record, |entry| &mut entry.bytes_in);
    let answered = timeout(limit, Box::pin(answer_to(&gateway, asked, body, page, dialect, &record))).await;
    let late = || Refusal::later(Code::UPSTREAM_UNREACHABLE, "the gateway timed out", Duration::from_secs(1));
    let (mut response, outcome) = match answered.unwrap_or_else(|_| Err(late())) {
        Ok(response) => (response, "ok"),
        Err(refusal) => {
            let response = match (page, dialect) {
                // A browser shows it to whoever opened the page.
                (Some(_), _) => page::refused(&refusal, &gateway.config.public_url),
                (None, Some(Dialect::Nginx)) => {
                    decide::for_nginx(refused(&refusal, id), &refusal.problem(id))
                }
                _ => refused(&refusal, id),
            };
            (response, refusal.code.0)
        }
    };
    record.answered(response.status().as_u16(), outcome);
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response.map(|body| record::counted(body, &record, |entry| &mut entry.bytes_out))
}

async fn answer_to(
    gateway: &Arc<Gateway>,
    asked: Parts,
    body: Body,
    page: Option<&Page>,
    dialect: Option<Dialect>,
    record: &Arc<Record>,
) -> Result<Response, Refusal> {
    if let Some(dialect) = dialect {
        return decide::answer(gateway, dialect, &asked, record).await;
    }
    let path = asked.uri.path();
    if let Some(page) = page {
        check_host_and_origin(gateway, &asked.headers)?;
        return Ok(page.answer(path).await);
    }
    let (authenticated, ticket) = authenticate(gateway, &asked, record).await?;
    if !asks_for_socket(&asked) {
        let open =
            gateway.throttle.open_request(&authenticated.caller.id, &authenticated.permissions.limits)?;
        let _ = record.open.set(open);
    }
    if !path.starts_with("/broker/") {
        return proxied(gateway, Request::from_parts(asked, body), &authenticated, ticket.as_ref(), record)
            .await;
    }
    if ticket.is_some() {
        return Err(Refusal::new(Code::OPERATION_DENIED, "a ticket opens one WebSocket and nothing else"));
    }
    broker::answer(gateway, Request::from_parts(asked, body), &authenticated, record).await
}

/// The page of `--static`, if the request is for a file of it.
fn page_of<'a>(gateway: &'a Gateway, asked: &Parts) -> Option<&'a Page> {
    let path = asked.uri.path();
    let is_ours = path.starts_with("/corti/") || path.starts_with("/broker/");
    gateway.page.as_ref().filter(|_| !is_ours && asked.method == Method::GET)
}

/// Passes a call on to Corti, if the caller may make it.
async fn proxied(
    gateway: &Arc<Gateway>,
    request: Request,
    authenticated: &Authenticated,
    ticket: Option<&Ticket>,
    record: &Arc<Record>,
) -> Result<Response, Refusal> {
    if !gateway.config.proxy.enabled {
        return Err(Refusal::new(
            Code::ROUTE_UNKNOWN,
            "this gateway serves only /broker/v1/ (proxy is disabled)",
        ));
    }
    let (asked, body) = request.into_parts();
    let (call, own_only) = authorize(gateway, &asked, authenticated, ticket, record).await?;
    let request = Request::from_parts(asked, body);
    if call.operation.is_socket() {
        return tunnel::open(gateway, request, &call, authenticated, record).await;
    }
    let answer = forward::forward(gateway, request, &call, authenticated, own_only).await;
    gateway.forget_owner(&call);
    answer
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

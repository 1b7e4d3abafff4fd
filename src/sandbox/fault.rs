//! Turns the knobs into faults: latency and a wrong date for every answer, failures and cut-off bodies for the token
//! endpoint, failures of the API, connections that are dropped.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, DATE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use tokio::net::TcpStream;

use super::MAX_BYTES;
use super::knobs::{ApiFault, Fault};
use super::problem::Problem;
use super::state::Shared;
use super::token::{Realm, is_known};

/// Waits as long as the latency says, and dates the answer by the server's own clock.
pub(super) async fn every_answer(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let latency = Duration::from_millis(shared.knobs().latency_ms);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let mut response = next.run(request).await;
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&shared.now());
    if let Some(value) = date.ok().and_then(|date| HeaderValue::try_from(date).ok()) {
        response.headers_mut().insert(DATE, value);
    }
    response
}

/// Fails token requests, or cuts their answers off. A preflight, another method or another tenant is no token request.
pub(super) async fn token_request(
    State(shared): State<Arc<Shared>>,
    realm: Realm,
    request: Request,
    next: Next,
) -> Response {
    if request.method() != Method::POST || !is_known(&shared, &realm) {
        return next.run(request).await;
    }
    shared.counters.token_request();
    // Its own statement: the lock must be gone before the answer is waited for.
    let fault = shared.knobs().take_fault();
    match fault {
        None => next.run(request).await,
        Some(Fault::Status(status, retry_after)) => failure(status, retry_after),
        Some(Fault::Truncated) => truncated(next.run(request).await).await,
    }
}

fn failure(status: u16, retry_after: Option<u32>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let body = json!({
        "error": "temporarily_unavailable", "error_description": "the sandbox was told to fail this request",
    });
    later((status, Json(body)).into_response(), retry_after)
}

/// Fails requests to the API and handshakes of its WebSockets.
pub(super) async fn api_request(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let fault = shared.knobs().take_api_fault();
    let Some((fault, retry_after)) = fault else {
        let response = next.run(request).await;
        return if shared.knobs().terse { tersely(response) } else { response };
    };
    let response = match fault {
        ApiFault::Gateway => (StatusCode::BAD_GATEWAY, Html(GATEWAY)).into_response(),
        ApiFault::RateLimit => Problem::too_many().into_response(),
        ApiFault::Quota => Problem::no_credit().into_response(),
        ApiFault::Breakdown => Problem::breakdown().into_response(),
        ApiFault::Timeout => Problem::timeout().into_response(),
    };
    later(response, retry_after)
}

/// A refusal without its reason. Who sent no token is still told no error.
fn tersely(mut response: Response) -> Response {
    let status = response.status();
    match response.headers_mut().get_mut(WWW_AUTHENTICATE) {
        Some(challenge) => {
            if challenge.as_bytes().windows(6).any(|part| part == b"error=") {
                *challenge = HeaderValue::from_static(r#"Bearer error="invalid_token""#);
            }
            response
        }
        None if status.is_client_error() => Problem::terse(status).into_response(),
        None => response,
    }
}

/// What a gateway says in front of an API that it cannot reach.
const GATEWAY: &str = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head>\
                       <body><h1>502 Bad Gateway</h1></body></html>\n";

/// The same, to be tried again after so many seconds.
fn later(mut response: Response, retry_after: Option<u32>) -> Response {
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Announces the whole body, sends half of it, and breaks the connection off.
async fn truncated(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let bytes = to_bytes(body, MAX_BYTES).await.unwrap_or_default();
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    let half: Result<Bytes, std::io::Error> = Ok(bytes.slice(..bytes.len() / 2));
    let broken = async {
        // The half must be out first: what is in a buffer when the connection breaks is never sent.
        tokio::time::sleep(Duration::from_millis(100)).await;
        Err(std::io::Error::other("the sandbox was told to break off"))
    };
    let body = stream::once(async { half }).chain(stream::once(broken));
    Response::from_parts(parts, Body::from_stream(body))
}

/// How long a connection may take to say what it is for, while there are connections to drop.
const LOOK: Duration = Duration::from_secs(1);

/// How long until a connection that has begun is looked at again.
const AGAIN: Duration = Duration::from_millis(10);

/// Whether a connection's first request is for the control endpoint. A request may come in pieces.
async fn says_control(stream: &TcpStream) -> bool {
    let mut start = [0; 64];
    loop {
        let length = stream.peek(&mut start).await.unwrap_or_default();
        let said = start.get(..length).unwrap_or_default();
        let names_a_path = said.split(|byte| *byte == b' ').count() > 2;
        if names_a_path || length == 0 || length == start.len() {
            return is_for_control(said);
        }
        // What was peeked at is still there, and the next peek would not wait for more.
        tokio::time::sleep(AGAIN).await;
    }
}

/// Whether this start of a request is for the control endpoint.
fn is_for_control(start: &[u8]) -> bool {
    start.split(|byte| *byte == b' ').nth(1).is_some_and(|path| path.starts_with(b"/_sandbox/"))
}

/// Drops the connections that the knobs say, and counts the others. Whoever turns the knobs is not dropped.
pub(super) async fn admitted(stream: TcpStream, shared: Arc<Shared>) -> Option<TcpStream> {
    // Its own statement: no lock is held across an `await`.
    let dropping = shared.knobs().drop_connections > 0;
    if dropping {
        // A reset comes after the first request, since some clients wait for ever where a connection ends before they wrote
        // to it.
        let is_control = tokio::time::timeout(LOOK, says_control(&stream)).await.unwrap_or(false);
        if !is_control && shared.knobs().take_drop() {
            // A reset, and no orderly end.
            drop(stream.set_zero_linger());
            return None;
        }
    }
    shared.counters.connection();
    Some(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_endpoint_is_known_by_the_first_line() {
        assert!(is_for_control(b"PATCH /_sandbox/knobs HTTP/1.1\r\nHost: x"));
        for other in
            ["", "GET", "GET /_sandboxes HTTP/1.1", "POST /realms/_sandbox/x HTTP/1.1", "GET / /_sandbox/"]
        {
            assert!(!is_for_control(other.as_bytes()), "{other}");
        }
    }
}

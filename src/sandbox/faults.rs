//! The faults that the settings ask for: latency, a wrong date and closed connections for every request, failures and cut-off
//! bodies for the token endpoint, failures of the API.

use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, DATE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use crate::edge::listener;

use super::problem::Problem;
use super::settings::{ApiFault, take};
use super::state::AppState;

/// Closes the connection or delays the answer, and dates it by the server's own clock.
pub(super) async fn any_request(State(shared): AppState, request: Request, next: Next) -> Response {
    if take(&mut shared.settings().drop_connections) {
        return listener::no_answer();
    }
    let latency = Duration::from_millis(shared.settings().latency_ms);
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

/// Counts token requests, and fails them or cuts their answers off.
pub(super) async fn token_request(State(shared): AppState, request: Request, next: Next) -> Response {
    shared.counters().token_requests += 1;
    let settings = shared.settings().clone();
    if take(&mut shared.settings().fail_count) {
        let status = StatusCode::from_u16(settings.fail_status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        let body = json!({
            "error": "temporarily_unavailable", "error_description": "the sandbox was told to fail this request",
        });
        return later((status, Json(body)).into_response(), settings.retry_after);
    }
    let is_truncated = take(&mut shared.settings().truncate_answers);
    let response = next.run(request).await;
    if is_truncated { truncated(response).await } else { response }
}

/// Fails requests to the API and handshakes of its WebSockets, or takes the reason out of its refusals.
pub(super) async fn api_request(State(shared): AppState, request: Request, next: Next) -> Response {
    let settings = shared.settings().clone();
    if !take(&mut shared.settings().api_fail_count) {
        let response = next.run(request).await;
        return if settings.terse { without_reason(response) } else { response };
    }
    let response = match settings.api_fault {
        ApiFault::Gateway => (StatusCode::BAD_GATEWAY, Html(GATEWAY_PAGE)).into_response(),
        ApiFault::RateLimit => Problem::TOO_MANY.into_response(),
        ApiFault::Quota => Problem::NO_CREDIT.into_response(),
        ApiFault::Breakdown => Problem::INTERNAL.into_response(),
        ApiFault::Timeout => Problem::TIMEOUT.into_response(),
    };
    later(response, settings.retry_after)
}

/// The page of a gateway in front of an API that it cannot reach.
const GATEWAY_PAGE: &str = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head>\
                            <body><h1>502 Bad Gateway</h1></body></html>\n";

/// Takes the reason out of a refusal. A request without a token still gets a challenge without an error.
fn without_reason(mut response: Response) -> Response {
    let status = response.status();
    match response.headers_mut().get_mut(WWW_AUTHENTICATE) {
        Some(challenge) => {
            if challenge.to_str().is_ok_and(|text| text.contains("error=")) {
                *challenge = HeaderValue::from_static(r#"Bearer error="invalid_token""#);
            }
            response
        }
        None if status.is_client_error() => Problem::without_reason(status).into_response(),
        None => response,
    }
}

fn later(mut response: Response, retry_after: Option<u32>) -> Response {
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Announces the whole body, sends half of it and closes the connection.
async fn truncated(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    let half: Result<Bytes, std::io::Error> = Ok(bytes.slice(..bytes.len() / 2));
    let broken = async {
        // The half must be sent first: hyper discards it if the body fails at once.
        tokio::time::sleep(Duration::from_millis(100)).await;
        Err(std::io::Error::other("the sandbox was told to cut this answer off"))
    };
    let body = stream::once(async { half }).chain(stream::once(broken));
    Response::from_parts(parts, Body::from_stream(body))
}

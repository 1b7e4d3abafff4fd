//! Turns the knobs into faults: latency and a wrong date for every answer, failures and cut-off bodies for the token
//! endpoint, connections that are dropped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, DATE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use super::MAX_BYTES;
use super::knobs::Fault;
use super::state::Shared;

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

/// Fails token requests, or cuts their answers off.
pub(super) async fn token_request(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
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
    let mut response = (status, Json(body)).into_response();
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
    let broken = Err(std::io::Error::other("the sandbox was told to break off"));
    Response::from_parts(parts, Body::from_stream(futures_util::stream::iter([half, broken])))
}

/// Resets a connection once a request arrives. Not sooner, and not by an orderly end: some clients wait for ever where a
/// connection ends before they wrote to it.
async fn break_off(stream: TcpStream) {
    drop(tokio::time::timeout(Duration::from_secs(1), stream.peek(&mut [0])).await);
    drop(stream.set_zero_linger());
}

/// A listener that drops the connections it is told to, and counts the others.
pub(super) struct Droppy {
    pub(super) listener: TcpListener,
    pub(super) shared: Arc<Shared>,
}

impl Listener for Droppy {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            if self.shared.knobs().take_drop() {
                tokio::spawn(break_off(stream));
                continue;
            }
            self.shared.counters.connection();
            // Answers are short and clients wait for each: Nagle's algorithm would only delay them.
            drop(stream.set_nodelay(true));
            return (stream, address);
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

//! What the sandbox is called by who asks, and Keycloak's answers to browsers (CORS): it lets any page ask who it is talking to and read why a client was not let in, and
//! hands no token to a page whose origin the client does not list. The sandbox's client lists none.

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HOST, ORIGIN,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::domain::client::environment::Environment;

use super::state::Shared;

/// The headers that a page may send.
const SENDABLE: HeaderValue = HeaderValue::from_static(
    "Origin, Accept, X-Requested-With, Access-Control-Request-Method, Access-Control-Request-Headers, DPoP, \
     Content-Type, Authorization",
);

/// The sandbox by the address that the request was sent to, as Keycloak calls itself: `localhost` is not `127.0.0.1` to who
/// compares issuers. A name that is not this machine's is not taken over.
pub(super) fn environment(shared: &Shared, headers: &HeaderMap) -> Environment {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.filter(|host| host.parse::<Authority>().is_ok());
    let named = host.and_then(|host| format!("http://{host}").parse().ok());
    named.unwrap_or_else(|| shared.environment.clone())
}

/// Whether a page of another origin sent this.
pub(super) fn is_foreign(headers: &HeaderMap, own: &str) -> bool {
    headers.get(ORIGIN).is_some_and(|origin| origin != own)
}

/// The answer to `OPTIONS`.
pub(super) fn preflight(headers: &HeaderMap, methods: &'static str) -> Response {
    let mut response = StatusCode::OK.into_response();
    if allow(headers, &mut response) {
        let answer = response.headers_mut();
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, SENDABLE);
        answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    }
    response
}

/// Lets the page that asked read a refusal.
pub(super) fn expose(headers: &HeaderMap, response: &mut Response) {
    if allow(headers, response) {
        let methods = HeaderValue::from_static("Access-Control-Allow-Methods");
        response.headers_mut().insert(ACCESS_CONTROL_EXPOSE_HEADERS, methods);
    }
}

/// Lets the page that asked read the answer, and says whether a page asked.
pub(super) fn allow(headers: &HeaderMap, response: &mut Response) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return false };
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    true
}

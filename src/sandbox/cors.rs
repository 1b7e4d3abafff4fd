//! The realm's answers to browser pages (CORS). Any page may read the documents and why a client was refused; no page gets a
//! token, since the client allows no origin.

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ORIGIN,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// The headers that a page may send.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "Origin, Accept, X-Requested-With, Access-Control-Request-Method, Access-Control-Request-Headers, DPoP, \
     Content-Type, Authorization",
);

/// Whether a page of another origin sent this.
pub(super) fn is_foreign(headers: &HeaderMap, own: &str) -> bool {
    headers.get(ORIGIN).is_some_and(|origin| origin != own)
}

/// The answer to `OPTIONS` for a document.
pub(super) async fn preflight_get(headers: HeaderMap) -> Response {
    preflight(&headers, HeaderValue::from_static("GET"))
}

/// The answer to `OPTIONS` for the token endpoint.
pub(super) async fn preflight_post(headers: HeaderMap) -> Response {
    preflight(&headers, HeaderValue::from_static("POST, OPTIONS"))
}

fn preflight(headers: &HeaderMap, methods: HeaderValue) -> Response {
    let mut response = StatusCode::OK.into_response();
    allow(headers, &mut response);
    if headers.contains_key(ORIGIN) {
        let answer = response.headers_mut();
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
        answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    }
    response
}

/// Lets the page that asked, if a page did, read the answer.
pub(super) fn allow(headers: &HeaderMap, response: &mut Response) {
    if let Some(origin) = headers.get(ORIGIN) {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}

//! The realm's answers to browser pages (CORS). Any page may read the documents and refusals. No page gets a token, because the
//! client allows no origin.

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

/// The answer to `OPTIONS`.
pub(super) fn preflight(headers: &HeaderMap, methods: &'static str) -> Response {
    let mut response = StatusCode::OK.into_response();
    allow(headers, &mut response);
    if headers.contains_key(ORIGIN) {
        let answer = response.headers_mut();
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
        answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    }
    response
}

/// If a browser page asks, lets it read the answer.
pub(super) fn allow(headers: &HeaderMap, response: &mut Response) {
    if let Some(origin) = headers.get(ORIGIN) {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}

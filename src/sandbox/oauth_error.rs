//! The errors of the realm: OAuth errors (RFC 6749, section 5.2), and Keycloak's own with an `error` alone.

use std::borrow::Cow;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A refusal by the realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OauthError {
    status: StatusCode,
    error: &'static str,
    description: Option<Cow<'static, str>>,
}

impl OauthError {
    /// 400 with an OAuth error.
    pub(super) fn bad_request(error: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, description: Some(description.into()) }
    }

    /// 401: the client id or the secret is wrong.
    pub(super) const fn unauthorized(error: &'static str) -> Self {
        let description = Some(Cow::Borrowed("Invalid client or Invalid client credentials"));
        Self { status: StatusCode::UNAUTHORIZED, error, description }
    }

    /// No such tenant.
    pub(super) const NO_REALM: Self = Self::bare(StatusCode::NOT_FOUND, "Realm does not exist");

    /// No such path in a tenant.
    pub(super) const NO_PATH: Self = Self::bare(StatusCode::NOT_FOUND, "HTTP 404 Not Found");

    /// The path has no such method.
    pub(super) const NO_METHOD: Self =
        Self::bare(StatusCode::METHOD_NOT_ALLOWED, "HTTP 405 Method Not Allowed");

    /// A browser page asks, and the client allows no origin.
    pub(super) const ORIGIN: Self = Self::bare(StatusCode::FORBIDDEN, "Invalid origin");

    /// Keycloak failed.
    pub(super) const INTERNAL: Self = Self {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        error: "unknown_error",
        description: Some(Cow::Borrowed("For more on this error consult the server log.")),
    };

    const fn bare(status: StatusCode, error: &'static str) -> Self {
        Self { status, error, description: None }
    }
}

impl IntoResponse for OauthError {
    fn into_response(self) -> Response {
        let mut body = json!({ "error": self.error });
        if let Some(description) = self.description {
            body["error_description"] = description.into();
        }
        (self.status, Json(body)).into_response()
    }
}

//! The errors of the realm: OAuth errors (RFC 6749, section 5.2), and Keycloak's own, which have only an `error`.

use std::borrow::Cow;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A refusal by the realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OauthError {
    /// The HTTP status.
    status: u16,
    error: &'static str,
    /// Empty if there is none.
    description: Cow<'static, str>,
}

impl OauthError {
    pub(super) const fn new(status: u16, error: &'static str, description: &'static str) -> Self {
        Self { status, error, description: Cow::Borrowed(description) }
    }

    /// 401: the client id or the secret is wrong.
    pub(super) const fn unauthorized(error: &'static str) -> Self {
        Self::new(401, error, "Invalid client or Invalid client credentials")
    }

    /// 400: the client may not ask for one of these scopes.
    pub(super) fn scope(asked: &str) -> Self {
        let description = format!("Invalid scopes: {asked}").into();
        Self { description, ..Self::new(400, "invalid_scope", "") }
    }

    /// The tenant does not exist.
    pub(super) const NO_REALM: Self = Self::new(404, "Realm does not exist", "");

    /// The path does not exist in a tenant.
    pub(super) const NO_PATH: Self = Self::new(404, "HTTP 404 Not Found", "");

    /// The path has no such method.
    pub(super) const NO_METHOD: Self = Self::new(405, "HTTP 405 Method Not Allowed", "");

    /// A browser page asks, and the client allows no origin.
    pub(super) const ORIGIN: Self = Self::new(403, "Invalid origin", "");

    /// Keycloak failed.
    pub(super) const INTERNAL: Self =
        Self::new(500, "unknown_error", "For more on this error consult the server log.");
}

impl IntoResponse for OauthError {
    fn into_response(self) -> Response {
        let mut body = json!({ "error": self.error });
        if !self.description.is_empty() {
            body["error_description"] = json!(self.description);
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(body)).into_response()
    }
}

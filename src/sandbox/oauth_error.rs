//! The errors of the realm: OAuth errors (RFC 6749, section 5.2), and Keycloak's own, which have only an `error`.

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
    const fn new(status: StatusCode, error: &'static str, description: Option<&'static str>) -> Self {
        let description = match description {
            Some(text) => Some(Cow::Borrowed(text)),
            None => None,
        };
        Self { status, error, description }
    }

    /// 400 with an OAuth error.
    pub(super) const fn bad_request(error: &'static str, description: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, Some(description))
    }

    /// 401: the client id or the secret is wrong.
    pub(super) const fn unauthorized(error: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, error, Some("Invalid client or Invalid client credentials"))
    }

    /// 400: the client may not ask for one of these scopes.
    pub(super) fn scope(asked: &str) -> Self {
        let description = Some(Cow::Owned(format!("Invalid scopes: {asked}")));
        Self { description, ..Self::bad_request("invalid_scope", "") }
    }

    /// The tenant does not exist.
    pub(super) const NO_REALM: Self = Self::new(StatusCode::NOT_FOUND, "Realm does not exist", None);

    /// The path does not exist in a tenant.
    pub(super) const NO_PATH: Self = Self::new(StatusCode::NOT_FOUND, "HTTP 404 Not Found", None);

    /// The path has no such method.
    pub(super) const NO_METHOD: Self =
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "HTTP 405 Method Not Allowed", None);

    /// A browser page asks, and the client allows no origin.
    pub(super) const ORIGIN: Self = Self::new(StatusCode::FORBIDDEN, "Invalid origin", None);

    /// Keycloak failed.
    pub(super) const INTERNAL: Self = Self::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "unknown_error",
        Some("For more on this error consult the server log."),
    );
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

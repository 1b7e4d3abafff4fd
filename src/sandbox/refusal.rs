//! What Keycloak says where it grants nothing: an OAuth error (RFC 6749, section 5.2), or the plain error of the
//! layers below.

use std::borrow::Cow;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A refusal by the realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    error: &'static str,
    description: Option<Cow<'static, str>>,
}

impl Refusal {
    /// An OAuth error.
    pub(super) fn oauth(
        status: StatusCode,
        error: &'static str,
        description: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, error, description: Some(description.into()) }
    }

    /// 400 with an OAuth error.
    pub(super) fn bad(error: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self::oauth(StatusCode::BAD_REQUEST, error, description)
    }

    /// No such tenant.
    pub(super) const NO_REALM: Self = Self::plain(StatusCode::NOT_FOUND, "Realm does not exist");

    /// No such path in a tenant.
    pub(super) const NO_PATH: Self = Self::plain(StatusCode::NOT_FOUND, "HTTP 404 Not Found");

    /// No such protocol in a tenant.
    pub(super) const NO_PROTOCOL: Self = Self::plain(StatusCode::NOT_FOUND, "Protocol not found");

    /// The path has no such method.
    pub(super) const NO_METHOD: Self =
        Self::plain(StatusCode::METHOD_NOT_ALLOWED, "HTTP 405 Method Not Allowed");

    /// A name or a value in the body is too long.
    pub(super) const TOO_LARGE: Self =
        Self::plain(StatusCode::PAYLOAD_TOO_LARGE, "HTTP 413 Request Entity Too Large");

    /// A page of an origin that the client does not list.
    pub(super) const ORIGIN: Self = Self::plain(StatusCode::FORBIDDEN, "Invalid origin");

    /// Keycloak broke down.
    pub(super) const BREAKDOWN: Self = Self {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        error: "unknown_error",
        description: Some(Cow::Borrowed("For more on this error consult the server log.")),
    };

    const fn plain(status: StatusCode, error: &'static str) -> Self {
        Self { status, error, description: None }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut body = json!({ "error": self.error });
        if let Some(description) = self.description {
            body["error_description"] = description.into();
        }
        (self.status, Json(body)).into_response()
    }
}

//! The errors of Corti's API v2: `requestid`, `status`, `type`, `detail` and, for a refused body, `validationErrors`. The types
//! are the numbered ones of Corti's documentation.

use std::borrow::Cow;

use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::validation::ValidationErrors;

/// A refusal of the API v2.
#[derive(Debug)]
pub(super) struct Problem {
    /// The HTTP status.
    status: u16,
    code: &'static str,
    pub(super) detail: Cow<'static, str>,
    errors: ValidationErrors,
}

impl Problem {
    pub(super) const fn new(status: u16, code: &'static str, detail: &'static str) -> Self {
        Self { status, code, detail: Cow::Borrowed(detail), errors: Vec::new() }
    }

    pub(super) const NO_INTERACTION: Self = Self::new(404, "A0007", "Interaction not found");
    pub(super) const NOT_A_UUID: Self = Self::new(400, "A0008", "Invalid UUID: interaction id");
    pub(super) const NOT_JSON: Self = Self::new(400, "A0003", "Bad request: the body is not valid JSON");
    pub(super) const TOO_MANY: Self = Self::new(429, "rate_limited", "Too many requests");
    pub(super) const NO_CREDIT: Self = Self::new(429, "A0021", "Insufficient balance");
    pub(super) const INTERNAL: Self = Self::new(500, "A0010", "Error processing the request");
    pub(super) const TIMEOUT: Self = Self::new(504, "A0002", "Request timeout");
    pub(super) const NO_PATH: Self = Self::new(404, "not_found", "the sandbox does not serve this path");

    /// The body is JSON, but not valid.
    pub(super) fn invalid(errors: ValidationErrors) -> Self {
        Self { errors, ..Self::new(400, "A0003", "Bad request: the body is not valid") }
    }

    /// The query is not valid.
    pub(super) fn query(errors: ValidationErrors) -> Self {
        Self { errors, ..Self::new(400, "A0013", "Invalid query parameters") }
    }

    /// Another interaction has this encounter identifier.
    pub(super) fn duplicate(identifier: &str) -> Self {
        let detail = format!("Duplicate value: encounter.identifier `{identifier}` already exists");
        Self { detail: detail.into(), ..Self::new(409, "A0017", "") }
    }

    /// A refusal without a reason.
    pub(super) fn without_reason(status: StatusCode) -> Self {
        Self::new(status.as_u16(), "about:blank", status.canonical_reason().unwrap_or_default())
    }

    /// The body did not arrive, or is too long.
    pub(super) fn body(rejection: &BytesRejection) -> Self {
        Self { detail: rejection.body_text().into(), ..Self::new(rejection.status().as_u16(), "A0003", "") }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "requestid": Uuid::new_v4(),
            "status": self.status,
            "type": self.code,
            "detail": self.detail,
        });
        if !self.errors.is_empty() {
            body["validationErrors"] =
                self.errors.into_iter().map(|(field, reason)| json!({ field: reason })).collect();
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(body)).into_response()
    }
}

/// The answer to every path of the agents API. Its errors have another shape (`CommonErrorResponse` of Corti's SDK).
pub(super) async fn no_agent() -> (StatusCode, Json<Value>) {
    let error = json!({
        "code": "NOT_FOUND",
        "message": "the sandbox has no agents",
        "howToFix": "Ask Corti itself: the sandbox does not emulate the agents API",
        "requestId": Uuid::new_v4(),
    });
    (StatusCode::NOT_FOUND, Json(json!({ "error": error })))
}

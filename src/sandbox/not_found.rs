//! The answers for what the sandbox does not have: other tenants and the agents API.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::oauth_error::OauthError;
use super::state::Shared;

/// Refuses every tenant but the sandbox's own, under `/realms/{tenant}`.
pub(super) async fn other_tenants(
    State(shared): State<Arc<Shared>>,
    tenant: Result<Path<String>, PathRejection>,
    request: Request,
    next: Next,
) -> Response {
    match tenant {
        Ok(Path(tenant)) if tenant == shared.tenant.as_str() => next.run(request).await,
        _ => OauthError::NO_REALM.into_response(),
    }
}

/// Any path of the agents API. Its errors have another shape than those of v2 (`CommonErrorResponse` of Corti's SDK).
pub(super) async fn agent() -> (StatusCode, Json<Value>) {
    let error = json!({
        "code": "NOT_FOUND",
        "message": "the sandbox has no agents",
        "howToFix": "Ask Corti itself: the sandbox does not emulate the agents API",
        "requestId": Uuid::new_v4(),
    });
    (StatusCode::NOT_FOUND, Json(json!({ "error": error })))
}

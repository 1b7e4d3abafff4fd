//! The agents API, which the sandbox does not emulate: it knows no agent, and says so in that API's own error envelope,
//! which is another than v2's (`CommonErrorResponse` of Corti's SDK).

use axum::Json;
use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::guard::FullAccess;

/// Any path under `/v2/agentic/`.
pub(super) async fn nothing(_: FullAccess) -> (StatusCode, Json<Value>) {
    let error = json!({
        "code": "NOT_FOUND",
        "message": "the sandbox knows no agent",
        "howToFix": "Ask Corti itself: the sandbox does not emulate the agents API",
        "requestId": Uuid::new_v4(),
    });
    (StatusCode::NOT_FOUND, Json(json!({ "error": error })))
}

//! The control endpoint under `/_sandbox/`: shows and changes the settings, shows the counters, rotates the keys.
//!
//! Only whoever started the sandbox may use it. Browser pages and other programs can connect to loopback too, so every request
//! needs the control token and the sandbox's own `Host`, and must have no `Origin`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::edge::loopback;

use super::realm::SigningKey;
use super::settings::Settings;
use super::state::{AppState, Shared};

/// The routes.
pub(super) fn router(shared: Arc<Shared>) -> Router<Arc<Shared>> {
    Router::new()
        // The settings keep the name that users' scripts know.
        .route("/knobs", get(show).patch(change).delete(reset))
        .route("/counters", get(counters))
        .route("/rotate-keys", post(rotate_keys))
        .route_layer(from_fn_with_state(shared, authorize))
}

/// A status, and a body that says why.
type Refused = (StatusCode, Json<Value>);

fn refused(status: StatusCode, reason: impl Into<String>) -> Refused {
    (status, Json(json!({ "error": reason.into() })))
}

async fn authorize(State(shared): AppState, request: Request, next: Next) -> Result<Response, Refused> {
    let environment = shared.environment.to_string();
    let host = environment.strip_prefix("http://").unwrap_or_default();
    let judged = loopback::judge(request.headers(), host, &shared.control_token);
    let reason =
        |refusal: loopback::Refusal| format!("{refusal}: ask {environment}/_sandbox/ with the control token");
    judged.map_err(|refusal| refused(refusal.status(), reason(refusal)))?;
    Ok(next.run(request).await)
}

async fn show(State(shared): AppState) -> Json<Settings> {
    Json(shared.settings().clone())
}

async fn reset(State(shared): AppState) -> Json<Settings> {
    *shared.settings() = Settings::default();
    Json(Settings::default())
}

type Body = Result<Bytes, BytesRejection>;

/// Reads a JSON object. An empty body counts as `empty`.
fn object(body: Body, empty: &'static str) -> Result<Map<String, Value>, Refused> {
    let body = body.map_err(|rejection| refused(rejection.status(), rejection.body_text()))?;
    let body = if body.is_empty() { Bytes::from_static(empty.as_bytes()) } else { body };
    serde_json::from_slice(&body).map_err(|error| bad_request(&error))
}

fn bad_request(error: &impl ToString) -> Refused {
    refused(StatusCode::BAD_REQUEST, error.to_string())
}

/// Changes the settings that the body names, and leaves the others.
async fn change(State(shared): AppState, body: Body) -> Result<Json<Settings>, Refused> {
    let changes = object(body, "")?;
    let mut settings = shared.settings();
    *settings = changed(&settings, changes)?;
    Ok(Json(settings.clone()))
}

fn changed(settings: &Settings, changes: Map<String, Value>) -> Result<Settings, Refused> {
    let mut merged = json!(settings);
    for (name, value) in changes {
        merged[name] = value;
    }
    let settings: Settings = serde_json::from_value(merged).map_err(|error| bad_request(&error))?;
    settings.check().map_err(|reason| bad_request(&reason))?;
    Ok(settings)
}

async fn counters(State(shared): AppState) -> Json<Value> {
    Json(json!(*shared.counters()))
}

/// The body of a rotation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// Whether tokens of the older keys are invalid at once.
    #[serde(default)]
    forget: bool,
}

/// Signs with a new key from now on. `{"forget": true}` makes tokens of the older keys invalid at once.
async fn rotate_keys(State(shared): AppState, body: Body) -> Result<Json<Value>, Refused> {
    let rotation: Rotation =
        serde_json::from_value(Value::Object(object(body, "{}")?)).map_err(|error| bad_request(&error))?;
    let Ok(Ok(key)) = tokio::task::spawn_blocking(SigningKey::new).await else {
        return Err(refused(StatusCode::INTERNAL_SERVER_ERROR, "no key could be made"));
    };
    let mut realm = shared.realm();
    realm.rotate(key, rotation.forget);
    Ok(Json(realm.jwks()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let settings = Settings { fail_count: 3, ..Settings::default() };
        let change = |body: &str| {
            object(Ok(Bytes::copy_from_slice(body.as_bytes())), "").and_then(|it| changed(&settings, it))
        };
        let result = change(r#"{"latency_ms":5,"retry_after":1}"#).unwrap();
        assert_eq!(result, Settings { latency_ms: 5, retry_after: Some(1), ..settings.clone() });
        for bad in ["", "[]", r#"{"latency":5}"#, r#"{"fail_status":200}"#, r#"{"fail_count":-1}"#] {
            assert_eq!(change(bad).unwrap_err().0, StatusCode::BAD_REQUEST, "{bad}");
        }
    }
}

//! The control endpoint under `/_sandbox/`: reads and turns the knobs, reads the counters, rotates the keys.
//!
//! Pages in a browser reach loopback too, so it wants a bearer of its own, the sandbox's own `Host`, and no `Origin`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::edge::loopback::{self, Refusal};

use super::key::SigningKey;
use super::knobs::Knobs;
use super::state::Shared;

/// The routes.
pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/knobs", get(show).patch(turn).delete(reset))
        .route("/counters", get(counters))
        .route("/rotate-keys", post(rotate_keys))
}

/// A handler that takes this runs only for whoever started the sandbox.
struct Owner;

impl FromRequestParts<Arc<Shared>> for Owner {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Response> {
        judge(&parts.headers, shared).map(|()| Self).map_err(|(status, reason)| wrong(status, reason))
    }
}

fn judge(headers: &HeaderMap, shared: &Shared) -> Result<(), (StatusCode, String)> {
    let environment = shared.environment.to_string();
    let host = environment.strip_prefix("http://").unwrap_or_default();
    loopback::judge(headers, host, &shared.control_token).map_err(|refusal| match refusal {
        Refusal::Page => {
            (StatusCode::FORBIDDEN, "a page in a browser may not control the sandbox".to_owned())
        }
        Refusal::Host => {
            let reason = format!("the Host is not the sandbox's own: ask {environment}/_sandbox/");
            (StatusCode::FORBIDDEN, reason)
        }
        Refusal::Bearer => (StatusCode::UNAUTHORIZED, "the control token is missing or wrong".to_owned()),
    })
}

type Body = Result<Bytes, BytesRejection>;

/// A body, or why it cannot be taken: it is longer than the sandbox takes.
fn whole(body: Body) -> Result<Bytes, (StatusCode, String)> {
    body.map_err(|rejection| (rejection.status(), rejection.body_text()))
}

fn wrong(status: StatusCode, reason: impl Into<String>) -> Response {
    (status, Json(json!({ "error": reason.into() }))).into_response()
}

async fn show(_: Owner, State(shared): State<Arc<Shared>>) -> Json<Knobs> {
    Json(shared.knobs().clone())
}

async fn reset(_: Owner, State(shared): State<Arc<Shared>>) -> Json<Knobs> {
    *shared.knobs() = Knobs::default();
    Json(Knobs::default())
}

/// Turns the knobs that the body names, and leaves the others.
async fn turn(_: Owner, State(shared): State<Arc<Shared>>, body: Body) -> Response {
    let body = match whole(body) {
        Ok(body) => body,
        Err((status, reason)) => return wrong(status, reason),
    };
    let mut knobs = shared.knobs();
    match patched(&knobs, &body) {
        Ok(turned) => {
            knobs.clone_from(&turned);
            Json(turned).into_response()
        }
        Err(reason) => wrong(StatusCode::BAD_REQUEST, reason),
    }
}

fn patched(knobs: &Knobs, body: &[u8]) -> Result<Knobs, String> {
    let mut fields = serde_json::to_value(knobs).map_err(|error| error.to_string())?;
    let patch: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    match (&mut fields, patch) {
        (Value::Object(fields), Value::Object(patch)) => fields.extend(patch),
        _ => return Err("the body is not a JSON object".to_owned()),
    }
    let turned: Knobs = serde_json::from_value(fields).map_err(|error| error.to_string())?;
    turned.check().map_err(|error| error.to_string())?;
    Ok(turned)
}

async fn counters(_: Owner, State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(shared.counters.to_json())
}

/// What a rotation may be told.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rotation {
    /// Whether tokens of the older keys are invalid at once.
    forget: bool,
}

impl Rotation {
    /// Reads a body; an empty one asks for nothing special.
    fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        // By way of a map: a struct would be read from a list, too.
        let fields: Map<String, Value> = serde_json::from_slice(body)?;
        serde_json::from_value(Value::Object(fields))
    }
}

/// Signs with a new key from now on. `{"forget": true}` makes tokens of the older keys invalid at once.
async fn rotate_keys(_: Owner, State(shared): State<Arc<Shared>>, body: Body) -> Response {
    let body = match whole(body) {
        Ok(body) => body,
        Err((status, reason)) => return wrong(status, reason),
    };
    let rotation = match Rotation::read(&body) {
        Ok(rotation) => rotation,
        Err(error) => return wrong(StatusCode::BAD_REQUEST, error.to_string()),
    };
    match tokio::task::spawn_blocking(SigningKey::new).await {
        Ok(Ok(key)) => {
            let mut realm = shared.realm().as_ref().clone();
            realm.rotate(key, rotation.forget);
            let keys = realm.jwks();
            shared.set_realm(realm);
            Json(keys).into_response()
        }
        _ => wrong(StatusCode::INTERNAL_SERVER_ERROR, "no key could be made"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_is_told_what_it_knows_or_nothing() {
        let read = |body: &str| Rotation::read(body.as_bytes()).ok().map(|rotation| rotation.forget);
        for (body, forget) in
            [("", false), ("{}", false), (r#"{"forget":false}"#, false), (r#"{"forget":true}"#, true)]
        {
            assert_eq!(read(body), Some(forget), "{body}");
        }
        for bad in [
            "x",
            "null",
            "[]",
            "[true]",
            "true",
            r#"{"forget":1}"#,
            r#"{"forget":null}"#,
            r#"{"forgot":true}"#,
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_patch_turns_what_it_names() {
        let knobs = Knobs { fail_count: 3, ..Knobs::default() };
        let turned = patched(&knobs, br#"{"latency_ms":5,"retry_after":1}"#).unwrap();
        assert_eq!(turned, Knobs { latency_ms: 5, retry_after: Some(1), ..knobs.clone() });
        for bad in ["", "[]", r#"{"latency":5}"#, r#"{"fail_status":200}"#, r#"{"fail_count":-1}"#] {
            assert!(patched(&knobs, bad.as_bytes()).is_err(), "{bad}");
        }
    }
}

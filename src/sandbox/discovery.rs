//! The realm's public documents: OpenID Connect Discovery 1.0 and the JWK set. Only what the sandbox serves is listed.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::domain::token::scope::{BASE, LIMITED};

use super::cors;
use super::state::AppState;
use super::token::OPTIONAL;

/// `GET /realms/{tenant}/.well-known/openid-configuration`.
pub(super) async fn configuration(State(shared): AppState, headers: HeaderMap) -> Response {
    let environment = shared.environment_of(&headers);
    let issuer = environment.issuer(&shared.tenant);
    let scopes: Vec<&str> = BASE.into_iter().chain(LIMITED).chain(OPTIONAL).collect();
    let document = json!({
        "issuer": issuer,
        "token_endpoint": environment.token_url(&shared.tenant),
        "jwks_uri": format!("{issuer}/protocol/openid-connect/certs"),
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": ["none"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": scopes,
    });
    readable(&headers, "no-cache, must-revalidate, no-transform, no-store", document)
}

/// `GET /realms/{tenant}/protocol/openid-connect/certs`.
pub(super) async fn certs(State(shared): AppState, headers: HeaderMap) -> Response {
    readable(&headers, "no-cache", shared.realm().jwks())
}

fn readable(headers: &HeaderMap, cache_control: &'static str, document: Value) -> Response {
    let mut response = ([(CACHE_CONTROL, cache_control)], Json(document)).into_response();
    cors::allow(headers, &mut response);
    response
}

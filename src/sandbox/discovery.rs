//! The realm's public documents: OIDC Discovery 1.0 and the JWK set. Only what the sandbox serves is listed.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::state::Shared;
use super::token::{Realm, is_known, no_realm};
use crate::domain::scope::{BASE, LIMITED};

/// `GET /realms/{tenant}/.well-known/openid-configuration`.
pub(super) async fn configuration(State(shared): State<Arc<Shared>>, realm: Realm) -> Response {
    if !is_known(&shared, &realm) {
        return no_realm();
    }
    let realm = shared.realm();
    let issuer = realm.issuer();
    let scopes: Vec<&str> = BASE.into_iter().chain(LIMITED).collect();
    Json(json!({
        "issuer": issuer,
        "token_endpoint": shared.environment.token_url(&shared.tenant),
        "jwks_uri": format!("{issuer}/protocol/openid-connect/certs"),
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": ["none"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": scopes,
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "acr", "azp", "preferred_username"],
    }))
    .into_response()
}

/// `GET /realms/{tenant}/protocol/openid-connect/certs`.
pub(super) async fn certs(State(shared): State<Arc<Shared>>, realm: Realm) -> Response {
    if !is_known(&shared, &realm) {
        return no_realm();
    }
    Json(shared.realm().jwks()).into_response()
}

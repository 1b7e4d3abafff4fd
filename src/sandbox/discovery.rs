//! The realm's public documents: OIDC Discovery 1.0 and the JWK set, only what the sandbox serves is listed.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::domain::token::scope::{BASE, LIMITED};

use super::origin;
use super::refusal::Refusal;
use super::state::Shared;
use super::token::{OPTIONAL, Realm, is_known};

/// `GET /realms/{tenant}/.well-known/openid-configuration`.
pub(super) async fn configuration(
    State(shared): State<Arc<Shared>>,
    realm: Realm,
    method: Method,
    headers: HeaderMap,
) -> Response {
    if method == Method::OPTIONS {
        // Even of an unknown tenant.
        return origin::preflight(&headers, "GET");
    }
    let rules = "no-cache, must-revalidate, no-transform, no-store";
    answer(&shared, &realm, &method, &headers, Refusal::NO_PATH, |shared| (rules, document(shared, &headers)))
}

/// `GET /realms/{tenant}/protocol/openid-connect/certs`.
pub(super) async fn certs(
    State(shared): State<Arc<Shared>>,
    realm: Realm,
    method: Method,
    headers: HeaderMap,
) -> Response {
    answer(&shared, &realm, &method, &headers, Refusal::NO_METHOD, |shared| {
        ("no-cache", shared.realm().jwks())
    })
}

fn answer(
    shared: &Shared,
    realm: &Realm,
    method: &Method,
    headers: &HeaderMap,
    otherwise: Refusal,
    document: impl Fn(&Shared) -> (&'static str, Value),
) -> Response {
    if !is_known(shared, realm) {
        return Refusal::NO_REALM.into_response();
    }
    match *method {
        Method::GET | Method::HEAD => {
            let (rules, document) = document(shared);
            let mut response = ([(CACHE_CONTROL, rules)], Json(document)).into_response();
            origin::allow(headers, &mut response);
            response
        }
        Method::OPTIONS => origin::preflight(headers, "GET"),
        _ => otherwise.into_response(),
    }
}

fn document(shared: &Shared, headers: &HeaderMap) -> Value {
    let environment = origin::environment(shared, headers);
    let issuer = environment.issuer(&shared.tenant);
    let scopes: Vec<&str> = BASE.into_iter().chain(LIMITED).chain(OPTIONAL).collect();
    json!({
        "issuer": issuer,
        "token_endpoint": environment.token_url(&shared.tenant),
        "jwks_uri": format!("{issuer}/protocol/openid-connect/certs"),
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": ["none"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": scopes,
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "acr", "azp", "preferred_username"],
    })
}

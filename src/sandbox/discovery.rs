//! The realm's public documents: OIDC Discovery 1.0 and the JWK set, only what the sandbox serves is listed; and what
//! Keycloak says about the other paths.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::form::is_escaped;
use super::origin;
use super::refusal::Refusal;
use super::state::Shared;
use super::token::{OPTIONAL, Realm, is_known};
use crate::domain::scope::{BASE, LIMITED};

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

/// Any other path of a tenant.
pub(super) async fn nothing(
    State(shared): State<Arc<Shared>>,
    realm: Realm,
    method: Method,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    // The router has taken the tenant's part away.
    let rest = uri.path().strip_prefix('/').unwrap_or_default();
    if method == Method::OPTIONS && rest.strip_prefix(".well-known/").is_some_and(|name| !name.is_empty()) {
        return origin::preflight(&headers, "GET");
    }
    if !is_known(&shared, &realm) {
        return Refusal::NO_REALM.into_response();
    }
    refusal(&method, rest).into_response()
}

/// The tenant itself, with a slash after it.
pub(super) async fn itself(State(shared): State<Arc<Shared>>, realm: Realm, method: Method) -> Refusal {
    if is_known(&shared, &realm) { refusal(&method, "") } else { Refusal::NO_REALM }
}

/// Why there is nothing at `rest` of a tenant, by the methods of what Keycloak has near it.
fn refusal(method: &Method, rest: &str) -> Refusal {
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let has_method =
        match rest.strip_prefix("protocol/").map(|rest| rest.split_once('/').unwrap_or((rest, ""))) {
            None if rest.is_empty() => reads,
            Some(("openid-connect", path)) if path.starts_with("token/") => {
                matches!(*method, Method::POST | Method::OPTIONS)
            }
            Some(("openid-connect", _)) => reads && *method != Method::HEAD,
            None | Some(("" | "saml", _)) => true,
            Some(_) => return Refusal::NO_PROTOCOL,
        };
    if has_method { Refusal::NO_PATH } else { Refusal::NO_METHOD }
}

/// Refuses a query with a percent sign that starts no escape, before anybody looks at the path.
pub(super) async fn readable(request: Request, next: Next) -> Response {
    if request.uri().query().is_some_and(|query| !is_escaped(query.as_bytes())) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    next.run(request).await
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

//! What Keycloak says about a tenant's paths that have nothing, and about a query that nobody can read.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::form::is_escaped;
use super::origin;
use super::refusal::Refusal;
use super::state::Shared;
use super::token::{Realm, is_known};

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

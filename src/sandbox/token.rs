//! The token endpoint: grants `client_credentials`, and refuses as Keycloak 26 does. Checked in this order: the form, the
//! grant, the client and its secret, the page's origin, repeated parameters, the scope.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, PRAGMA};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use ring::error::Unspecified;
use serde_json::{Value, json};

use crate::domain::token::scope::{BASE, LIMITED, OPENID};

use super::cors;
use super::credentials::{self, Form};
use super::oauth_error::OauthError;
use super::realm::Grant;
use super::state::{AppState, Shared};

/// The scopes that Keycloak names in every token, even if nobody asked for them.
const ALWAYS_NAMED: [&str; 2] = ["email", "profile"];

/// Scopes of every Keycloak realm that a client may ask for as well.
pub(super) const OPTIONAL: [&str; 4] = ["address", "phone", "offline_access", "microprofile-jwt"];

/// `POST /realms/{tenant}/protocol/openid-connect/token`.
pub(super) async fn endpoint(State(shared): AppState, headers: HeaderMap, body: Bytes) -> Response {
    let Ok(form) = Form::read(&headers, &body) else { return OauthError::INTERNAL.into_response() };
    let answer = match grant(&shared, &headers, &form) {
        Ok(token) => Json(token).into_response(),
        Err(error) => error.into_response(),
    };
    // RFC 6749, section 5.1: caches keep neither tokens nor errors.
    let mut response = ([(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")], answer).into_response();
    if response.status() == StatusCode::UNAUTHORIZED {
        cors::allow(&headers, &mut response);
    }
    response
}

fn grant(shared: &Shared, headers: &HeaderMap, form: &Form) -> Result<Value, OauthError> {
    match form.first("grant_type") {
        Some("client_credentials") => {}
        Some(_) => return Err(OauthError::new(400, "unsupported_grant_type", "Unsupported grant_type")),
        None => {
            return Err(OauthError::new(400, "invalid_request", "Missing form parameter: grant_type"));
        }
    }
    credentials::check(headers, form, &shared.client_id, &shared.client_secret)?;
    let environment = shared.environment_of(headers);
    if cors::is_foreign(headers, &environment.to_string()) {
        return Err(OauthError::ORIGIN);
    }
    if form.repeats() {
        return Err(OauthError::new(400, "invalid_request", "duplicated parameter"));
    }
    let asked = form.first("scope");
    let scope = granted(asked).ok_or_else(|| OauthError::scope(asked.unwrap_or_default()))?;
    mint(shared, &environment.issuer(&shared.tenant), &scope).map_err(|_| OauthError::INTERNAL)
}

/// The `scope` of the token for a request with the `scope` `asked`. `None` if the client may not ask for one of them. Exactly
/// one space must separate two scopes. Spaces at the end are ignored.
fn granted(asked: Option<&str>) -> Option<String> {
    let asked: Vec<&str> = asked.map_or_else(Vec::new, |it| it.trim_end_matches(' ').split(' ').collect());
    let is_scope = |word: &&str| BASE.contains(word) || LIMITED.contains(word) || OPTIONAL.contains(word);
    if !asked.iter().all(is_scope) {
        return None;
    }
    let named = std::iter::once(OPENID).chain(LIMITED).chain(OPTIONAL);
    let mut scope: Vec<&str> = named.filter(|name| asked.contains(name)).collect();
    scope.extend(ALWAYS_NAMED);
    Some(scope.join(" "))
}

fn mint(shared: &Shared, issuer: &str, scope: &str) -> Result<Value, Unspecified> {
    let lifetime = shared.settings().token_lifetime;
    let grant = Grant { issuer, scope, lifetime, now: shared.now() };
    let token = shared.realm().access_token(&grant)?;
    let mut body = json!({
        "expires_in": lifetime,
        "refresh_expires_in": 0,
        "token_type": "Bearer",
        "not-before-policy": 0,
        "scope": scope,
    });
    if scope.split(' ').any(|word| word == OPENID) {
        body["id_token"] = shared.realm().id_token(&grant, &token)?.into();
    }
    body["access_token"] = token.into();
    shared.counters().tokens += 1;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_granted_as_keycloak_names_them() {
        let table = [
            (None, Some("email profile")),
            (Some("openid"), Some("openid email profile")),
            (Some("openid profile roles openid"), Some("openid email profile")),
            (Some("streams openid transcribe"), Some("openid transcribe streams email profile")),
            (Some("openid phone"), Some("openid phone email profile")),
            (Some(""), None),
            (Some("openid  transcribe"), None),
            (Some(" openid"), None),
            (Some("openid  "), Some("openid email profile")),
            (Some("openid\ttranscribe"), None),
            (Some("openid stream"), None),
            (Some("openid interactions:read"), None),
            (Some("openid Transcribe"), None),
        ];
        for (asked, scope) in table {
            assert_eq!(granted(asked).as_deref(), scope, "{asked:?}");
        }
    }
}

//! The token endpoint: `client_credentials` only, answered as Keycloak 26 answers, refusals included.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::credentials::{Credentials, Rejected};
use super::realm::Subject;
use super::state::Shared;
use crate::domain::scope::{BASE, LIMITED, OPENID};

/// The default client scopes that Keycloak puts into a token's `scope`; the other ones stay out of it.
const ALWAYS_NAMED: [&str; 2] = ["email", "profile"];

/// A form as it was sent, in order.
pub(super) struct Form<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Form<'a> {
    /// Reads a form-urlencoded body. Every body is one, if a strange one.
    pub(super) fn parse(body: &'a [u8]) -> Self {
        Self(form_urlencoded::parse(body).collect())
    }

    /// The first value of `name`.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
    }

    fn repeats(&self) -> bool {
        let names: BTreeSet<&str> = self.0.iter().map(|(name, _)| name.as_ref()).collect();
        names.len() < self.0.len()
    }
}

/// An OAuth error: RFC 6749, section 5.2.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    status: StatusCode,
    error: &'static str,
    description: Cow<'static, str>,
}

fn refusal(status: StatusCode, error: &'static str, description: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal { status, error, description: description.into() }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "error_description": self.description });
        (self.status, Json(body)).into_response()
    }
}

/// The tenant in a path. One that is not even UTF-8 is an unknown one.
pub(super) type Realm = Result<Path<String>, PathRejection>;

/// Whether there is such a tenant.
pub(super) fn is_known(shared: &Shared, realm: &Realm) -> bool {
    realm.as_ref().is_ok_and(|Path(name)| name == shared.tenant.as_str())
}

/// Keycloak's answer for a tenant that it does not have.
pub(super) fn no_realm() -> Response {
    let log = "For more on this error consult the server log.";
    refusal(StatusCode::NOT_FOUND, "Realm does not exist", log).into_response()
}

/// `POST /realms/{tenant}/protocol/openid-connect/token`.
pub(super) async fn endpoint(
    State(shared): State<Arc<Shared>>,
    realm: Realm,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    if !is_known(&shared, &realm) {
        return no_realm();
    }
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return rejection.into_response(),
    };
    // RFC 6749, section 5.1: neither tokens nor refusals are to be kept by a cache.
    let never_stored = [(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")];
    match answer(&shared, &headers, &body) {
        Ok(token) => (never_stored, Json(token)).into_response(),
        Err(refusal) => (never_stored, refusal).into_response(),
    }
}

fn answer(shared: &Shared, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
    // A body of another type, JSON say, is a form without parameters to Keycloak.
    let form = Form::parse(if is_form(headers) { body } else { b"" });
    check_grant(&form)?;
    authenticate(shared, headers, &form)?;
    if form.repeats() {
        return Err(refusal(StatusCode::BAD_REQUEST, "invalid_request", "duplicated parameter"));
    }
    let asked = form.first("scope").unwrap_or_default();
    let scope = granted(asked).ok_or_else(|| {
        refusal(StatusCode::BAD_REQUEST, "invalid_scope", format!("Invalid scopes: {asked}"))
    })?;
    mint(shared, &scope).map_err(|_| {
        refusal(StatusCode::INTERNAL_SERVER_ERROR, "unknown_error", "the sandbox could not sign the token")
    })
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn check_grant(form: &Form<'_>) -> Result<(), Refusal> {
    let refused = |error, text: &'static str| Err(refusal(StatusCode::BAD_REQUEST, error, text));
    match form.first("grant_type") {
        Some("client_credentials") => Ok(()),
        None => refused("invalid_request", "Missing form parameter: grant_type"),
        Some(_) => refused("unsupported_grant_type", "Unsupported grant_type"),
    }
}

fn authenticate(shared: &Shared, headers: &HeaderMap, form: &Form<'_>) -> Result<(), Refusal> {
    let verdict = Credentials::read(headers, form)
        .ok_or(Rejected::Client)
        .and_then(|given| given.check(&shared.client_id, &shared.client_secret));
    verdict.map_err(|rejected| {
        let error = match rejected {
            Rejected::Client => "invalid_client",
            Rejected::Secret => "unauthorized_client",
        };
        refusal(StatusCode::UNAUTHORIZED, error, "Invalid client or Invalid client credentials")
    })
}

/// The `scope` of a token for which `asked` was asked; `None` where a word of it is no scope of the client.
fn granted(asked: &str) -> Option<String> {
    let asked: Vec<&str> = asked.split_ascii_whitespace().collect();
    if !asked.iter().all(|word| BASE.contains(word) || LIMITED.contains(word)) {
        return None;
    }
    let mut scope: Vec<&str> = Vec::new();
    scope.extend(std::iter::once(OPENID).chain(LIMITED).filter(|name| asked.contains(name)));
    scope.extend(ALWAYS_NAMED);
    Some(scope.join(" "))
}

fn mint(shared: &Shared, scope: &str) -> jsonwebtoken::errors::Result<Value> {
    let lifetime = shared.knobs().token_lifetime;
    let subject = Subject { client: &shared.client_id, tenant: &shared.tenant, scope, lifetime };
    let (realm, now) = (shared.realm(), shared.now());
    let mut body = json!({
        "access_token": realm.access_token(&subject, now)?,
        "expires_in": lifetime,
        "refresh_expires_in": 0,
        "token_type": "Bearer",
        "not-before-policy": 0,
        "scope": scope,
    });
    if scope.split(' ').any(|word| word == OPENID) {
        body["id_token"] = realm.id_token(&subject, now)?.into();
    }
    shared.counters.token();
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_granted_as_keycloak_names_them() {
        let table = [
            ("", Some("email profile")),
            ("openid", Some("openid email profile")),
            ("openid profile roles openid", Some("openid email profile")),
            ("streams openid transcribe", Some("openid transcribe streams email profile")),
            ("openid stream", None),
            ("openid interactions:read", None),
            ("openid Transcribe", None),
        ];
        for (asked, scope) in table {
            assert_eq!(granted(asked).as_deref(), scope, "{asked}");
        }
    }

    #[test]
    fn only_client_credentials_is_granted() {
        let error =
            |body: &str| check_grant(&Form::parse(body.as_bytes())).err().map(|refused| refused.error);
        assert_eq!(error("grant_type=client_credentials"), None);
        assert_eq!(error("grant_type=password"), Some("unsupported_grant_type"));
        assert_eq!(error(r#"{"grant_type":"client_credentials"}"#), Some("invalid_request"));
    }

    #[test]
    fn a_form_is_known_by_its_content_type() {
        let is = |kind: &str| is_form(&HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]));
        assert!(is("application/x-www-form-urlencoded"));
        assert!(is("Application/X-WWW-Form-Urlencoded; charset=UTF-8"));
        assert!(!is("application/json"));
        assert!(!is_form(&HeaderMap::new()));
    }
}

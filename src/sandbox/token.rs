//! The token endpoint: grants `client_credentials` only, and answers as Keycloak 26 does, refusals and their order
//! included: the tenant, the method, the form, the grant, the client and its secret, the origin, repeated parameters, the
//! scope.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, PRAGMA};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::domain::token::scope::{BASE, LIMITED, OPENID};

use super::credentials::{Credentials, Rejected};
use super::form::{Form, FormError};
use super::origin;
use super::realm::Subject;
use super::refusal::Refusal;
use super::state::Shared;

/// The default client scopes that Keycloak puts into a token's `scope`; the other ones stay out of it.
const ALWAYS_NAMED: [&str; 2] = ["email", "profile"];

/// What may be asked as well, because every realm of Keycloak has it.
pub(super) const OPTIONAL: [&str; 4] = ["address", "phone", "offline_access", "microprofile-jwt"];

/// The longest `scope`, in characters, that Keycloak looks at.
const MAX_SCOPE: usize = 4000;

const UMA: &str = "urn:ietf:params:oauth:grant-type:uma-ticket";
const CIBA: &str = "urn:openid:params:grant-type:ciba";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// The longest body, in bytes: Quarkus' bound, not that of the API.
pub(super) const MAX_BODY: usize = 10 * 1024 * 1024;

/// The tenant in a path. One that is not even UTF-8 is an unknown one.
pub(super) type Realm = Result<Path<String>, PathRejection>;

/// Whether there is such a tenant.
pub(super) fn is_known(shared: &Shared, realm: &Realm) -> bool {
    realm.as_ref().is_ok_and(|Path(name)| name == shared.tenant.as_str())
}

/// `POST /realms/{tenant}/protocol/openid-connect/token`.
pub(super) async fn endpoint(
    State(shared): State<Arc<Shared>>,
    realm: Realm,
    method: Method,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    if !is_known(&shared, &realm) {
        return Refusal::NO_REALM.into_response();
    }
    match method {
        Method::POST => {}
        Method::OPTIONS => return origin::preflight(&headers, "POST, OPTIONS"),
        _ => return Refusal::NO_METHOD.into_response(),
    }
    let body = match body {
        Ok(body) => body,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            // From below Keycloak, which says nothing more.
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        }
        Err(rejection) => return rejection.into_response(),
    };
    match Form::read(&headers, &body) {
        Ok(form) => answer(&shared, &headers, &form),
        Err(FormError::Breakdown) => Refusal::BREAKDOWN.into_response(),
        Err(FormError::TooLarge) => Refusal::TOO_LARGE.into_response(),
    }
}

fn answer(shared: &Shared, headers: &HeaderMap, form: &Form<'_>) -> Response {
    // RFC 6749, section 5.1: neither tokens nor refusals are to be kept by a cache.
    let never_stored = [(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")];
    let verdict = match grant(form) {
        Err(refusal) => Err(refusal),
        Ok(grant) => match authenticate(shared, headers, form) {
            Err(refusal) => {
                let mut response = (never_stored, refusal).into_response();
                origin::expose(headers, &mut response);
                return response;
            }
            Ok(()) => authorize(shared, headers, form, grant),
        },
    };
    match verdict {
        Ok(token) => (never_stored, Json(token)).into_response(),
        Err(refusal) => (never_stored, refusal).into_response(),
    }
}

/// The grant that is asked for; an unknown one is refused before anybody looks at the client.
fn grant(form: &Form<'_>) -> Result<&'static str, Refusal> {
    let known = [
        "client_credentials",
        "password",
        "refresh_token",
        "authorization_code",
        UMA,
        CIBA,
        DEVICE,
        EXCHANGE,
    ];
    let asked = cleaned(form, "grant_type")
        .ok_or_else(|| Refusal::bad("invalid_request", "Missing form parameter: grant_type"))?;
    let unsupported = || Refusal::bad("unsupported_grant_type", "Unsupported grant_type");
    known.into_iter().find(|grant| *grant == asked).ok_or_else(unsupported)
}

/// A parameter without its control characters, which Keycloak takes out of all but the client's id and secret.
fn cleaned(form: &Form<'_>, name: &str) -> Option<String> {
    form.first(name).map(|value| value.replace(|character: char| character.is_ascii_control(), ""))
}

fn authenticate(shared: &Shared, headers: &HeaderMap, form: &Form<'_>) -> Result<(), Refusal> {
    let verdict = Credentials::read(headers, form)
        .and_then(|given| given.check(&shared.client_id, &shared.client_secret));
    let unauthorized = |error| {
        Refusal::oauth(StatusCode::UNAUTHORIZED, error, "Invalid client or Invalid client credentials")
    };
    verdict.map_err(|rejected| match rejected {
        Rejected::Client => unauthorized("invalid_client"),
        Rejected::Secret => unauthorized("unauthorized_client"),
        Rejected::Undecodable => {
            Refusal::bad("unauthorized_client", "Unexpected error when authenticating client")
        }
    })
}

/// What a client that is let in gets.
fn authorize(shared: &Shared, headers: &HeaderMap, form: &Form<'_>, grant: &str) -> Result<Value, Refusal> {
    let environment = origin::environment(shared, headers);
    if origin::is_foreign(headers, &environment.to_string()) {
        return Err(Refusal::ORIGIN);
    }
    if form.repeats() {
        return Err(Refusal::bad("invalid_request", "duplicated parameter"));
    }
    if grant != "client_credentials" {
        return Err(other_grant(grant, form, shared.client_id.as_str()));
    }
    let asked = cleaned(form, "scope").filter(|asked| asked.chars().count() <= MAX_SCOPE);
    let scope = granted(asked.as_deref()).ok_or_else(|| {
        Refusal::bad("invalid_scope", format!("Invalid scopes: {}", asked.unwrap_or_default()))
    })?;
    mint(shared, &environment.issuer(&shared.tenant), &scope).map_err(|_| Refusal::BREAKDOWN)
}

/// What Keycloak says to a client with nothing but a service account.
fn other_grant(grant: &str, form: &Form<'_>, client: &str) -> Refusal {
    let has = |name| form.first(name).is_some();
    let (error, description) = match grant {
        "password" => ("unauthorized_client", "Client not allowed for direct access grants"),
        "refresh_token" if has("refresh_token") => ("invalid_grant", "Invalid refresh token"),
        "refresh_token" => ("invalid_request", "No refresh token"),
        "authorization_code" if has("code") => ("invalid_grant", "Code not valid"),
        "authorization_code" => ("invalid_request", "Missing parameter: code"),
        DEVICE => ("invalid_grant", "Client not allowed OAuth 2.0 Device Authorization Grant"),
        CIBA => ("invalid_grant", "Client not allowed OIDC CIBA Grant"),
        UMA => return ticket(form, client),
        _ => ("invalid_request", "Standard token exchange is not enabled for the requested client"),
    };
    Refusal::bad(error, description)
}

/// What it says to who wants to trade a UMA ticket: there are no resources, so there is none.
fn ticket(form: &Form<'_>, client: &str) -> Refusal {
    let has = |name| form.first(name).is_some();
    if has("ticket") {
        return Refusal::oauth(StatusCode::FORBIDDEN, "invalid_ticket", "Ticket verification failed");
    }
    if has("claim_token") {
        return Refusal::bad("unauthorized_client", "Invalid signature");
    }
    let said = match form.first("audience") {
        None => "You must provide the issuedFor".to_owned(),
        Some(audience) if audience == client => "Client does not support permissions".to_owned(),
        Some(audience) => format!("Unknown resource server id: [{audience}]"),
    };
    Refusal::bad("invalid_request", said)
}

/// The `scope` of a token for which `asked` was asked; `None` where a word of it is no scope of the client. One space
/// parts two words, so that a second one stands beside an empty word; but at the end spaces do not count.
fn granted(asked: Option<&str>) -> Option<String> {
    let asked: Vec<&str> = match asked.map(|asked| (asked, asked.trim_end_matches(' '))) {
        Some(("", _)) => return None,
        None | Some((_, "")) => Vec::new(),
        Some((_, words)) => words.split(' ').collect(),
    };
    let is_scope = |word: &&str| BASE.contains(word) || LIMITED.contains(word) || OPTIONAL.contains(word);
    if !asked.iter().all(is_scope) {
        return None;
    }
    let nameable = std::iter::once(OPENID).chain(LIMITED).chain(OPTIONAL);
    let mut scope: Vec<&str> = nameable.filter(|name| asked.contains(name)).collect();
    scope.extend(ALWAYS_NAMED);
    Some(scope.join(" "))
}

fn mint(shared: &Shared, issuer: &str, scope: &str) -> jsonwebtoken::errors::Result<Value> {
    let lifetime = shared.knobs().token_lifetime;
    let subject = Subject { issuer, client: &shared.client_id, tenant: &shared.tenant, scope, lifetime };
    let (realm, now) = (shared.realm(), shared.now());
    let token = realm.access_token(&subject, now)?;
    let mut body = json!({
        "expires_in": lifetime,
        "refresh_expires_in": 0,
        "token_type": "Bearer",
        "not-before-policy": 0,
        "scope": scope,
    });
    if scope.split(' ').any(|word| word == OPENID) {
        body["id_token"] = realm.id_token(&subject, &token, now)?.into();
    }
    body["access_token"] = token.into();
    shared.counters.token();
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::super::form::tests::read;
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
            (Some(" "), Some("email profile")),
            (Some("openid\ttranscribe"), None),
            (Some("openid stream"), None),
            (Some("openid interactions:read"), None),
            (Some("openid Transcribe"), None),
        ];
        for (asked, scope) in table {
            assert_eq!(granted(asked).as_deref(), scope, "{asked:?}");
        }
    }

    #[test]
    fn a_grant_is_known_before_the_client_is() {
        let refused = |body: &str| grant(&read(body).unwrap()).is_err();
        assert!(!refused("grant_type=client_credentials"));
        assert!(!refused("grant_type=password"));
        assert!(!refused("grant_type=%0Aclient_credentials%00"));
        assert!(refused("grant_type=client_credentials%0Ax"));
        assert!(refused("grant_type=Client_Credentials"));
        assert!(refused("grant_type="));
        assert!(refused(r#"{"grant_type":"client_credentials"}"#));
    }
}

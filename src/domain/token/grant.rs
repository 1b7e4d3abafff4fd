//! The client credentials grant (RFC 6749, section 4.4) as Corti's Keycloak speaks it: the request, and the answer
//! as a token or a typed refusal.

use jiff::Timestamp;
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use crate::domain::client::api_client::Client;
use crate::domain::client::secret::{AccessToken, ClientSecret, Secret};
use crate::domain::corti::request::{Body, Method, Request, Response};
use crate::domain::text::excerpt::quoted;
use crate::domain::text::redactor::Redactor;

use super::jwt::{claimed_life, claimed_scope, whole_seconds};
use super::scope::{Mismatch, ScopeRequest, ScopeSet};

/// Ten years, in seconds. A longer lifetime is taken for a mistake.
const LONGEST_LIFE: i64 = 315_576_000;

/// A minted token.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token itself.
    pub access_token: AccessToken,
    /// When it stops working, by this machine's clock and `expires_in`.
    pub expires_at: Timestamp,
    /// Its remaining lifetime in seconds.
    pub expires_in: i64,
    /// What the server granted, already compared with what was requested.
    pub granted: ScopeSet,
    /// Whether it comes from the cache.
    pub cached: bool,
}

/// Why there is no token. The `description` is the server's text: escape it before it is shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// 401 `invalid_client`: no such client in this tenant, or it is disabled.
    #[error("the authorization server does not know the client, or it is disabled ({})", quoted(.0))]
    UnknownClient(String),
    /// 401 `unauthorized_client` about the credentials: the secret is wrong.
    #[error("the authorization server rejected the client secret ({})", quoted(.0))]
    WrongSecret(String),
    /// `unauthorized_client` for another reason: the client may not use this grant.
    #[error("the client may not use client credentials ({})", quoted(.description))]
    NotAllowed {
        /// The HTTP status: 401 by Keycloak, 400 by RFC 6749.
        status: u16,
        /// The OAuth `error_description`, or nothing.
        description: String,
    },
    /// 404: there is no such realm.
    #[error("the authorization server has no tenant of this name ({})", quoted(.0))]
    UnknownTenant(String),
    /// 400 `invalid_scope`.
    #[error("the authorization server refused the scope ({})", quoted(.0))]
    ScopeRefused(String),
    /// The granted scopes are not the asked ones.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// Another OAuth error.
    #[error(
        "the authorization server refused the request with {status}: {} ({})",
        quoted(.error),
        quoted(.description)
    )]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The OAuth `error`.
        error: String,
        /// The OAuth `error_description`, or nothing.
        description: String,
    },
    /// 429 or 5xx.
    #[error("the authorization server answered {status}")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// `Retry-After`, as it was sent.
        retry_after: Option<String>,
    },
    /// The answer is not a token endpoint's.
    #[error("the answer from the token endpoint is not an OAuth answer: {status} with {what}")]
    NotTheProtocol {
        /// The HTTP status.
        status: u16,
        /// What it looked like, in our own words.
        what: &'static str,
    },
    /// A redirect, which is never followed: the secret would go to another host.
    #[error(
        "the token endpoint redirects ({0}), which is not followed: the client secret would go elsewhere"
    )]
    Redirect(u16),
}

impl GrantError {
    /// The HTTP status it came with, where one is known.
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Self::UnknownClient(_) | Self::WrongSecret(_) => Some(401),
            Self::UnknownTenant(_) => Some(404),
            Self::ScopeRefused(_) => Some(400),
            Self::Mismatch(_) => None,
            Self::NotAllowed { status, .. }
            | Self::Refused { status, .. }
            | Self::Unavailable { status, .. }
            | Self::NotTheProtocol { status, .. }
            | Self::Redirect(status) => Some(*status),
        }
    }

    /// The OAuth `error`, where one is known.
    pub fn oauth_error(&self) -> Option<&str> {
        match self {
            Self::UnknownClient(_) => Some("invalid_client"),
            Self::WrongSecret(_) | Self::NotAllowed { .. } => Some("unauthorized_client"),
            Self::ScopeRefused(_) => Some("invalid_scope"),
            Self::Refused { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// Refuses an answer that repeats the client secret anywhere, since parts of it are printed.
///
/// # Errors
/// [`GrantError::NotTheProtocol`].
pub fn refuse_repeated(secret: &ClientSecret, response: &Response) -> Result<(), GrantError> {
    let body = String::from_utf8_lossy(&response.body);
    let is_repeated = response.is_success() && Redactor::from_iter([secret.secret()]).finds_in(&body);
    let what = "an answer with the client secret in it";
    if is_repeated { Err(GrantError::NotTheProtocol { status: response.status, what }) } else { Ok(()) }
}

/// The token request. The secret goes into the body, form-encoded: `client_secret_post`, as the vendor's SDK does it.
pub fn request(client: &Client, secret: &ClientSecret, requested: &ScopeRequest) -> Request {
    let form = Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", client.id.as_str())
        .append_pair("client_secret", secret.secret().expose())
        .append_pair("scope", &requested.to_wire())
        .finish();
    Request {
        method: Method::Post,
        url: client.environment.token_url(&client.tenant),
        bearer: None,
        tenant: None,
        body: Body::Form(Secret::new(form)),
        repeatable: true,
    }
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: Option<serde_json::Number>,
    token_type: String,
    scope: Option<String>,
}

#[derive(Deserialize)]
struct OAuthError {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Reads the answer to [`request`] and compares the granted scopes with the requested ones.
///
/// # Errors
/// [`GrantError`].
pub fn parse(response: &Response, requested: &ScopeRequest, now: Timestamp) -> Result<Token, GrantError> {
    let status = response.status;
    match status {
        200..=299 => granted(response, requested, now),
        301..=303 | 307 | 308 => Err(GrantError::Redirect(status)),
        429 | 500..600 => Err(GrantError::Unavailable {
            status,
            retry_after: response.header("retry-after").map(str::to_owned),
        }),
        _ => Err(refusal(response)),
    }
}

fn granted(response: &Response, requested: &ScopeRequest, now: Timestamp) -> Result<Token, GrantError> {
    let foreign = |what| GrantError::NotTheProtocol { status: response.status, what };
    let granted: Granted =
        serde_json::from_slice(&response.body).map_err(|_| foreign(missing_fields(response)))?;
    if !granted.token_type.eq_ignore_ascii_case("bearer") {
        return Err(foreign("a token of another type than Bearer"));
    }
    let access_token = AccessToken::parse(&granted.access_token)
        .ok_or(foreign("an `access_token` with characters that no bearer token has"))?;
    let expires_in = lifetime(&granted, now).map_err(foreign)?;
    // Whole seconds, and never later than the server meant.
    let expires_at = Timestamp::from_second(now.as_second() + expires_in)
        .map_err(|_| foreign("an `expires_in` that is no lifetime"))?;
    let claimed = claimed_scope(&granted.access_token)
        .map_err(|_| foreign("an `access_token` whose scopes cannot be read"))?;
    let granted_scopes = checked_scopes(requested, granted.scope.as_deref(), claimed.as_deref())?;
    Ok(Token { access_token, expires_at, expires_in, granted: granted_scopes, cached: false })
}

/// The tokens in the answer, valid or not, so that they can be redacted.
pub fn tokens(response: &Response) -> Vec<Secret> {
    let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let members = ["access_token", "refresh_token", "id_token"].into_iter().filter_map(|name| body.get(name));
    members.filter_map(|token| token.as_str()).map(|token| Secret::new(token.to_owned())).collect()
}

/// In seconds. `expires_in` is optional (RFC 6749, section 5.1); without it the token's own dates count.
fn lifetime(granted: &Granted, now: Timestamp) -> Result<i64, &'static str> {
    let (life, otherwise) = match &granted.expires_in {
        Some(number) => (whole_seconds(number), "an `expires_in` that is no lifetime"),
        None => (
            claimed_life(&granted.access_token, now).ok().flatten(),
            "no `expires_in`, and an `access_token` that does not say how long it lives",
        ),
    };
    life.filter(|seconds| (1..=LONGEST_LIFE).contains(seconds)).ok_or(otherwise)
}

/// Compares both the answer's scopes and the token's own with the requested ones.
fn checked_scopes(
    requested: &ScopeRequest,
    stated: Option<&str>,
    claimed: Option<&str>,
) -> Result<ScopeSet, Mismatch> {
    for scopes in [stated, claimed].into_iter().flatten() {
        requested.check(&ScopeSet::from_wire(scopes))?;
    }
    match (stated.or(claimed), requested) {
        (Some(scopes), _) => Ok(ScopeSet::from_wire(scopes)),
        (None, ScopeRequest::Full) => Ok(ScopeSet::from_wire(&requested.to_wire())),
        (None, ScopeRequest::Scopes(_)) => Err(Mismatch::Unstated),
    }
}

/// Whether a cached token is what is requested now, as the server and the token itself say.
pub fn recheck(requested: &ScopeRequest, granted: &ScopeSet, token: &AccessToken) -> bool {
    let claimed = claimed_scope(token.secret().expose());
    claimed.is_ok_and(|claimed| {
        checked_scopes(requested, Some(&granted.to_string()), claimed.as_deref()).is_ok()
    })
}

fn missing_fields(response: &Response) -> &'static str {
    #[derive(Deserialize)]
    struct Probe {
        access_token: Option<serde::de::IgnoredAny>,
    }
    match serde_json::from_slice::<Probe>(&response.body) {
        Ok(Probe { access_token: None }) => "a JSON object without `access_token`",
        Ok(_) => "a JSON object whose fields have the wrong types",
        Err(_) => response.appearance(),
    }
}

fn refusal(response: &Response) -> GrantError {
    let status = response.status;
    let Ok(OAuthError { error, error_description: description }) = serde_json::from_slice(&response.body)
    else {
        return GrantError::NotTheProtocol { status, what: response.appearance() };
    };
    let about_the_secret = ["credential", "secret"].iter().any(|word| description.contains(word));
    match (status, error.as_str()) {
        (401, "invalid_client") => GrantError::UnknownClient(description),
        (401, "unauthorized_client") if about_the_secret => GrantError::WrongSecret(description),
        (_, "unauthorized_client") => GrantError::NotAllowed { status, description },
        (400, "invalid_scope") => GrantError::ScopeRefused(description),
        (404, _) if error.contains("ealm") => GrantError::UnknownTenant(error),
        _ => GrantError::Refused { status, error, description },
    }
}

#[cfg(test)]
mod tests;

//! The client credentials grant (RFC 6749, section 4.4) with Corti's Keycloak: writes the request and reads the answer.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::form_urlencoded::Serializer;

use crate::domain::client::api_client::Client;
use crate::domain::client::secret::{AccessToken, ClientSecret, Secret};
use crate::domain::corti::request::{Body, Method, Request, Response};
use crate::domain::text::excerpt::quoted;
use crate::domain::text::redactor::Redactor;

use super::jwt::{claimed, whole_seconds};
use super::scope::{Mismatch, ScopeRequest, ScopeSet};

/// Ten years, in seconds. A longer lifetime is regarded as a mistake.
const LONGEST_LIFE: i64 = 315_576_000;

/// Keycloak's words, in lower case, for a wrong secret: `Invalid client or Invalid client credentials`.
pub const WRONG_SECRET_WORDS: [&str; 2] = ["credential", "secret"];

/// A minted token.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token itself.
    pub access_token: AccessToken,
    /// When it expires, by this machine's clock and `expires_in`.
    pub expires_at: Timestamp,
    /// Its remaining lifetime in seconds.
    pub expires_in: i64,
    /// The granted scopes, already compared with the requested ones.
    pub granted: ScopeSet,
    /// Whether it is from the cache.
    pub cached: bool,
}

/// Why there is no token. `description` is the server's text.
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
    /// The granted scopes differ from the requested ones.
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
    /// The answer is not from a token endpoint.
    #[error("the answer from the token endpoint is not an OAuth answer: {status} with {what}")]
    NotTheProtocol {
        /// The HTTP status.
        status: u16,
        /// A description of the answer.
        what: &'static str,
    },
    /// A redirect. It is never followed, because the secret would go to another host.
    #[error(
        "the token endpoint redirects ({0}), which is not followed: the client secret would go elsewhere"
    )]
    Redirect(u16),
}

impl GrantError {
    /// The HTTP status, if one is known.
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

    /// The OAuth `error`, if one is known.
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

/// Refuses an answer that contains the client secret, because parts of the answer are printed.
pub fn refuse_repeated(secret: &ClientSecret, response: &Response) -> Result<(), GrantError> {
    let body = String::from_utf8_lossy(&response.body);
    let is_repeated = response.is_success() && Redactor::from_iter([secret.secret()]).finds_in(&body);
    let what = "an answer with the client secret in it";
    if is_repeated { Err(GrantError::NotTheProtocol { status: response.status, what }) } else { Ok(()) }
}

/// The token request. The secret is in the form-encoded body (`client_secret_post`), as in the vendor's SDK.
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
struct Answer {
    access_token: Option<String>,
    expires_in: Option<serde_json::Number>,
    token_type: Option<String>,
    scope: Option<String>,
}

#[derive(Deserialize)]
struct OAuthError {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Reads the answer to [`request`] and compares the granted scopes with the requested ones.
pub fn parse(response: &Response, requested: &ScopeRequest, now: Timestamp) -> Result<Token, GrantError> {
    let status = response.status;
    match status {
        200..=299 => read_grant(response, requested, now),
        301..=303 | 307 | 308 => Err(GrantError::Redirect(status)),
        429 | 500..600 => Err(GrantError::Unavailable {
            status,
            retry_after: response.header("retry-after").map(str::to_owned),
        }),
        _ => Err(refusal(response)),
    }
}

fn read_grant(response: &Response, requested: &ScopeRequest, now: Timestamp) -> Result<Token, GrantError> {
    let foreign = |what| GrantError::NotTheProtocol { status: response.status, what };
    let unreadable = |_| match serde_json::from_slice::<Map<String, Value>>(&response.body) {
        Ok(_) => foreign("a JSON object whose fields have the wrong types"),
        Err(_) => foreign(response.appearance()),
    };
    let answer: Answer = serde_json::from_slice(&response.body).map_err(unreadable)?;
    let token = answer.access_token.ok_or(foreign("a JSON object without `access_token`"))?;
    if !answer.token_type.is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")) {
        return Err(foreign("a token of another type than Bearer"));
    }
    let access_token = AccessToken::parse(&token)
        .ok_or(foreign("an `access_token` with characters that a bearer token cannot have"))?;
    let claims = claimed(&token);
    // `expires_in` is optional (RFC 6749, section 5.1). Without it the token's own dates count.
    let (life, no_life) = match &answer.expires_in {
        Some(number) => (whole_seconds(number), "an unusable `expires_in`"),
        None => (
            claims.as_ref().ok().and_then(|claims| claims.lifetime(now)),
            "no `expires_in` and no usable `exp` claim",
        ),
    };
    let expires_in = life.filter(|seconds| (1..=LONGEST_LIFE).contains(seconds)).ok_or(foreign(no_life))?;
    // Whole seconds, and never later than the server meant.
    let expires_at = Timestamp::from_second(now.as_second() + expires_in).map_err(|_| foreign(no_life))?;
    let claims = claims.map_err(|_| foreign("an `access_token` whose scopes cannot be read"))?;
    let granted = checked_scopes(requested, answer.scope.as_deref(), claims.scope.as_deref())?;
    Ok(Token { access_token, expires_at, expires_in, granted, cached: false })
}

/// All tokens in the answer, also invalid ones, so that they can be redacted.
pub fn tokens(response: &Response) -> Vec<Secret> {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let members = ["access_token", "refresh_token", "id_token"].into_iter().filter_map(|name| body.get(name));
    members.filter_map(|token| token.as_str()).map(|token| Secret::new(token.to_owned())).collect()
}

/// Compares the scopes of the answer and those of the token with the requested ones.
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

/// Whether a cached token has the requested scopes, according to the server and to its own claim.
pub fn recheck(requested: &ScopeRequest, granted: &ScopeSet, token: &AccessToken) -> bool {
    claimed(token.secret().expose()).is_ok_and(|claims| {
        checked_scopes(requested, Some(&granted.to_string()), claims.scope.as_deref()).is_ok()
    })
}

/// Whether the `error` of a 404 means that the realm does not exist, not the path: Keycloak's is `Realm does not exist`.
pub fn is_unknown_realm(error: &str) -> bool {
    error.contains("Realm") || error.contains("realm")
}

fn refusal(response: &Response) -> GrantError {
    let status = response.status;
    let Ok(OAuthError { error, error_description: description }) = serde_json::from_slice(&response.body)
    else {
        return GrantError::NotTheProtocol { status, what: response.appearance() };
    };
    let about_the_secret = WRONG_SECRET_WORDS.iter().any(|word| description.contains(word));
    match (status, error.as_str()) {
        (401, "invalid_client") => GrantError::UnknownClient(description),
        (401, "unauthorized_client") if about_the_secret => GrantError::WrongSecret(description),
        (_, "unauthorized_client") => GrantError::NotAllowed { status, description },
        (400, "invalid_scope") => GrantError::ScopeRefused(description),
        (404, _) if is_unknown_realm(&error) => GrantError::UnknownTenant(error),
        _ => GrantError::Refused { status, error, description },
    }
}

#[cfg(test)]
mod tests;

//! The client credentials grant (RFC 6749, section 4.4) as Corti's Keycloak speaks it: the request, and the answer
//! as a token or a typed refusal.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use super::identity::Client;
use super::jwt::claimed_scope;
use super::request::{Body, Method, Request, Response};
use super::scope::{Ask, Mismatch, ScopeSet};
use super::secret::{AccessToken, ClientSecret, Secret};

/// A minted token.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token itself.
    pub access_token: AccessToken,
    /// When it stops working, by this machine's clock and the server's `expires_in`.
    pub expires_at: Timestamp,
    /// Seconds it lives, as the server said.
    pub expires_in: i64,
    /// What the server granted, already compared with what was asked.
    pub granted: ScopeSet,
}

/// Why no token came of it. The `description` is the server's text: escape it before it is shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// 401 `invalid_client`: no such client in this tenant, or it is disabled.
    #[error("the authorization server does not know the client, or it is disabled ({0})")]
    UnknownClient(String),
    /// 401 `unauthorized_client` about the credentials: the secret is wrong.
    #[error("the authorization server rejected the client secret ({0})")]
    WrongSecret(String),
    /// `unauthorized_client` for another reason: the client may not use this grant.
    #[error("the client may not use client credentials ({0})")]
    NotAllowed(String),
    /// 404: there is no such realm.
    #[error("the authorization server has no tenant of this name ({0})")]
    UnknownTenant(String),
    /// 400 `invalid_scope`.
    #[error("the authorization server refused the scope ({0})")]
    ScopeRefused(String),
    /// The granted scopes are not the asked ones.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// Any other OAuth error.
    #[error("the authorization server refused the request with {status}: {error} ({description})")]
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
            Self::UnknownClient(_) | Self::WrongSecret(_) | Self::NotAllowed(_) => Some(401),
            Self::UnknownTenant(_) => Some(404),
            Self::ScopeRefused(_) => Some(400),
            Self::Mismatch(_) => None,
            Self::Refused { status, .. }
            | Self::Unavailable { status, .. }
            | Self::NotTheProtocol { status, .. }
            | Self::Redirect(status) => Some(*status),
        }
    }

    /// The OAuth `error`, where one is known.
    pub fn oauth_error(&self) -> Option<&str> {
        match self {
            Self::UnknownClient(_) => Some("invalid_client"),
            Self::WrongSecret(_) | Self::NotAllowed(_) => Some("unauthorized_client"),
            Self::ScopeRefused(_) => Some("invalid_scope"),
            Self::Refused { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// The token request. The secret goes into the body, form-encoded: `client_secret_post`, as the vendor's SDK does it.
pub fn request(client: &Client, secret: &ClientSecret, ask: &Ask) -> Request {
    let form = Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", client.id.as_str())
        .append_pair("client_secret", secret.secret().expose())
        .append_pair("scope", &ask.to_wire())
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
    expires_in: i64,
    token_type: String,
    scope: Option<String>,
}

#[derive(Deserialize)]
struct OAuthError {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Reads the answer to [`request`] and compares the granted scopes with the asked ones.
///
/// # Errors
/// [`GrantError`], see its variants.
pub fn parse(response: &Response, ask: &Ask, now: Timestamp) -> Result<Token, GrantError> {
    let status = response.status;
    match status {
        200..=299 => granted(response, ask, now),
        301..=303 | 307 | 308 => Err(GrantError::Redirect(status)),
        429 | 500..600 => Err(GrantError::Unavailable {
            status,
            retry_after: response.header("retry-after").map(str::to_owned),
        }),
        _ => Err(refusal(response)),
    }
}

fn granted(response: &Response, ask: &Ask, now: Timestamp) -> Result<Token, GrantError> {
    let foreign = |what| GrantError::NotTheProtocol { status: response.status, what };
    let granted: Granted =
        serde_json::from_slice(&response.body).map_err(|_| foreign(missing_fields(response)))?;
    if !granted.token_type.eq_ignore_ascii_case("bearer") {
        return Err(foreign("a token of another type than Bearer"));
    }
    let access_token = AccessToken::parse(&granted.access_token)
        .ok_or(foreign("an `access_token` with characters that no bearer token has"))?;
    let expires_at = Some(SignedDuration::from_secs(granted.expires_in))
        .filter(SignedDuration::is_positive)
        // Whole seconds, and never later than the server meant.
        .and_then(|life| Timestamp::from_second(now.as_second()).ok()?.checked_add(life).ok())
        .ok_or(foreign("an `expires_in` that is no lifetime"))?;
    let claimed = claimed_scope(&granted.access_token)
        .map_err(|_| foreign("an `access_token` whose scopes cannot be read"))?;
    let granted_scopes = held_against(ask, granted.scope.as_deref(), claimed.as_deref())?;
    Ok(Token { access_token, expires_at, expires_in: granted.expires_in, granted: granted_scopes })
}

/// The answer may say one thing and the token another: each is held against what was asked.
fn held_against(ask: &Ask, stated: Option<&str>, claimed: Option<&str>) -> Result<ScopeSet, Mismatch> {
    for scopes in [stated, claimed].into_iter().flatten() {
        ask.check(&ScopeSet::from_wire(scopes))?;
    }
    match (stated.or(claimed), ask) {
        (Some(scopes), _) => Ok(ScopeSet::from_wire(scopes)),
        (None, Ask::Full) => Ok(ScopeSet::from_wire(&ask.to_wire())),
        (None, Ask::Scopes(_)) => Err(Mismatch::Unstated),
    }
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
        (_, "unauthorized_client") => GrantError::NotAllowed(description),
        (400, "invalid_scope") => GrantError::ScopeRefused(description),
        (404, _) if error.contains("ealm") => GrantError::UnknownTenant(error),
        _ => GrantError::Refused { status, error, description },
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn response(status: u16, body: &str) -> Response {
        Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    fn ask(scopes: &str) -> Ask {
        Ask::scopes(ScopeSet::from_wire(scopes)).unwrap()
    }

    fn parsed(status: u16, body: &str) -> Result<Token, GrantError> {
        parse(&response(status, body), &ask("transcribe"), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn awkward_secrets_are_encoded() {
        let client = Client {
            environment: "eu".parse().unwrap(),
            tenant: "base".parse().unwrap(),
            id: "acme".parse().unwrap(),
        };
        let secret = ClientSecret::parse("a b&c=d%e+f\u{fc}").unwrap();
        let Body::Form(form) = request(&client, &secret, &ask("transcribe")).body else {
            panic!("not a form")
        };
        assert_eq!(
            form.expose(),
            "grant_type=client_credentials&client_id=acme&client_secret=a+b%26c%3Dd%25e%2Bf%C3%BC\
             &scope=openid+transcribe"
        );
    }

    #[test]
    fn a_token_is_read() {
        let body = r#"{"access_token":"abc","expires_in":300,"token_type":"Bearer","not-before-policy":0,
                       "scope":"email openid transcribe"}"#;
        let token = parsed(200, body).unwrap();
        assert_eq!((token.expires_in, token.expires_at.as_second()), (300, 300));
        assert_eq!(token.access_token.secret().expose(), "abc");
    }

    #[test]
    fn a_token_that_may_do_something_else_is_refused() {
        let body = |scope| {
            format!(r#"{{"access_token":"a","expires_in":1,"token_type":"bearer","scope":"{scope}"}}"#)
        };
        assert!(matches!(parsed(200, &body("openid")), Err(GrantError::Mismatch(Mismatch::Narrower(_)))));
        let broader = parsed(200, &body("openid transcribe streams"));
        assert!(matches!(broader, Err(GrantError::Mismatch(Mismatch::Broader(_)))));
        let unstated = parsed(200, r#"{"access_token":"a","expires_in":1,"token_type":"bearer"}"#);
        assert_eq!(unstated.unwrap_err(), GrantError::Mismatch(Mismatch::Unstated));
    }

    #[test]
    fn the_tokens_own_scope_counts_whatever_its_other_claims_are() {
        let with = |payload: &str| {
            let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload));
            let scope = r#""expires_in":1,"token_type":"bearer","scope":"openid transcribe""#;
            parsed(200, &format!(r#"{{"access_token":"{token}",{scope}}}"#))
        };
        assert!(with(r#"{"scope":"openid transcribe","azp":["x"]}"#).is_ok());
        let full = with(r#"{"scope":"openid email profile","azp":["x"]}"#);
        assert!(matches!(full, Err(GrantError::Mismatch(Mismatch::Narrower(_)))));
        for unreadable in
            [r#"{"scope":["openid","transcribe"]}"#, r#"{"scope":"a","scope":"openid transcribe"}"#, "[]"]
        {
            assert!(matches!(with(unreadable), Err(GrantError::NotTheProtocol { .. })), "{unreadable}");
        }
    }

    #[test]
    fn answers_of_another_protocol_are_named() {
        let table = [
            (200, "", "an empty body"),
            (200, "<html>", "an HTML page"),
            (200, r#"{"access_token":"a"#, "a broken or cut-off JSON text"),
            (200, r#"{"ok":true}"#, "a JSON object without `access_token`"),
            (
                200,
                r#"{"access_token":1,"expires_in":1,"token_type":"Bearer"}"#,
                "a JSON object whose fields have the wrong types",
            ),
            (
                200,
                r#"{"access_token":"a","expires_in":-1,"token_type":"Bearer"}"#,
                "an `expires_in` that is no lifetime",
            ),
            (
                200,
                r#"{"access_token":"a","expires_in":1,"token_type":"MAC"}"#,
                "a token of another type than Bearer",
            ),
            (404, "<html>", "an HTML page"),
        ];
        for (status, body, what) in table {
            assert_eq!(
                parsed(status, body).unwrap_err(),
                GrantError::NotTheProtocol { status, what },
                "{body}"
            );
        }
        assert_eq!(parsed(302, "").unwrap_err(), GrantError::Redirect(302));
    }

    #[test]
    fn refusals_are_told_apart() {
        let body = |error: &str, text: &str| format!(r#"{{"error":"{error}","error_description":"{text}"}}"#);
        let credentials = "Invalid client or Invalid client credentials";
        let text = || credentials.to_owned();
        assert_eq!(
            parsed(401, &body("invalid_client", credentials)).unwrap_err(),
            GrantError::UnknownClient(text())
        );
        assert_eq!(
            parsed(401, &body("unauthorized_client", credentials)).unwrap_err(),
            GrantError::WrongSecret(text())
        );
        let account = "Client not enabled to retrieve service account";
        assert_eq!(
            parsed(401, &body("unauthorized_client", account)).unwrap_err(),
            GrantError::NotAllowed(account.to_owned())
        );
        assert!(matches!(parsed(400, &body("invalid_scope", "x")), Err(GrantError::ScopeRefused(_))));
        assert!(matches!(
            parsed(404, r#"{"error":"Realm does not exist"}"#),
            Err(GrantError::UnknownTenant(_))
        ));
        assert!(matches!(parsed(503, "<html>"), Err(GrantError::Unavailable { status: 503, .. })));
        assert!(matches!(parsed(400, &body("invalid_request", "x")), Err(GrantError::Refused { .. })));
    }
}

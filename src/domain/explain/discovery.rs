//! Compares a realm's discovery document (OpenID Connect Discovery 1.0) with the environment and the tenant.

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::corti::request::Response;
use crate::domain::text::excerpt::quoted;
use crate::domain::token::grant::is_unknown_realm;

/// Why a realm is not the expected one. The texts may be the server's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RealmError {
    /// 404 for the realm.
    #[error("the authorization server has no tenant `{0}`")]
    UnknownTenant(Tenant),
    /// A redirect, which is never followed.
    #[error("the realm's discovery document redirects ({0}), which is not followed")]
    Redirect(u16),
    /// 429 or 5xx.
    #[error("the authorization server answered {0}")]
    Unavailable(u16),
    /// The answer is not a discovery document.
    #[error("the answer is not a discovery document: {status} with {what}")]
    NotTheProtocol {
        /// The HTTP status.
        status: u16,
        /// What the body looks like.
        what: &'static str,
    },
    /// The document names another issuer: the one found, and that of the environment and the tenant.
    #[error("the realm says its issuer is `{0}`, not `{1}`")]
    OtherIssuer(String, String),
    /// The keys are on another host, or the document names none: their URL, and the issuer.
    #[error("the realm's keys are at `{0}`, which is not on the host of `{1}`")]
    OtherKeys(String, String),
    /// The token endpoint is on another host: the one found, and that of the environment and the tenant.
    #[error("the realm's token endpoint is `{0}`, which is not on the host of `{1}`")]
    OtherEndpoint(String, String),
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    token_endpoint: String,
    #[serde(default)]
    jwks_uri: String,
}

/// Checks that a realm's discovery document is that of the environment and the tenant.
pub fn check(response: &Response, environment: &Environment, tenant: &Tenant) -> Result<(), RealmError> {
    read(response, environment, tenant).map(|_| ())
}

/// The URL of the realm's keys, from its discovery document, after the same check.
pub fn keys_url(response: &Response, environment: &Environment, tenant: &Tenant) -> Result<Url, RealmError> {
    let found = read(response, environment, tenant)?.jwks_uri;
    let expected = environment.issuer(tenant);
    match (Url::parse(&found), Url::parse(&expected)) {
        (Ok(keys), Ok(issuer)) if keys.origin() == issuer.origin() => Ok(keys),
        _ => Err(RealmError::OtherKeys(quoted(&found).into_owned(), expected)),
    }
}

fn read(response: &Response, environment: &Environment, tenant: &Tenant) -> Result<Discovery, RealmError> {
    let status = response.status;
    let other = || RealmError::NotTheProtocol { status, what: response.appearance() };
    match status {
        200..=299 => {}
        300..=399 => return Err(RealmError::Redirect(status)),
        429 | 500..=599 => return Err(RealmError::Unavailable(status)),
        404 if names_a_realm(response) => return Err(RealmError::UnknownTenant(tenant.clone())),
        _ => return Err(other()),
    }
    let document: Discovery = serde_json::from_slice(&response.body).map_err(|_| other())?;
    let expected = environment.issuer(tenant);
    if document.issuer != expected {
        return Err(RealmError::OtherIssuer(quoted(&document.issuer).into_owned(), expected));
    }
    let expected = environment.token_url(tenant);
    let origin = |text: &str| Url::parse(text).ok().map(|url| url.origin());
    if origin(&document.token_endpoint) != origin(&expected) {
        return Err(RealmError::OtherEndpoint(quoted(&document.token_endpoint).into_owned(), expected));
    }
    Ok(document)
}

/// Whether it is Keycloak's 404 for an unknown realm, not for an unknown path.
fn names_a_realm(response: &Response) -> bool {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    body.get("error").and_then(Value::as_str).is_some_and(is_unknown_realm)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eu() -> Environment {
        "eu".parse().unwrap()
    }

    fn response(status: u16, body: &str) -> Response {
        Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn a_realm_is_the_expected_one_or_it_is_said_why_not() {
        let judge = |status, body: &str| check(&response(status, body), &eu(), &Tenant::default());
        let document = |issuer: &str, endpoint: &str| {
            serde_json::json!({ "issuer": issuer, "token_endpoint": endpoint }).to_string()
        };
        let (own, endpoint) = (eu().issuer(&Tenant::default()), eu().token_url(&Tenant::default()));
        assert_eq!(judge(200, &document(&own, &endpoint)), Ok(()));
        let other = judge(200, &document("https://auth.us.corti.app/realms/base", &endpoint));
        assert!(matches!(other, Err(RealmError::OtherIssuer(..))), "{other:?}");
        for elsewhere in ["https://evil.example/token", "http://auth.eu.corti.app/x", "/relative"] {
            let other = judge(200, &document(&own, elsewhere));
            assert!(matches!(other, Err(RealmError::OtherEndpoint(..))), "{elsewhere}: {other:?}");
        }
        let gone = judge(404, r#"{"error":"Realm does not exist"}"#);
        assert_eq!(gone, Err(RealmError::UnknownTenant(Tenant::default())));
        for (status, body) in [(404, "{}"), (200, "<html>"), (200, r#"{"issuer":1}"#), (401, "")] {
            assert!(matches!(judge(status, body), Err(RealmError::NotTheProtocol { .. })), "{status} {body}");
        }
        assert_eq!(judge(302, ""), Err(RealmError::Redirect(302)));
        assert_eq!(judge(503, ""), Err(RealmError::Unavailable(503)));
        let long = document(&"x".repeat(10_000), &endpoint);
        assert!(judge(200, &long).unwrap_err().to_string().len() < 700, "a server's text is cut");
    }
}

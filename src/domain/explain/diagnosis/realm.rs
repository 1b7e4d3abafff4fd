//! A realm's discovery document (OpenID Connect Discovery 1.0), compared with what the realm should be.

use serde::Deserialize;
use url::Url;

use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::corti::request::Response;
use crate::domain::text::quotation::quoted;

/// Why a realm is not the one that was meant. The texts may be the server's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RealmError {
    /// 404: there is no such realm.
    #[error("the authorization server has no tenant `{0}`")]
    UnknownTenant(Tenant),
    /// A redirect, which is never followed.
    #[error("the realm's discovery document redirects ({0}), which is not followed")]
    Redirect(u16),
    /// 429 or 5xx.
    #[error("the authorization server answered {0}")]
    Unavailable(u16),
    /// The answer is no discovery document.
    #[error("the answer is no discovery document: {status} with {what}")]
    NotTheProtocol {
        /// The HTTP status.
        status: u16,
        /// What it looked like, in our own words.
        what: &'static str,
    },
    /// It speaks for another issuer.
    #[error("the realm says that its issuer is `{found}`, and `{expected}` was expected")]
    OtherIssuer {
        /// What the environment and the tenant make of it.
        expected: String,
        /// What it says.
        found: String,
    },
    /// Its keys are on another host, or it names none.
    #[error("the realm's keys are at `{found}`, which is not on the host of `{expected}`")]
    OtherKeys {
        /// The issuer.
        expected: String,
        /// What it says.
        found: String,
    },
    /// Its token endpoint is on another host.
    #[error("the realm's token endpoint is `{found}`, which is not on the host of `{expected}`")]
    OtherEndpoint {
        /// Where tokens are asked for.
        expected: String,
        /// What it says.
        found: String,
    },
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    token_endpoint: String,
}

/// Holds the answer to a request for a realm's discovery document against what the realm should be.
///
/// # Errors
/// [`RealmError`], see its variants.
pub fn realm(response: &Response, environment: &Environment, tenant: &Tenant) -> Result<(), RealmError> {
    let status = response.status;
    let foreign = |what| RealmError::NotTheProtocol { status, what };
    match status {
        200..=299 => {}
        300..=399 => return Err(RealmError::Redirect(status)),
        429 | 500..=599 => return Err(RealmError::Unavailable(status)),
        404 if names_a_realm(response) => return Err(RealmError::UnknownTenant(tenant.clone())),
        _ => return Err(foreign(response.appearance())),
    }
    let Discovery { issuer, token_endpoint } =
        serde_json::from_slice(&response.body).map_err(|_| foreign(response.appearance()))?;
    let expected = environment.issuer(tenant);
    if issuer != expected {
        return Err(RealmError::OtherIssuer { expected, found: quoted(&issuer).into_owned() });
    }
    let expected = environment.token_url(tenant);
    let origin = |text: &str| Url::parse(text).ok().map(|url| url.origin());
    if origin(&token_endpoint) != origin(&expected) {
        return Err(RealmError::OtherEndpoint { expected, found: quoted(&token_endpoint).into_owned() });
    }
    Ok(())
}

/// Where the realm's keys are, by its discovery document, which is compared with what the realm should be.
///
/// # Errors
/// [`RealmError`], see its variants.
pub fn keys_url(response: &Response, environment: &Environment, tenant: &Tenant) -> Result<Url, RealmError> {
    #[derive(Deserialize)]
    struct Keys {
        #[serde(default)]
        jwks_uri: String,
    }
    realm(response, environment, tenant)?;
    let foreign = |_| RealmError::NotTheProtocol { status: response.status, what: response.appearance() };
    let Keys { jwks_uri } = serde_json::from_slice(&response.body).map_err(foreign)?;
    let expected = environment.issuer(tenant);
    match (Url::parse(&jwks_uri), Url::parse(&expected)) {
        (Ok(keys), Ok(issuer)) if keys.origin() == issuer.origin() => Ok(keys),
        _ => Err(RealmError::OtherKeys { expected, found: quoted(&jwks_uri).into_owned() }),
    }
}

/// Keycloak's 404 for a realm that is not there, as against any other.
fn names_a_realm(response: &Response) -> bool {
    #[derive(Deserialize)]
    struct OAuthError {
        error: String,
    }
    serde_json::from_slice::<OAuthError>(&response.body).is_ok_and(|body| body.error.contains("ealm"))
}

//! Who may pass: the REST API takes a token in the header that names neither WebSocket's scope, a WebSocket takes one in the
//! query that names its own scope, or neither. Checked in this order: the token (401), the tenant (403), the scope (403).

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use url::form_urlencoded;

use crate::domain::client::identity::Tenant;
use crate::domain::token::scope::{LIMITED, ScopeSet};

use super::problem::Problem;
use super::realm::{Realm, Verified};
use super::state::Shared;

/// Why somebody may not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 401: no token (`None`), or what is wrong with it. Names the tenant, for the challenge.
    Unauthenticated(Tenant, Option<&'static str>),
    /// 403: the tenant or the scope.
    Forbidden(&'static str),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Unauthenticated(tenant, flaw) => challenge(&tenant, flaw),
            Self::Forbidden(detail) => Problem::forbidden(detail).into_response(),
        }
    }
}

/// RFC 6750, section 3: the reason is in the header, and Corti's body is empty. Who sent no token is told no
/// error.
fn challenge(tenant: &Tenant, flaw: Option<&str>) -> Response {
    let error = flaw.map(|text| format!(r#", error="invalid_token", error_description="{text}""#));
    let value = format!(r#"Bearer realm="{tenant}"{}"#, error.unwrap_or_default());
    let mut response = StatusCode::UNAUTHORIZED.into_response();
    // A tenant's characters and the fixed texts are all fit for a header.
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    response
}

/// What a request is judged by.
struct Guard<'a> {
    realm: Arc<Realm>,
    tenant: &'a Tenant,
    now: Timestamp,
    /// Whether a token's scopes count.
    scoped: bool,
}

impl<'a> Guard<'a> {
    fn of(shared: &'a Shared) -> Self {
        let scoped = !shared.knobs().ignore_scopes;
        Self { realm: shared.realm(), tenant: &shared.tenant, now: shared.now(), scoped }
    }

    /// Judges a REST request by its headers.
    fn rest(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let token = self.token(text(AUTHORIZATION.as_str()))?;
        self.tenant(text("tenant-name"))?;
        if self.scoped && is_reduced(&token.scopes) {
            return Err(Refusal::Forbidden("the token lacks the scope for this resource"));
        }
        Ok(())
    }

    /// Judges a WebSocket's handshake by its query. Only the query counts: that is what Corti's documentation
    /// defines.
    fn socket(&self, query: &str, scope: &str) -> Result<(), Refusal> {
        let value =
            |name| form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|pair| pair.1);
        let token = self.token(value("token").as_deref())?;
        self.tenant(value("tenant-name").as_deref())?;
        if self.scoped && is_reduced(&token.scopes) && !token.scopes.contains(scope) {
            return Err(Refusal::Forbidden("the token lacks the scope for this WebSocket"));
        }
        Ok(())
    }

    fn token(&self, authorization: Option<&str>) -> Result<Verified, Refusal> {
        let refused = |flaw| Refusal::Unauthenticated(self.tenant.clone(), flaw);
        let given = authorization.filter(|text| !text.is_empty()).ok_or_else(|| refused(None))?;
        let token = given
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .ok_or_else(|| refused(Some("The token is not preceded by Bearer")))?
            .1;
        self.realm.verify(token.trim(), self.now).map_err(|flaw| refused(Some(flaw)))
    }

    fn tenant(&self, given: Option<&str>) -> Result<(), Refusal> {
        match given {
            Some(name) if name == self.tenant.as_str() => Ok(()),
            Some(_) => Err(Refusal::Forbidden("the tenant name is not the token's")),
            None => Err(Refusal::Forbidden("the tenant name is missing")),
        }
    }
}

/// Whether a token with these scopes does not act as the client itself: asking for a WebSocket's scope is what reduces it.
/// Any other scope, beside that or alone, changes nothing: a mixed token is treated as full.
fn is_reduced(scopes: &ScopeSet) -> bool {
    LIMITED.iter().any(|name| scopes.contains(name))
}

/// Lets a handshake pass whose query has a token for the WebSocket of `scope`.
pub(super) fn socket(shared: &Shared, query: &str, scope: &str) -> Result<(), Refusal> {
    Guard::of(shared).socket(query, scope)
}

/// A handler that takes this runs only for requests with a full token and the right tenant.
pub(super) struct FullAccess;

impl FromRequestParts<Arc<Shared>> for FullAccess {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        Guard::of(shared).rest(&parts.headers).map(|()| Self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::realm::tests::{REALM, token};
    use super::*;

    const NOW: i64 = 1000;

    fn guard(tenant: &Tenant) -> Guard<'_> {
        let now = Timestamp::from_second(NOW).unwrap();
        Guard { realm: Arc::new(REALM.clone()), tenant, now, scoped: true }
    }

    /// The status that a request with these headers would get.
    fn rest(authorization: Option<String>, tenant_name: Option<&str>) -> u16 {
        let mut headers = HeaderMap::new();
        authorization.map(|value| headers.insert(AUTHORIZATION, value.parse().unwrap()));
        tenant_name.map(|value| headers.insert("tenant-name", value.parse().unwrap()));
        status(guard(&Tenant::default()).rest(&headers))
    }

    fn status(verdict: Result<(), Refusal>) -> u16 {
        verdict.map_or_else(|refusal| refusal.into_response().status().as_u16(), |()| 200)
    }

    #[test]
    fn rest_takes_a_full_token_for_its_tenant() {
        let bearer = |scope: &str| Some(format!("Bearer {}", token(scope, NOW)));
        assert_eq!(rest(bearer("openid email profile"), Some("base")), 200);
        assert_eq!(rest(bearer("openid transcribe"), Some("base")), 403);
        assert_eq!(rest(bearer("openid transcribe phone"), Some("base")), 403);
        // Mixed is treated as full, by the contract; and no scope but the WebSockets' is documented to reduce a token.
        assert_eq!(rest(bearer("openid interactions:read"), Some("base")), 200);
        assert_eq!(rest(bearer("openid phone"), Some("base")), 200);
        assert_eq!(rest(bearer("openid"), None), 403);
        assert_eq!(rest(bearer("openid"), Some("other")), 403);
        assert_eq!(rest(None, None), 401);
        assert_eq!(rest(Some(token("openid", NOW)), Some("base")), 401);
        assert_eq!(rest(Some(format!("Bearer {}", token("openid", NOW - 300))), Some("base")), 401);
    }

    #[test]
    fn a_socket_takes_its_own_scope_or_a_full_token() {
        let tenant = Tenant::default();
        let open = |query: &str| status(guard(&tenant).socket(query, "transcribe"));
        let query = |scope: &str| format!("tenant-name=base&token=Bearer%20{}", token(scope, NOW));
        assert_eq!(open(&query("openid transcribe")), 200);
        assert_eq!(open(&query("openid email")), 200);
        assert_eq!(open(&query("openid transcribe").replace("%20", "+")), 200);
        assert_eq!(open(&query("openid phone")), 200);
        assert_eq!(open(&query("openid transcribe phone")), 200);
        assert_eq!(open(&query("openid streams")), 403);
        assert_eq!(open(&query("openid streams phone")), 403);
        assert_eq!(open(&query("openid transcribe").replace("base", "other")), 403);
        assert_eq!(open(&query("openid transcribe").replace("Bearer%20", "")), 401);
        assert_eq!(open("tenant-name=base"), 401);
    }

    #[test]
    fn the_challenge_names_an_error_only_for_a_token() {
        let header = |flaw| challenge(&Tenant::default(), flaw).headers()[WWW_AUTHENTICATE].clone();
        assert_eq!(header(None), r#"Bearer realm="base""#);
        let bad = r#"Bearer realm="base", error="invalid_token", error_description="x""#;
        assert_eq!(header(Some("x")), bad);
    }
}

//! Who may use the API: the REST API needs a full token in a header, a WebSocket a full token or one with its own scope, in the
//! query. Checked in this order: the token (401), the tenant (403), the scope (403).

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use url::form_urlencoded;

use crate::domain::client::identity::Tenant;
use crate::domain::token::scope::LIMITED;

use super::problem::Problem;
use super::realm::Realm;
use super::state::{AppState, Shared};

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// 401, with the tenant for the challenge, and what is wrong with the token. `None` if there is no token.
    Unauthenticated(Tenant, Option<&'static str>),
    /// 403: the tenant or the scope is wrong.
    Forbidden(&'static str),
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        match self {
            Self::Unauthenticated(tenant, reason) => challenge(&tenant, reason),
            Self::Forbidden(detail) => Problem::new(403, "A0001", detail).into_response(),
        }
    }
}

/// 401 with an empty body, as Corti sends it. The header has an error only if there was a token (RFC 6750, section 3).
fn challenge(tenant: &Tenant, reason: Option<&str>) -> Response {
    let error = reason.map(|text| format!(r#", error="invalid_token", error_description="{text}""#));
    let value = format!(r#"Bearer realm="{tenant}"{}"#, error.unwrap_or_default());
    let mut response = StatusCode::UNAUTHORIZED.into_response();
    // Cannot fail: tenants and reasons have no characters that a header cannot have.
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    response
}

/// What decides over requests.
struct Policy<'a> {
    realm: &'a Realm,
    tenant: &'a Tenant,
    now: Timestamp,
    /// Whether the scopes of a token matter.
    checks_scopes: bool,
}

impl Policy<'_> {
    /// Checks a REST request by its headers.
    fn rest(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        self.check(text(AUTHORIZATION.as_str()), text("tenant-name"), None)
    }

    /// Checks the handshake of the WebSocket with the scope `scope` by its query. Corti documents no other way.
    fn socket(&self, query: &str, scope: &str) -> Result<(), Denied> {
        let value =
            |name| form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|pair| pair.1);
        self.check(value("token").as_deref(), value("tenant-name").as_deref(), Some(scope))
    }

    /// A WebSocket has a scope of its own, which is enough to open it.
    fn check(
        &self,
        authorization: Option<&str>,
        tenant: Option<&str>,
        socket_scope: Option<&str>,
    ) -> Result<(), Denied> {
        let unauthenticated = |reason| Denied::Unauthenticated(self.tenant.clone(), reason);
        let sent = authorization.filter(|text| !text.is_empty()).ok_or_else(|| unauthenticated(None))?;
        let (_, token) = sent
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .ok_or_else(|| unauthenticated(Some("The token is not preceded by Bearer")))?;
        let scopes =
            self.realm.verify(token.trim(), self.now).map_err(|reason| unauthenticated(Some(reason)))?;
        match tenant {
            Some(name) if name == self.tenant.as_str() => {}
            Some(_) => return Err(Denied::Forbidden("the tenant name is not the token's")),
            None => return Err(Denied::Forbidden("the tenant name is missing")),
        }
        // Only the scopes of WebSockets limit a token.
        let is_full = !LIMITED.iter().any(|name| scopes.contains(name));
        if is_full || socket_scope.is_some_and(|scope| scopes.contains(scope)) || !self.checks_scopes {
            Ok(())
        } else if socket_scope.is_some() {
            Err(Denied::Forbidden("the token lacks the scope for this WebSocket"))
        } else {
            Err(Denied::Forbidden("the token lacks the scope for this resource"))
        }
    }
}

fn decide(shared: &Shared, check: impl FnOnce(&Policy<'_>) -> Result<(), Denied>) -> Result<(), Denied> {
    let (now, checks_scopes) = (shared.now(), !shared.settings().ignore_scopes);
    check(&Policy { realm: &shared.realm(), tenant: &shared.tenant, now, checks_scopes })
}

/// Checks the handshake of the WebSocket with the scope `scope`.
pub(super) fn socket(shared: &Shared, query: &str, scope: &str) -> Result<(), Denied> {
    decide(shared, |policy| policy.socket(query, scope))
}

/// Passes on only requests with a full token and the right tenant.
pub(super) async fn rest(State(shared): AppState, request: Request, next: Next) -> Result<Response, Denied> {
    decide(&shared, |policy| policy.rest(request.headers()))?;
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::LazyLock;

    use super::super::realm::{Grant, LIFETIME, SigningKey};
    use super::*;

    const NOW: i64 = 1000;

    /// One key for all tests: making one takes a while.
    static REALM: LazyLock<Realm> = LazyLock::new(|| {
        let client = "acme".parse().unwrap();
        Realm::new(Tenant::default(), client, IpAddr::from([127, 0, 0, 1]), SigningKey::new().unwrap())
    });

    fn token(scope: &str, at: i64) -> String {
        let now = Timestamp::from_second(at).unwrap();
        let grant = Grant { issuer: "http://127.0.0.1:1/realms/base", scope, lifetime: LIFETIME, now };
        REALM.access_token(&grant).unwrap()
    }

    fn policy(tenant: &Tenant) -> Policy<'_> {
        let now = Timestamp::from_second(NOW).unwrap();
        Policy { realm: &REALM, tenant, now, checks_scopes: true }
    }

    /// The status that a request with these headers would get.
    fn rest(authorization: Option<String>, tenant_name: Option<&str>) -> u16 {
        let mut headers = HeaderMap::new();
        authorization.map(|value| headers.insert(AUTHORIZATION, value.parse().unwrap()));
        tenant_name.map(|value| headers.insert("tenant-name", value.parse().unwrap()));
        status(policy(&Tenant::default()).rest(&headers))
    }

    fn status(verdict: Result<(), Denied>) -> u16 {
        verdict.map_or_else(|denied| denied.into_response().status().as_u16(), |()| 200)
    }

    #[test]
    fn rest_takes_a_full_token_for_its_tenant() {
        let bearer = |scope: &str| Some(format!("Bearer {}", token(scope, NOW)));
        assert_eq!(rest(bearer("openid email profile"), Some("base")), 200);
        assert_eq!(rest(bearer("openid transcribe"), Some("base")), 403);
        assert_eq!(rest(bearer("openid transcribe phone"), Some("base")), 403);
        // Only the scopes of the WebSockets limit a token.
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
        let open = |query: &str| status(policy(&tenant).socket(query, "transcribe"));
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
        let header = |reason| challenge(&Tenant::default(), reason).headers()[WWW_AUTHENTICATE].clone();
        assert_eq!(header(None), r#"Bearer realm="base""#);
        let bad = r#"Bearer realm="base", error="invalid_token", error_description="x""#;
        assert_eq!(header(Some("x")), bad);
    }
}

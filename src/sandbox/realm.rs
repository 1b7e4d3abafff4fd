//! The realm: signs tokens with the claims of a Keycloak 26 service account, and verifies them.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::error::Unspecified;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::client::environment::Environment;
use crate::domain::client::identity::{ClientId, Tenant};
use crate::domain::token::jwks::KeySet;
use crate::domain::token::jwt::Jwt;
use crate::domain::token::scope::ScopeSet;
use crate::domain::token::signature::{self, SignatureError};

use super::key::SigningKey;

/// How long a token is valid, in seconds: Corti's documented five minutes.
pub(super) const LIFETIME: i64 = 300;

/// The most older keys that are kept.
const MAX_PASSIVE: usize = 8;
const MALFORMED: &str = "The token is malformed";

/// A realm's keys and the subject of its one service account.
#[derive(Clone)]
pub(super) struct Realm {
    tenant: Tenant,
    /// The loopback address it listens on, which is also its clients' address.
    address: IpAddr,
    subject: Uuid,
    active: SigningKey,
    /// Older keys, which still verify. The newest first.
    passive: Vec<SigningKey>,
}

pub(super) struct Subject<'a> {
    /// The `iss`: the realm's URL, by the name in the request's `Host`.
    pub(super) issuer: &'a str,
    pub(super) client: &'a ClientId,
    pub(super) tenant: &'a Tenant,
    pub(super) scope: &'a str,
    /// Seconds that the token lives.
    pub(super) lifetime: i64,
}

impl Realm {
    /// A realm with one key.
    pub(super) fn new(tenant: Tenant, address: IpAddr, active: SigningKey) -> Self {
        Self { tenant, address, subject: Uuid::new_v4(), active, passive: Vec::new() }
    }

    /// Signs with `key` from now on. Older keys still verify, as in Keycloak, unless they are to be forgotten.
    pub(super) fn rotate(&mut self, key: SigningKey, forget: bool) {
        let old = std::mem::replace(&mut self.active, key);
        if forget {
            self.passive.clear();
        } else {
            self.passive.insert(0, old);
            self.passive.truncate(MAX_PASSIVE);
        }
    }

    fn keys(&self) -> impl Iterator<Item = &SigningKey> {
        std::iter::once(&self.active).chain(&self.passive)
    }

    /// The JWK set (RFC 7517) that `certs` serves, the active key first.
    pub(super) fn jwks(&self) -> Value {
        json!({ "keys": self.keys().map(SigningKey::jwk).collect::<Vec<_>>() })
    }

    /// Signs an access token.
    pub(super) fn access_token(&self, subject: &Subject<'_>, now: Timestamp) -> Result<String, Unspecified> {
        let mut claims = self.common_claims(subject, now);
        merge(
            &mut claims,
            json!({
                // `trrtcc`: a transient session's regular token, by client credentials.
                "jti": format!("trrtcc:{}", Uuid::new_v4()),
                "aud": "account",
                "typ": "Bearer",
                "realm_access": { "roles": [
                    "offline_access", "uma_authorization", format!("default-roles-{}", subject.tenant),
                ]},
                "resource_access": { "account": { "roles": [
                    "manage-account", "manage-account-links", "view-profile",
                ]}},
                "scope": subject.scope,
            }),
        );
        self.active.sign(&claims)
    }

    /// Signs the ID token (OIDC Core 1.0, section 2) that goes with `access_token`.
    pub(super) fn id_token(
        &self,
        subject: &Subject<'_>,
        access_token: &str,
        now: Timestamp,
    ) -> Result<String, Unspecified> {
        let mut claims = self.common_claims(subject, now);
        // Section 3.1.3.6: the left half of the hash that the signature uses.
        let hash = Sha256::digest(access_token.as_bytes());
        let half = hash.get(..hash.len() / 2).unwrap_or_default();
        let own = json!({
            "jti": Uuid::new_v4(),
            "aud": subject.client.as_str(),
            "typ": "ID",
            "at_hash": URL_SAFE_NO_PAD.encode(half),
        });
        merge(&mut claims, own);
        self.active.sign(&claims)
    }

    fn common_claims(&self, subject: &Subject<'_>, now: Timestamp) -> Value {
        let (issued, client) = (now.as_second(), subject.client.as_str());
        json!({
            "exp": issued.saturating_add(subject.lifetime),
            "iat": issued,
            "iss": subject.issuer,
            "sub": self.subject,
            "azp": client,
            "acr": "1",
            "email_verified": false,
            "clientHost": self.address,
            "clientAddress": self.address,
            "preferred_username": format!("service-account-{client}"),
            "client_id": client,
        })
    }

    /// Verifies an access token's signature, issuer, type and expiry, and gives its scopes.
    ///
    /// # Errors
    /// What is wrong with it, as `error_description` of RFC 6750 may say it.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Result<ScopeSet, &'static str> {
        let keys = KeySet::parse(self.jwks().to_string().as_bytes()).map_err(|_| MALFORMED)?;
        signature::check(token, &keys).map_err(|error| describe(&error))?;
        let claims = Jwt::decode(token).map_err(|_| MALFORMED)?.claims;
        // One address is as good as another: a token that this key signed was asked for here.
        let issuer = Environment::from_issuer(&claims.iss.clone().unwrap_or_default());
        if issuer.is_none_or(|(_, tenant)| tenant != self.tenant) {
            return Err("The issuer of the token is not this realm");
        }
        if claims.typ.as_deref() != Some("Bearer") {
            return Err("The token is not an access token");
        }
        let expires = claims.expires_at().ok().flatten().ok_or(MALFORMED)?;
        if now.as_second() >= expires.as_second() {
            return Err("The token has expired");
        }
        Ok(ScopeSet::from_wire(&claims.scope.unwrap_or_default()))
    }
}

fn describe(error: &SignatureError) -> &'static str {
    match error {
        SignatureError::Wrong => "The signature of the token is invalid",
        SignatureError::UnknownKey(_) => "The key of the token is not this realm's",
        SignatureError::Algorithm(_) => "The algorithm of the token is not RS256",
        _ => MALFORMED,
    }
}

fn merge(claims: &mut Value, more: Value) {
    if let (Value::Object(claims), Value::Object(more)) = (claims, more) {
        claims.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    /// One key for all tests: making one takes a while.
    static REALM: LazyLock<Realm> = LazyLock::new(|| {
        Realm::new(Tenant::default(), IpAddr::from([127, 0, 0, 1]), SigningKey::new().unwrap())
    });

    const ISSUER: &str = "http://127.0.0.1:1/realms/base";

    fn subject(scope: &str) -> (ClientId, Tenant, String) {
        ("acme".parse().unwrap(), Tenant::default(), scope.to_owned())
    }

    fn token(scope: &str, at: i64) -> String {
        let (client, tenant, scope) = subject(scope);
        let subject =
            Subject { issuer: ISSUER, client: &client, tenant: &tenant, scope: &scope, lifetime: LIFETIME };
        REALM.access_token(&subject, Timestamp::from_second(at).unwrap()).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_token_is_valid_for_five_minutes() {
        let token = token("openid transcribe", 1000);
        assert!(REALM.verify(&token, at(1299)).unwrap().contains("transcribe"));
        assert_eq!(REALM.verify(&token, at(1300)).unwrap_err(), "The token has expired");
    }

    #[test]
    fn what_this_realm_did_not_sign_is_refused() {
        let token = token("openid", 1000);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (_, claims) = signed.split_once('.').unwrap();
        let jwk = REALM.active.jwk();
        let kid = jwk["kid"].as_str().unwrap();
        let header = |alg: &str| URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}","kid":"{kid}"}}"#));
        let none = format!("{}.{claims}.", header("none"));
        let hmac = format!("{}.{claims}.{signature}", header("HS256"));
        let tampered = format!("{signed}.{}", signature.chars().rev().collect::<String>());
        for bad in ["", "a.b.c", &none, &hmac, &tampered] {
            assert!(REALM.verify(bad, at(1000)).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_old_key_verifies_until_it_is_forgotten() {
        let (mut realm, old) = (REALM.clone(), token("openid", 1000));
        realm.rotate(SigningKey::new().unwrap(), false);
        assert!(realm.verify(&old, at(1000)).is_ok());
        assert_eq!(realm.jwks()["keys"].as_array().unwrap().len(), 2);
        realm.rotate(SigningKey::new().unwrap(), true);
        assert_eq!(realm.verify(&old, at(1000)).unwrap_err(), "The key of the token is not this realm's");
        assert_eq!(realm.jwks()["keys"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn an_id_token_and_another_realms_token_open_nothing() {
        let (client, tenant, scope) = subject("openid");
        let subject =
            Subject { issuer: ISSUER, client: &client, tenant: &tenant, scope: &scope, lifetime: LIFETIME };
        let id = REALM.id_token(&subject, "", at(1000)).unwrap();
        assert_eq!(REALM.verify(&id, at(1000)).unwrap_err(), "The token is not an access token");
        let mut foreign = REALM.common_claims(&subject, at(1000));
        merge(&mut foreign, json!({ "typ": "Bearer", "iss": "http://127.0.0.1:1/realms/other" }));
        let foreign = REALM.active.sign(&foreign).unwrap();
        assert_eq!(
            REALM.verify(&foreign, at(1000)).unwrap_err(),
            "The issuer of the token is not this realm"
        );
    }
}

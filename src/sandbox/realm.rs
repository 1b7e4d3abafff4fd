//! The realm's RSA key: signs tokens with the claims of a Keycloak 26 service account, and verifies them. The
//! key lives as long as the process and is never written anywhere.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::rand_core::OsRng;
use rsa::traits::PublicKeyParts;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::identity::{ClientId, Tenant};
use crate::domain::scope::ScopeSet;

/// How long a token is valid, in seconds: Corti's documented five minutes.
pub(super) const LIFETIME: i64 = 300;

/// The size of the key, in bits. Keycloak's default.
const KEY_BITS: usize = 2048;

/// A realm's key, its issuer and the subject of its one service account.
pub(super) struct Realm {
    issuer: String,
    subject: Uuid,
    key_id: String,
    modulus: String,
    exponent: String,
    signing: EncodingKey,
    verifying: DecodingKey,
}

/// What a verified access token says, as far as the sandbox looks at it.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) scopes: ScopeSet,
}

#[derive(Deserialize)]
struct Claims {
    exp: i64,
    typ: String,
    #[serde(default)]
    scope: String,
}

/// Who a token is made for.
pub(super) struct Subject<'a> {
    pub(super) client: &'a ClientId,
    pub(super) tenant: &'a Tenant,
    pub(super) scope: &'a str,
}

impl Realm {
    /// Makes a realm with a new key. Takes a while: call it where blocking is fine.
    pub(super) fn new(issuer: String) -> Result<Self, rsa::Error> {
        let key = rsa::RsaPrivateKey::new(&mut OsRng, KEY_BITS)?;
        let der = key.to_pkcs1_der()?;
        let (n, e) = (key.n().to_bytes_be(), key.e().to_bytes_be());
        let (modulus, exponent) = (URL_SAFE_NO_PAD.encode(&n), URL_SAFE_NO_PAD.encode(&e));
        // RFC 7638: the members that matter, in this order, without spaces.
        let thumbprint = Sha256::digest(format!(r#"{{"e":"{exponent}","kty":"RSA","n":"{modulus}"}}"#));
        Ok(Self {
            issuer,
            subject: Uuid::new_v4(),
            key_id: URL_SAFE_NO_PAD.encode(thumbprint),
            modulus,
            exponent,
            signing: EncodingKey::from_rsa_der(der.as_bytes()),
            verifying: DecodingKey::from_rsa_raw_components(&n, &e),
        })
    }

    /// The `iss` of every token.
    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The JWK set (RFC 7517) that `certs` serves.
    pub(super) fn jwks(&self) -> Value {
        json!({ "keys": [{
            "kid": self.key_id, "kty": "RSA", "alg": "RS256", "use": "sig",
            "n": self.modulus, "e": self.exponent,
        }]})
    }

    /// Signs an access token.
    pub(super) fn access_token(
        &self,
        subject: &Subject<'_>,
        now: Timestamp,
    ) -> jsonwebtoken::errors::Result<String> {
        let mut claims = self.common_claims(subject, now);
        merge(
            &mut claims,
            json!({
                // `trrtcc`: a transient session's regular token, by client credentials.
                "jti": format!("trrtcc:{}", Uuid::new_v4()),
                "aud": "account",
                "typ": "Bearer",
                "allowed-origins": ["/*"],
                "realm_access": { "roles": [
                    "offline_access", "uma_authorization", format!("default-roles-{}", subject.tenant),
                ]},
                "resource_access": { "account": { "roles": [
                    "manage-account", "manage-account-links", "view-profile",
                ]}},
                "scope": subject.scope,
            }),
        );
        self.sign(&claims)
    }

    /// Signs an ID token (OIDC Core 1.0, section 2).
    pub(super) fn id_token(
        &self,
        subject: &Subject<'_>,
        now: Timestamp,
    ) -> jsonwebtoken::errors::Result<String> {
        let mut claims = self.common_claims(subject, now);
        let own = json!({ "jti": Uuid::new_v4(), "aud": subject.client.as_str(), "typ": "ID" });
        merge(&mut claims, own);
        self.sign(&claims)
    }

    fn common_claims(&self, subject: &Subject<'_>, now: Timestamp) -> Value {
        let (issued, client) = (now.as_second(), subject.client.as_str());
        json!({
            "exp": issued.saturating_add(LIFETIME),
            "iat": issued,
            "iss": self.issuer,
            "sub": self.subject,
            "azp": client,
            "acr": "1",
            "email_verified": false,
            "clientHost": "127.0.0.1",
            "clientAddress": "127.0.0.1",
            "preferred_username": format!("service-account-{client}"),
            "client_id": client,
        })
    }

    fn sign(&self, claims: &Value) -> jsonwebtoken::errors::Result<String> {
        let header = Header { kid: Some(self.key_id.clone()), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, claims, &self.signing)
    }

    /// Verifies an access token: signature, issuer, type and expiry.
    ///
    /// # Errors
    /// What is wrong with it, as `error_description` of RFC 6750 may say it.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Result<Verified, &'static str> {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_required_spec_claims(&["exp", "iss"]);
        validation.set_issuer(&[&self.issuer]);
        // `aud` is always `account`. The expiry is compared below, with the sandbox's clock and no leeway.
        validation.validate_aud = false;
        validation.validate_exp = false;
        let decoded = jsonwebtoken::decode::<Claims>(token, &self.verifying, &validation);
        let claims = decoded.map_err(|error| describe(error.kind()))?.claims;
        if claims.typ != "Bearer" {
            return Err("The token is not an access token");
        }
        if now.as_second() >= claims.exp {
            return Err("The token has expired");
        }
        Ok(Verified { scopes: ScopeSet::from_wire(&claims.scope) })
    }
}

fn describe(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidSignature => "The signature of the token is invalid",
        ErrorKind::InvalidIssuer => "The issuer of the token is not this realm",
        ErrorKind::InvalidAlgorithm => "The algorithm of the token is not RS256",
        _ => "The token is malformed",
    }
}

fn merge(claims: &mut Value, more: Value) {
    if let (Value::Object(claims), Value::Object(more)) = (claims, more) {
        claims.extend(more);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::LazyLock;

    use super::*;

    /// One key for all tests: making one takes a while.
    pub(in crate::sandbox) static REALM: LazyLock<Realm> =
        LazyLock::new(|| Realm::new("http://127.0.0.1:1/realms/base".into()).unwrap());

    pub(in crate::sandbox) fn subject(scope: &str) -> (ClientId, Tenant, String) {
        ("acme".parse().unwrap(), Tenant::default(), scope.to_owned())
    }

    pub(in crate::sandbox) fn token(scope: &str, at: i64) -> String {
        let (client, tenant, scope) = subject(scope);
        let subject = Subject { client: &client, tenant: &tenant, scope: &scope };
        REALM.access_token(&subject, Timestamp::from_second(at).unwrap()).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_token_is_valid_for_five_minutes() {
        let token = token("openid transcribe", 1000);
        assert!(REALM.verify(&token, at(1299)).unwrap().scopes.contains("transcribe"));
        assert_eq!(REALM.verify(&token, at(1300)).unwrap_err(), "The token has expired");
    }

    #[test]
    fn what_this_realm_did_not_sign_is_refused() {
        let token = token("openid", 1000);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (_, claims) = signed.split_once('.').unwrap();
        let none = format!("{}.{claims}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#));
        let hmac = format!("{}.{claims}.{signature}", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#));
        let tampered = format!("{signed}.{}", signature.chars().rev().collect::<String>());
        for bad in ["", "a.b.c", &none, &hmac, &tampered] {
            assert!(REALM.verify(bad, at(1000)).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_id_token_and_another_realms_token_open_nothing() {
        let (client, tenant, scope) = subject("openid");
        let subject = Subject { client: &client, tenant: &tenant, scope: &scope };
        let id = REALM.id_token(&subject, at(1000)).unwrap();
        assert_eq!(REALM.verify(&id, at(1000)).unwrap_err(), "The token is not an access token");
        let mut foreign = REALM.common_claims(&subject, at(1000));
        merge(&mut foreign, json!({ "typ": "Bearer", "iss": "http://127.0.0.1:1/realms/other" }));
        let foreign = REALM.sign(&foreign).unwrap();
        assert_eq!(
            REALM.verify(&foreign, at(1000)).unwrap_err(),
            "The issuer of the token is not this realm"
        );
    }
}

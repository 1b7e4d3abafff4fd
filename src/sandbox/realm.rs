//! The realm: signs tokens with the claims of a Keycloak 26 service account, and verifies them.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::error::Unspecified;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::rand_core::OsRng;
use rsa::traits::PublicKeyParts;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::client::environment::Environment;
use crate::domain::client::identity::{ClientId, Tenant};
use crate::domain::token::jwks::KeySet;
use crate::domain::token::jwt::Jwt;
use crate::domain::token::scope::ScopeSet;
use crate::domain::token::signature::{self, SignatureError};

/// How long a token is valid, in seconds: Corti's documented five minutes.
pub(super) const LIFETIME: i64 = 300;

/// The most older keys that are kept.
const MAX_PASSIVE: usize = 8;
const MALFORMED: &str = "The token is malformed";

/// A realm, with its keys and its one client.
#[derive(Clone)]
pub(super) struct Realm {
    tenant: Tenant,
    client: ClientId,
    /// The loopback address it listens on, which is also its clients' address.
    address: IpAddr,
    /// The id of the client's service account.
    subject: Uuid,
    active: SigningKey,
    /// Older keys, which still verify. The newest first.
    passive: Vec<SigningKey>,
}

/// What differs between tokens.
pub(super) struct Grant<'a> {
    /// The `iss`: the realm's URL, with the name in the request's `Host`.
    pub(super) issuer: &'a str,
    pub(super) scope: &'a str,
    /// How long the token lives, in seconds.
    pub(super) lifetime: i64,
    pub(super) now: Timestamp,
}

impl Realm {
    /// A realm with one key.
    pub(super) fn new(tenant: Tenant, client: ClientId, address: IpAddr, active: SigningKey) -> Self {
        Self { tenant, client, address, subject: Uuid::new_v4(), active, passive: Vec::new() }
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

    /// The JWK set (RFC 7517) that `certs` serves, the active key first.
    pub(super) fn jwks(&self) -> Value {
        let keys = std::iter::once(&self.active).chain(&self.passive);
        json!({ "keys": keys.map(SigningKey::jwk).collect::<Vec<_>>() })
    }

    /// Signs an access token.
    pub(super) fn access_token(&self, grant: &Grant<'_>) -> Result<String, Unspecified> {
        let default_roles = format!("default-roles-{}", self.tenant);
        let account_roles = ["manage-account", "manage-account-links", "view-profile"];
        let own = json!({
            // `trrtcc`: a transient session's regular token, by client credentials.
            "jti": format!("trrtcc:{}", Uuid::new_v4()),
            "aud": "account",
            "typ": "Bearer",
            "realm_access": { "roles": ["offline_access", "uma_authorization", default_roles] },
            "resource_access": { "account": { "roles": account_roles } },
            "scope": grant.scope,
        });
        self.sign(grant, own)
    }

    /// Signs the ID token (OIDC Core 1.0, section 2) issued beside `access_token`.
    pub(super) fn id_token(&self, grant: &Grant<'_>, access_token: &str) -> Result<String, Unspecified> {
        // Section 3.1.3.6: the left half of the hash that the signature uses.
        let hash = Sha256::digest(access_token.as_bytes());
        let half = hash.get(..hash.len() / 2).unwrap_or_default();
        let own = json!({
            "jti": Uuid::new_v4(),
            "aud": self.client.as_str(),
            "typ": "ID",
            "at_hash": URL_SAFE_NO_PAD.encode(half),
        });
        self.sign(grant, own)
    }

    /// Signs a token with the claims of both kinds and its `own`.
    fn sign(&self, grant: &Grant<'_>, own: Value) -> Result<String, Unspecified> {
        let (issued, client) = (grant.now.as_second(), self.client.as_str());
        let mut claims = json!({
            "exp": issued.saturating_add(grant.lifetime),
            "iat": issued,
            "iss": grant.issuer,
            "sub": self.subject,
            "azp": client,
            "acr": "1",
            "email_verified": false,
            "clientHost": self.address,
            "clientAddress": self.address,
            "preferred_username": format!("service-account-{client}"),
            "client_id": client,
        });
        if let (Value::Object(claims), Value::Object(own)) = (&mut claims, own) {
            claims.extend(own);
        }
        self.active.sign(&claims)
    }

    /// Verifies an access token's signature, issuer, type and expiry, and returns its scopes. The error is an
    /// `error_description` of RFC 6750.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Result<ScopeSet, &'static str> {
        let keys = KeySet::parse(self.jwks().to_string().as_bytes()).map_err(|_| MALFORMED)?;
        signature::check(token, &keys).map_err(|error| describe(&error))?;
        let claims = Jwt::decode(token).map_err(|_| MALFORMED)?.claims;
        // Any address will do: this key signs only tokens of this sandbox.
        let issuer = Environment::from_issuer(&claims.iss.clone().unwrap_or_default());
        if issuer.is_none_or(|(_, tenant)| tenant != self.tenant) {
            return Err("The issuer of the token is not this realm");
        }
        if claims.typ.as_deref() != Some("Bearer") {
            return Err("The token is not an access token");
        }
        let expires = claims.expires_at().ok_or(MALFORMED)?;
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

/// The size of the key, in bits. Keycloak's default.
const KEY_BITS: usize = 2048;

/// A key that signs tokens. It is never written anywhere.
#[derive(Clone)]
pub(super) struct SigningKey {
    id: String,
    modulus: String,
    exponent: String,
    signing: Arc<RsaKeyPair>,
}

impl SigningKey {
    /// Makes a key, which ring cannot do. Blocks for a while.
    pub(super) fn new() -> Result<Self, rsa::Error> {
        let key = rsa::RsaPrivateKey::new(&mut OsRng, KEY_BITS)?;
        let signing =
            RsaKeyPair::from_der(key.to_pkcs1_der()?.as_bytes()).map_err(|_| rsa::Error::Internal)?;
        let [modulus, exponent] =
            [key.n(), key.e()].map(|number| URL_SAFE_NO_PAD.encode(number.to_bytes_be()));
        // RFC 7638: the required members, in this order, without spaces.
        let thumbprint = Sha256::digest(format!(r#"{{"e":"{exponent}","kty":"RSA","n":"{modulus}"}}"#));
        Ok(Self { id: URL_SAFE_NO_PAD.encode(thumbprint), modulus, exponent, signing: Arc::new(signing) })
    }

    /// The key as a JWK (RFC 7517).
    pub(super) fn jwk(&self) -> Value {
        json!({
            "kid": self.id, "kty": "RSA", "alg": "RS256", "use": "sig", "n": self.modulus, "e": self.exponent,
        })
    }

    /// Signs `claims` by RS256.
    pub(super) fn sign(&self, claims: &Value) -> Result<String, Unspecified> {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.id });
        let [header, claims] = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let mut signature = vec![0; self.signing.public().modulus_len()];
        self.signing.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    /// One key for all tests: making one takes a while.
    static REALM: LazyLock<Realm> = LazyLock::new(|| {
        let client = "acme".parse().unwrap();
        Realm::new(Tenant::default(), client, IpAddr::from([127, 0, 0, 1]), SigningKey::new().unwrap())
    });

    fn grant(scope: &str, second: i64) -> Grant<'_> {
        Grant { issuer: "http://127.0.0.1:1/realms/base", scope, lifetime: LIFETIME, now: at(second) }
    }

    fn token(scope: &str, second: i64) -> String {
        REALM.access_token(&grant(scope, second)).unwrap()
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
        let id = REALM.id_token(&grant("openid", 1000), "").unwrap();
        assert_eq!(REALM.verify(&id, at(1000)).unwrap_err(), "The token is not an access token");
        let other = json!({ "typ": "Bearer", "iss": "http://127.0.0.1:1/realms/other" });
        let foreign = REALM.sign(&grant("openid", 1000), other).unwrap();
        assert_eq!(
            REALM.verify(&foreign, at(1000)).unwrap_err(),
            "The issuer of the token is not this realm"
        );
    }
}

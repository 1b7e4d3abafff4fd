//! Who asks: a user of the host application, by a JWT of its identity provider, or a program with an API key.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::Algorithm;
use serde_json::Value;
use uuid::Uuid;

use crate::domain::client::secret::Secret;
use crate::domain::token::jwks::KeySet;
use crate::domain::token::jwt;
use crate::domain::token::signature::{self, SignatureError};

use super::config::Issuer;
use super::refusal::{Code, Refusal};

/// How much the clocks of the gateway and of the identity provider may differ.
const LEEWAY: SignedDuration = SignedDuration::from_secs(30);

/// The longest JWT of a caller, in bytes.
const MAX_JWT: usize = 16 * 1024;

/// The `typ` of an access token (RFC 9068, section 2.1) or an ID token, in lower case. Many issuers write none.
const KINDS: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];

/// The start of every API key: so a person or a scanner knows one.
pub const KEY_PREFIX: &str = "ck_";

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The same for the same caller and for nobody else. Limits are kept and requests are logged by it.
    pub id: String,
    /// The caller as an `assignedUserId` of Corti's.
    pub user: Uuid,
    /// The groups.
    pub groups: BTreeSet<String>,
    /// When the credential expires.
    pub expires_at: Option<Timestamp>,
}

/// Why a JWT is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwtRefusal {
    /// The issuer's keys are missing the key: newer ones may have it.
    UnknownKey,
    /// Anything else.
    Refused(Refusal),
}

impl Caller {
    /// The caller with this API key.
    pub fn of_key(name: &str, groups: &BTreeSet<String>) -> Self {
        let id = format!("key:{name}");
        Self {
            user: Uuid::new_v5(&Uuid::NAMESPACE_URL, id.as_bytes()),
            id,
            groups: groups.clone(),
            expires_at: None,
        }
    }

    /// The user whom a JWT names. `keys` are those of `issuer`.
    pub fn of_jwt(
        token: &Secret,
        issuer: &Issuer,
        keys: &KeySet,
        now: Timestamp,
    ) -> Result<Self, JwtRefusal> {
        let refused = |detail: &str| JwtRefusal::Refused(Refusal::new(Code::CREDENTIAL_INVALID, detail));
        let text = token.expose();
        // Before the signature: these need no arithmetic.
        let header = jwt::header(text).map_err(|_| refused("the token is unreadable"))?;
        if !header.alg.parse::<Algorithm>().is_ok_and(|it| issuer.algorithms.contains(&it)) {
            return Err(refused("the token's algorithm is not one of this issuer's"));
        }
        // An issuer signs other things with the same keys: logout tokens, security events (RFC 8725, section 3.11).
        let is_kind = |typ: &Value| typ.as_str().is_some_and(|it| KINDS.contains(&&*it.to_ascii_lowercase()));
        if !header.typ.as_ref().is_none_or(is_kind) {
            return Err(refused("the token's `typ` is not that of a user's token"));
        }
        signature::check(text, keys).map_err(|error| match error {
            SignatureError::UnknownKey(_) => JwtRefusal::UnknownKey,
            _ => refused("the token's signature is wrong"),
        })?;
        let claims = claims(text).ok_or_else(|| refused("the token is unreadable"))?;
        if claims["iss"].as_str() != Some(&issuer.url) {
            return Err(refused("the token is of another issuer"));
        }
        let audience = &claims["aud"];
        let is_for_us = |it: &Value| it.as_str() == Some(&issuer.audience);
        if !(is_for_us(audience) || audience.as_array().is_some_and(|all| all.iter().any(is_for_us))) {
            return Err(refused("the token is for another audience"));
        }
        let date = |name| jwt::date(name, claims[name].as_number()).ok().flatten();
        let expires_at = date("exp").ok_or_else(|| refused("the token has no usable `exp`"))?;
        if now.duration_since(expires_at) >= LEEWAY {
            return Err(refused("the token has expired"));
        }
        if !claims["nbf"].is_null() && date("nbf").is_none_or(|it| it.duration_since(now) > LEEWAY) {
            return Err(refused("the token is not valid yet"));
        }
        let subject = claims["sub"].as_str().filter(|it| !it.is_empty());
        let subject = subject.ok_or_else(|| refused("the token has no `sub`"))?;
        let named =
            Uuid::try_parse(subject).ok().filter(|id| issuer.names_users && id.to_string() == subject);
        let id = format!("{}#{subject}", issuer.url);
        let user = named.unwrap_or_else(|| Uuid::new_v5(&Uuid::NAMESPACE_URL, id.as_bytes()));
        Ok(Self { id, user, groups: groups(&claims, &issuer.groups), expires_at: Some(expires_at) })
    }

    /// How long the credential is good, at most `limit`.
    pub fn remaining(&self, now: Timestamp, limit: Duration) -> Duration {
        let left = self.expires_at.map(|end| end.duration_since(now));
        left.map_or(limit, |left| Duration::try_from(left).unwrap_or_default().min(limit))
    }
}

/// The issuer that a JWT names: only to choose whose keys verify it.
pub fn claimed_issuer(token: &Secret) -> Option<String> {
    Some(claims(token.expose())?["iss"].as_str()?.to_owned())
}

fn claims(token: &str) -> Option<Value> {
    let payload = Some(token).filter(|it| it.len() <= MAX_JWT)?.split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    claims.is_object().then_some(claims)
}

/// The groups in the claim at `path`: a list of texts, or one text.
fn groups(claims: &Value, path: &str) -> BTreeSet<String> {
    // A claim's name may have dots itself, as URLs have.
    let found = claims.get(path).unwrap_or_else(|| path.split('.').fold(claims, |value, name| &value[name]));
    let one = found.as_str().into_iter();
    let several = found.as_array().into_iter().flatten().filter_map(Value::as_str);
    one.chain(several).map(str::to_owned).collect()
}

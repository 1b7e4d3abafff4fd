//! Who asks: a user of the host application, by a JWT of its identity provider, or a program with an API key.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::{Map, Number, Value};
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

/// The `typ` claim of Keycloak's access and ID tokens. An ID token counts if the gateway's audience is its client: a login proxy
/// in front passes on no other.
const KEYCLOAKS_KINDS: [&str; 2] = ["Bearer", "ID"];

/// The start of every API key: so a person or a scanner knows one.
pub const KEY_PREFIX: &str = "ck_";

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// A stable id of the caller, for limits and the log. No two callers share one.
    pub id: String,
    /// The caller as an `assignedUserId` of Corti's.
    pub user: Uuid,
    /// The groups.
    pub groups: BTreeSet<String>,
    /// When the credential expires.
    pub expires_at: Option<Timestamp>,
}

/// The claims of a user's JWT. Other claims are used only for groups.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    #[serde(deserialize_with = "jwt::one_or_more")]
    aud: Vec<String>,
    exp: Number,
    nbf: Option<Number>,
    /// Keycloak's kind of token.
    typ: Option<String>,
    #[serde(flatten)]
    others: Map<String, Value>,
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
    pub fn of_jwt(token: &Secret, issuer: &Issuer, keys: &KeySet, now: Timestamp) -> Result<Self, Refusal> {
        let text = token.expose();
        let header = jwt::header(text).map_err(|_| refused("the token is unreadable"))?;
        if !header.alg.parse::<Algorithm>().is_ok_and(|it| issuer.algorithms.contains(&it)) {
            return Err(refused("the token's algorithm is not in the issuer's `algorithms`"));
        }
        signature::check(text, keys).map_err(|error| match error {
            SignatureError::UnknownKey(_) => refused("unknown key id: the issuer has no such key"),
            _ => refused("the token's signature is wrong"),
        })?;
        let claims: Claims = jwt::payload(text)
            .map_err(|_| refused("`iss`, `sub`, `aud` or `exp` is missing, repeated or of the wrong type"))?;
        // An issuer signs other things with the same keys: logout tokens, security events (RFC 8725, section 3.11).
        let is_kind = |typ: &Value| typ.as_str().is_some_and(|it| KINDS.contains(&&*it.to_ascii_lowercase()));
        let is_users = header.typ.as_ref().is_none_or(is_kind)
            && claims.typ.as_deref().is_none_or(|kind| KEYCLOAKS_KINDS.contains(&kind));
        if !is_users {
            return Err(refused("this is not an access or ID token (`typ`)"));
        }
        if claims.iss != issuer.url {
            return Err(refused("the token is from another issuer"));
        }
        if !claims.aud.contains(&issuer.audience) {
            return Err(refused("the token is for another audience"));
        }
        let expires_at =
            jwt::timestamp(&claims.exp).ok_or_else(|| refused("the token has no usable `exp`"))?;
        if now.duration_since(expires_at) >= LEEWAY {
            return Err(refused("the token has expired"));
        }
        let is_early = |nbf| jwt::timestamp(nbf).is_none_or(|start| start.duration_since(now) > LEEWAY);
        if claims.nbf.as_ref().is_some_and(is_early) {
            return Err(refused("the token is not valid yet"));
        }
        if claims.sub.is_empty() {
            return Err(refused("the token's `sub` is empty"));
        }
        let groups = groups(&claims.others, &issuer.groups);
        let named = Uuid::try_parse(&claims.sub).ok().filter(|id| id.to_string() == claims.sub);
        let id = format!("{}#{}", issuer.url, claims.sub);
        let user = named.filter(|_| issuer.names_users);
        let user = user.unwrap_or_else(|| Uuid::new_v5(&Uuid::NAMESPACE_URL, id.as_bytes()));
        Ok(Self { id, user, groups, expires_at: Some(expires_at) })
    }

    /// How long the credential is good, at most `limit`.
    pub fn remaining(&self, now: Timestamp, limit: Duration) -> Duration {
        let left = self.expires_at.map(|end| end.duration_since(now));
        left.map_or(limit, |left| Duration::try_from(left).unwrap_or_default().min(limit))
    }
}

fn refused(detail: &str) -> Refusal {
    Refusal::new(Code::CREDENTIAL_INVALID, detail)
}

/// The issuer that a JWT names: only to choose whose keys verify it. `None` if the token is unreadable or too long.
pub fn claimed_issuer(token: &Secret) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        iss: String,
    }
    let text = Some(token.expose()).filter(|text| text.len() <= MAX_JWT)?;
    Some(jwt::payload::<Claims>(text).ok()?.iss)
}

/// Whether a JWT was made with a key that is not among `keys`: newer ones may have it.
pub fn needs_newer_keys(token: &Secret, keys: &KeySet) -> bool {
    jwt::header(token.expose()).is_ok_and(|header| keys.candidates(header.kid.as_deref()).is_empty())
}

/// The groups in the claim at `path`: a list of texts, or one text.
fn groups(claims: &Map<String, Value>, path: &str) -> BTreeSet<String> {
    // A claim's name may have dots itself, as URLs have.
    let found = claims.get(path).or_else(|| {
        let (first, rest) = path.split_once('.')?;
        rest.split('.').try_fold(claims.get(first)?, |value, name| value.get(name))
    });
    let one = found.and_then(Value::as_str).into_iter();
    let several = found.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    one.chain(several).map(str::to_owned).collect()
}

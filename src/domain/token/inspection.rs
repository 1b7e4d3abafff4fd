//! Explains the claims of a decoded token in terms of Corti.

use jiff::Timestamp;
use std::borrow::Cow;

use super::claim_error::ClaimError;
use super::jwt::{Claims, Jwt, Memo, timestamp};
use super::scope::{ScopeSet, TokenClass};
use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::client::secret::fingerprint;
use crate::domain::text::page::{Page, Tone};

/// The kinds of Keycloak's tokens, by their `typ` claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It opens the API.
    Access,
    /// It tells an application about a user.
    Id,
    /// It gets new tokens.
    Refresh,
    /// Another one.
    Unknown,
}

impl Kind {
    fn of(typ: Option<&str>) -> Self {
        match typ {
            Some("Bearer") => Self::Access,
            Some("ID") => Self::Id,
            Some("Refresh" | "Offline") => Self::Refresh,
            _ => Self::Unknown,
        }
    }

    /// `access`, `id`, `refresh` or `unknown`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Id => "id",
            Self::Refresh => "refresh",
            Self::Unknown => "unknown",
        }
    }
}

/// The audience of every service account's token in Keycloak.
const ACCOUNT: &str = "account";

/// The claims and the header of a token at one moment. Nothing of them was verified.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// What kind of token it is.
    pub kind: Kind,
    /// `iss`.
    pub issuer: Option<String>,
    /// The environment and tenant in the issuer, if it is one of Corti's form.
    pub place: Option<(Environment, Tenant)>,
    /// `azp`, else `client_id`.
    pub client: Option<String>,
    /// `sub`.
    pub subject: Option<String>,
    /// `jti`.
    pub token_id: Option<String>,
    /// `preferred_username`.
    pub username: Option<String>,
    /// `aud`.
    pub audience: Vec<String>,
    /// The realm's roles, and those of clients as `client:role`, sorted.
    pub roles: Vec<String>,
    /// The scopes, sorted.
    pub scopes: ScopeSet,
    /// The class by its scopes; `None` unless it is an access token with a `scope` claim.
    pub class: Option<TokenClass>,
    /// `iat`.
    pub issued_at: Option<Timestamp>,
    /// `exp`.
    pub expires_at: Option<Timestamp>,
    /// `nbf`, if it is in the future.
    pub not_before: Option<Timestamp>,
    /// Seconds until `exp`; negative after it.
    pub remaining: Option<i64>,
    /// The signature algorithm in the header.
    pub algorithm: String,
    /// The key id in the header.
    pub key_id: Option<String>,
    /// The header's parameters that contain or name a key. Such a key is never used.
    pub own_keys: Vec<&'static str>,
    /// The claims that cannot be used, as if the token lacked them.
    pub errors: Vec<ClaimError>,
}

/// The environment and tenant of the last issuer in a stream of tokens.
pub type Places = Memo<(Environment, Tenant)>;

impl Inspection {
    /// Reads `jwt` as of `now`.
    pub fn of(jwt: &Jwt, now: Timestamp) -> Self {
        Self::from(jwt.clone(), now, &mut Places::default())
    }

    /// The same for one of many tokens. It takes the token without a copy.
    pub fn from(jwt: Jwt, now: Timestamp, places: &mut Places) -> Self {
        let Jwt { header, mut claims, errors } = jwt;
        let kind = Kind::of(claims.typ.as_deref());
        let scopes = claims.scope.as_deref().map(ScopeSet::from_wire);
        let expires_at = claims.expires_at();
        let place = |issuer: &str| places.get(issuer, |it| Environment::from_issuer(it).ok_or(())).ok();
        Self {
            kind,
            issued_at: claims.iat.as_ref().and_then(timestamp),
            not_before: claims.nbf.as_ref().and_then(timestamp).filter(|time| *time > now),
            place: claims.iss.as_deref().and_then(place),
            roles: roles(&mut claims),
            issuer: claims.iss,
            client: claims.azp.or(claims.client_id),
            subject: claims.sub,
            token_id: claims.jti,
            username: claims.preferred_username,
            audience: claims.aud,
            class: scopes.as_ref().filter(|_| kind == Kind::Access).map(ScopeSet::class),
            scopes: scopes.unwrap_or_default(),
            expires_at,
            remaining: expires_at.map(|expiry| expiry.as_second() - now.as_second()),
            own_keys: header.own_keys(),
            algorithm: header.alg,
            key_id: header.kid,
            errors,
        }
    }

    /// Whether `exp` has passed. Keycloak issues no token without `exp`; such a one never expires.
    pub fn is_expired(&self) -> bool {
        self.remaining.is_some_and(|remaining| remaining <= 0)
    }

    /// What is wrong with a claim; `None` if it is missing or can be used.
    pub fn error(&self, claim: &str) -> Option<&ClaimError> {
        self.errors.iter().find(|error| error.claim == claim)
    }

    /// What is wrong with the claims, in one line.
    pub fn error_text(&self) -> String {
        self.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    /// How to get a new token like this one.
    pub fn renewal(&self) -> String {
        match (self.kind, self.class) {
            (Kind::Id | Kind::Refresh, _) => {
                "sign in again in the application that you got it from".to_owned()
            }
            (_, Some(_)) => self.scopes.mint_command(),
            // Nobody knows which scopes are needed.
            (_, None) => "corti-auth token --help".to_owned(),
        }
    }

    /// Seconds from `iat` to `exp`.
    pub fn lifetime(&self) -> Option<i64> {
        Some(self.expires_at?.as_second() - self.issued_at?.as_second())
    }

    /// Replaces the names and ids of clients, users and sessions by fingerprints, for a support ticket.
    #[must_use]
    pub fn redacted(mut self) -> Self {
        for name in [&mut self.client, &mut self.subject, &mut self.token_id, &mut self.username] {
            *name = name.take().map(|name| fingerprint(&name));
        }
        self.audience = self.audience.iter().map(|name| self.redacted_audience(name)).collect();
        for role in &mut self.roles {
            if let Some((client, name)) = role.rsplit_once(':') {
                *role = format!("{}:{name}", Self::redacted_client(client));
            }
        }
        self
    }

    /// A client of `resource_access` as it may be in a ticket.
    pub fn redacted_client(name: &str) -> String {
        if name == ACCOUNT { name.to_owned() } else { fingerprint(name) }
    }

    /// An audience as it may be in a ticket. Keycloak's `account` and the issuer identify no customer.
    pub fn redacted_audience(&self, name: &str) -> String {
        let is_open = name == ACCOUNT || self.issuer.as_deref() == Some(name);
        if is_open { name.to_owned() } else { fingerprint(name) }
    }

    /// The most important lines.
    pub fn summary(&self) -> Page {
        let tone = match self.class {
            Some(TokenClass::Limited) => Tone::Good,
            Some(_) => Tone::Caution,
            None => Tone::Plain,
        };
        let (expiry_tone, expiry) = self.expiry();
        Page::new()
            .field("kind", format!("{} token", self.kind.as_str()))
            .toned_field("may do", tone, self.meaning())
            .field("scopes", if self.scopes.is_empty() { "none".to_owned() } else { self.scopes.to_string() })
            .toned_field("expires", expiry_tone, expiry)
    }

    fn expiry(&self) -> (Tone, String) {
        let (Some(at), Some(remaining)) = (self.expires_at, self.remaining) else {
            return match self.error("exp") {
                Some(error) => (Tone::Bad, format!("unknown: {error}")),
                None => (Tone::Caution, "never: it has no `exp` claim".to_owned()),
            };
        };
        let distance = span(remaining.unsigned_abs());
        if self.is_expired() {
            (Tone::Bad, format!("{at:.0} (expired {distance} ago)"))
        } else {
            (Tone::Good, format!("{at:.0} (in {distance})"))
        }
    }

    /// What the token may do, in plain words.
    pub fn meaning(&self) -> Cow<'static, str> {
        if let Some(error) = self.error("typ").or_else(|| self.error("scope")) {
            return format!("unknown: {error}").into();
        }
        let text = match (self.kind, self.class) {
            (Kind::Id, _) => "an ID token: it tells an application who signed in and opens no API",
            (Kind::Refresh, _) => "a refresh token: it gets new tokens and opens no API",
            (_, Some(TokenClass::Limited)) => {
                let sockets = match (self.scopes.contains("transcribe"), self.scopes.contains("streams")) {
                    (true, true) => "/transcribe and /streams WebSockets",
                    (true, false) => "/transcribe WebSocket",
                    _ => "/streams WebSocket",
                };
                return format!("limited: it opens the {sockets} and nothing else; a browser may hold it")
                    .into();
            }
            (_, Some(TokenClass::Full)) => {
                "full: it acts as the client itself, on every API; keep it on a backend"
            }
            (_, Some(TokenClass::Mixed)) => {
                "mixed: it also has other scopes than transcribe and streams; treat it as full and keep it on a backend"
            }
            (Kind::Unknown, _) => "unknown: its `typ` is not that of a Keycloak access, ID or refresh token",
            (Kind::Access, None) => "unknown: it has no `scope` claim",
        };
        text.into()
    }
}

fn roles(claims: &mut Claims) -> Vec<String> {
    let mut roles = claims.realm_access.take().unwrap_or_default().roles;
    for (client, access) in claims.resource_access.iter().flatten() {
        roles.extend(access.roles.iter().map(|role| [client, ":", role].concat()));
    }
    roles.sort_unstable();
    roles.dedup();
    roles
}

/// A span in at most two units: `4 min 12 s`, `2 h 5 min`, `3 d 1 h`.
pub fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {} s", seconds % 60),
        3600..86400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units() {
        let table = [(0, "0 s"), (252, "4 min 12 s"), (7500, "2 h 5 min"), (262_800, "3 d 1 h")];
        for (seconds, text) in table {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn kinds_follow_the_typ_claim() {
        for (typ, kind) in [(Some("Bearer"), Kind::Access), (Some("ID"), Kind::Id), (None, Kind::Unknown)] {
            assert_eq!(Kind::of(typ), kind);
        }
    }
}

//! What a decoded token says about itself, in terms of Corti.

use jiff::Timestamp;

use super::jwt::{Claims, Jwt, JwtError};
use super::scope::{ScopeSet, TokenClass};
use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::client::secret::fingerprint;
use crate::domain::text::page::{Page, Tone};

/// The kinds of token that Keycloak hands out, by their `typ` claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// For the API.
    Access,
    /// About a user, for the application.
    Id,
    /// For getting more tokens.
    Refresh,
    /// None of these.
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

/// The client that Keycloak puts into every token of a service account.
const ACCOUNT: &str = "account";

/// A token's account of itself at one moment. Nothing in it was verified.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// What kind of token it is.
    pub kind: Kind,
    /// `iss` as it stands.
    pub issuer: Option<String>,
    /// The environment and tenant that the issuer names, where it has that shape.
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
    /// The realm's roles, and those at clients as `client:role`, in order.
    pub roles: Vec<String>,
    /// The scopes, in order.
    pub scopes: ScopeSet,
    /// What the scopes make of it; `None` unless it is an access token with a `scope` claim.
    pub class: Option<TokenClass>,
    /// `iat`.
    pub issued_at: Option<Timestamp>,
    /// `exp`.
    pub expires_at: Option<Timestamp>,
    /// `nbf`, where it is still to come.
    pub not_before: Option<Timestamp>,
    /// Seconds until `exp`; negative when it has passed.
    pub remaining: Option<i64>,
    /// The signature algorithm that the header names.
    pub algorithm: String,
    /// The key that the header names.
    pub key_id: Option<String>,
    /// The header's parameters that bring or name a key, which is never used.
    pub own_keys: Vec<&'static str>,
}

/// What the last issuer names: of a million tokens, most have the one that the token before had.
#[derive(Debug, Default)]
pub struct Places(Option<(String, Option<(Environment, Tenant)>)>);

impl Places {
    fn of(&mut self, issuer: &str) -> Option<(Environment, Tenant)> {
        match &self.0 {
            Some((known, place)) if known == issuer => place.clone(),
            _ => {
                let place = Environment::from_issuer(issuer);
                self.0 = Some((issuer.to_owned(), place.clone()));
                place
            }
        }
    }
}

impl Inspection {
    /// Reads `jwt` as of `now`.
    ///
    /// # Errors
    /// [`JwtError::Date`] where `exp` or `iat` is no date.
    pub fn of(jwt: &Jwt, now: Timestamp) -> Result<Self, JwtError> {
        Self::from(jwt.clone(), now, &mut Places::default())
    }

    /// The same of a token that is used up, one of many.
    ///
    /// # Errors
    /// As [`Inspection::of`].
    pub fn from(jwt: Jwt, now: Timestamp, places: &mut Places) -> Result<Self, JwtError> {
        let Jwt { header, mut claims } = jwt;
        let kind = Kind::of(claims.typ.as_deref());
        let scopes = claims.scope.as_deref().map(ScopeSet::from_wire);
        let expires_at = claims.expires_at()?;
        Ok(Self {
            kind,
            issued_at: claims.issued_at()?,
            not_before: claims.not_before()?.filter(|time| *time > now),
            place: claims.iss.as_deref().and_then(|issuer| places.of(issuer)),
            roles: roles(&mut claims),
            issuer: claims.iss,
            client: claims.azp.or(claims.client_id),
            subject: claims.sub,
            token_id: claims.jti,
            username: claims.preferred_username,
            audience: claims.aud.unwrap_or_default().0,
            class: scopes.as_ref().filter(|_| kind == Kind::Access).map(ScopeSet::class),
            scopes: scopes.unwrap_or_default(),
            expires_at,
            remaining: expires_at.map(|expiry| expiry.as_second() - now.as_second()),
            own_keys: header.own_keys(),
            algorithm: header.alg,
            key_id: header.kid,
        })
    }

    /// Whether `exp` has passed. A token without `exp` never expires, which Keycloak does not issue.
    pub fn is_expired(&self) -> bool {
        self.remaining.is_some_and(|remaining| remaining <= 0)
    }

    /// Seconds from `iat` to `exp`.
    pub fn lifetime(&self) -> Option<i64> {
        Some(self.expires_at?.as_second() - self.issued_at?.as_second())
    }

    /// The same for a ticket: a fingerprint in place of each name and id of a client, a user or a session.
    #[must_use]
    pub fn redacted(mut self) -> Self {
        for name in [&mut self.client, &mut self.subject, &mut self.token_id, &mut self.username] {
            *name = name.take().map(|name| fingerprint(&name));
        }
        let mut audience = std::mem::take(&mut self.audience);
        for name in &mut audience {
            *name = self.redacted_audience(name);
        }
        self.audience = audience;
        for role in &mut self.roles {
            if let Some((client, name)) = role.rsplit_once(':').filter(|(client, _)| *client != ACCOUNT) {
                *role = format!("{}:{name}", fingerprint(client));
            }
        }
        self
    }

    /// An audience as a ticket may have it: Keycloak's own, and the issuer, are nobody's secret.
    pub fn redacted_audience(&self, name: &str) -> String {
        let is_open = name == ACCOUNT || self.issuer.as_deref() == Some(name);
        if is_open { name.to_owned() } else { fingerprint(name) }
    }

    /// The lines that matter most.
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
            .field(
                "scopes",
                if self.scopes.iter().next().is_none() { "none".to_owned() } else { self.scopes.to_string() },
            )
            .toned_field("expires", expiry_tone, expiry)
    }

    fn expiry(&self) -> (Tone, String) {
        let (Some(at), Some(remaining)) = (self.expires_at, self.remaining) else {
            return (Tone::Caution, "never: it has no `exp` claim".to_owned());
        };
        let distance = span(remaining.unsigned_abs());
        if self.is_expired() {
            (Tone::Bad, format!("{at} (expired {distance} ago)"))
        } else {
            (Tone::Good, format!("{at} (in {distance})"))
        }
    }

    /// What the token may do, in plain words.
    pub fn meaning(&self) -> &'static str {
        match (self.kind, self.class) {
            (Kind::Id, _) => "an ID token: it tells an application who signed in and opens no API",
            (Kind::Refresh, _) => "a refresh token: it gets new tokens and opens no API",
            (_, Some(TokenClass::Limited)) => self.limited_meaning(),
            (_, Some(TokenClass::Full)) => {
                "full: it acts as the client itself, on every API; keep it on a backend"
            }
            (_, Some(TokenClass::Mixed)) => {
                "mixed: it has scopes beyond the two sockets; treat it as full and keep it on a backend"
            }
            (Kind::Unknown, _) => "unknown: its `typ` is not one of Keycloak's access, ID and refresh tokens",
            (Kind::Access, None) => "unknown: it has no `scope` claim to tell",
        }
    }

    fn limited_meaning(&self) -> &'static str {
        match (self.scopes.contains("transcribe"), self.scopes.contains("streams")) {
            (true, true) => {
                "limited: it opens the /transcribe and /streams WebSockets and nothing else; a browser may hold it"
            }
            (true, false) => {
                "limited: it opens the /transcribe WebSocket and nothing else; a browser may hold it"
            }
            _ => "limited: it opens the /streams WebSocket and nothing else; a browser may hold it",
        }
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

/// `4 min 12 s`, `2 h 5 min`, `3 d 1 h`: a span in at most two units.
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

//! The JSON record of an inspected token: `corti-auth/inspect/v1`.

use std::fmt;

use jiff::Timestamp;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::claims::AllClaims;
use super::inspection::Inspection;
use super::pasted::Wrapping;
use super::scope::TokenClass;
use super::verification::Verification;

/// The fields of a record, except `schema` and `line`.
pub const FIELDS: &str = "kind, reach, meaning, scopes, roles, audience, issuer, environment, tenant, client_id, subject, \
    username, token_id, issued_at, issued_at_unix, expires_at, expires_at_unix, remaining_seconds, expired, not_before, \
    not_before_unix, algorithm, key_id, signature, fingerprint, cleaned, redacted, verification, header, claims";

/// The record of one token.
#[derive(Debug)]
pub struct Report<'a> {
    /// The number of its line, if there are many.
    pub line: Option<u64>,
    /// The token's claims and header.
    pub inspection: &'a Inspection,
    /// The token's fingerprint.
    pub fingerprint: &'a str,
    /// What was removed around the token.
    pub cleaned: &'a [Wrapping],
    /// The verification, if there was one.
    pub verification: Option<&'a Verification>,
    /// Every member of the token, if they were asked for.
    pub claims: Option<&'a AllClaims>,
    /// Whether names and ids are replaced by fingerprints.
    pub redacted: bool,
}

/// A value as its text, without a copy of it.
struct Shown<T>(T);

impl<T: fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Serialize for Report<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let it = self.inspection;
        let (environment, tenant) =
            it.place.as_ref().map(|(environment, tenant)| (environment, tenant)).unzip();
        let text = |time: Option<Timestamp>| time.map(Shown);
        let unix = |time: Option<Timestamp>| time.map(Timestamp::as_second);
        let signature = match self.verification.map(Verification::is_signed) {
            None => "not checked",
            Some(true) => "valid",
            Some(false) => "invalid",
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schema", "corti-auth/inspect/v1")?;
        if let Some(line) = self.line {
            map.serialize_entry("line", &line)?;
        }
        map.serialize_entry("kind", it.kind.as_str())?;
        map.serialize_entry("reach", &it.class.map(TokenClass::as_str))?;
        map.serialize_entry("meaning", &it.meaning())?;
        map.serialize_entry("scopes", &it.scopes)?;
        map.serialize_entry("roles", &it.roles)?;
        map.serialize_entry("audience", &it.audience)?;
        map.serialize_entry("issuer", &it.issuer)?;
        map.serialize_entry("environment", &environment.map(Shown))?;
        map.serialize_entry("tenant", &tenant.map(Shown))?;
        map.serialize_entry("client_id", &it.client)?;
        map.serialize_entry("subject", &it.subject)?;
        map.serialize_entry("username", &it.username)?;
        map.serialize_entry("token_id", &it.token_id)?;
        map.serialize_entry("issued_at", &text(it.issued_at))?;
        map.serialize_entry("issued_at_unix", &unix(it.issued_at))?;
        map.serialize_entry("expires_at", &text(it.expires_at))?;
        map.serialize_entry("expires_at_unix", &unix(it.expires_at))?;
        map.serialize_entry("remaining_seconds", &it.remaining)?;
        map.serialize_entry("expired", &it.is_expired())?;
        map.serialize_entry("not_before", &text(it.not_before))?;
        map.serialize_entry("not_before_unix", &unix(it.not_before))?;
        map.serialize_entry("algorithm", &it.algorithm)?;
        map.serialize_entry("key_id", &it.key_id)?;
        map.serialize_entry("signature", signature)?;
        map.serialize_entry("fingerprint", self.fingerprint)?;
        map.serialize_entry("cleaned", self.cleaned)?;
        map.serialize_entry("redacted", &self.redacted)?;
        map.serialize_entry("verification", &self.verification)?;
        if let Some(claims) = self.claims {
            let [header, payload] = claims.json();
            map.serialize_entry("header", &header)?;
            map.serialize_entry("claims", &payload)?;
        }
        if !it.errors.is_empty() {
            map.serialize_entry("error", &it.error_text())?;
        }
        map.end()
    }
}

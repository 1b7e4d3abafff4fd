//! An inspection as a record for programs: `corti-auth/inspect/v1`. One type for one token and for a million of them.

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::token::pasted::Junk;
use crate::domain::token::scope::{Scope, ScopeSet, TokenClass};
use crate::domain::token::verification::Verification;

use super::inspection::Inspection;

/// The names of a record's fields, but for `schema` and `line`.
pub const FIELDS: [&str; 28] = [
    "kind",
    "reach",
    "meaning",
    "scopes",
    "roles",
    "audience",
    "issuer",
    "environment",
    "tenant",
    "client_id",
    "subject",
    "username",
    "token_id",
    "issued_at",
    "issued_at_unix",
    "expires_at",
    "expires_at_unix",
    "remaining_seconds",
    "expired",
    "not_before",
    "not_before_unix",
    "algorithm",
    "key_id",
    "signature",
    "fingerprint",
    "cleaned",
    "redacted",
    "verification",
];

/// What is said of one token.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    schema: &'static str,
    /// Which line of the input it was; only where there are many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    kind: &'static str,
    reach: Option<&'static str>,
    meaning: &'static str,
    scopes: Words<'a>,
    roles: &'a [String],
    audience: &'a [String],
    issuer: Option<&'a str>,
    environment: Option<Text<&'a Environment>>,
    tenant: Option<Text<&'a Tenant>>,
    client_id: Option<&'a str>,
    subject: Option<&'a str>,
    username: Option<&'a str>,
    token_id: Option<&'a str>,
    issued_at: Option<Text<Timestamp>>,
    issued_at_unix: Option<i64>,
    expires_at: Option<Text<Timestamp>>,
    expires_at_unix: Option<i64>,
    remaining_seconds: Option<i64>,
    expired: bool,
    not_before: Option<Text<Timestamp>>,
    not_before_unix: Option<i64>,
    algorithm: &'a str,
    key_id: Option<&'a str>,
    signature: &'static str,
    fingerprint: &'a str,
    cleaned: &'a [Junk],
    redacted: bool,
    verification: Option<&'a Verification>,
}

impl<'a> Report<'a> {
    /// The record of `it`. `fingerprint` is the token's, `cleaned` what was taken off it.
    pub fn of(
        it: &'a Inspection,
        fingerprint: &'a str,
        cleaned: &'a [Junk],
        verification: Option<&'a Verification>,
        redacted: bool,
    ) -> Self {
        Self {
            schema: "corti-auth/inspect/v1",
            line: None,
            kind: it.kind.as_str(),
            reach: it.class.map(TokenClass::as_str),
            meaning: it.meaning(),
            scopes: Words(&it.scopes),
            roles: &it.roles,
            audience: &it.audience,
            issuer: it.issuer.as_deref(),
            environment: it.place.as_ref().map(|(environment, _)| Text(environment)),
            tenant: it.place.as_ref().map(|(_, tenant)| Text(tenant)),
            client_id: it.client.as_deref(),
            subject: it.subject.as_deref(),
            username: it.username.as_deref(),
            token_id: it.token_id.as_deref(),
            issued_at: it.issued_at.map(Text),
            issued_at_unix: it.issued_at.map(Timestamp::as_second),
            expires_at: it.expires_at.map(Text),
            expires_at_unix: it.expires_at.map(Timestamp::as_second),
            remaining_seconds: it.remaining,
            expired: it.is_expired(),
            not_before: it.not_before.map(Text),
            not_before_unix: it.not_before.map(Timestamp::as_second),
            algorithm: &it.algorithm,
            key_id: it.key_id.as_deref(),
            signature: match verification.map(Verification::is_signed) {
                None => "not checked",
                Some(true) => "valid",
                Some(false) => "invalid",
            },
            fingerprint,
            cleaned,
            redacted,
            verification,
        }
    }
}

/// Something as the text it is shown by.
#[derive(Debug)]
struct Text<T>(T);

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Scopes as a list of texts.
#[derive(Debug)]
struct Words<'a>(&'a ScopeSet);

impl Serialize for Words<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Scope::as_str))
    }
}

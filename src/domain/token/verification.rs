//! Verifies a token: its signature, and the claims about where and when it may be used (RFC 7519, section 4.1; OpenID Connect
//! Core 1.0, section 3.1.3.7).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::domain::explain::diagnosis::Verdict;
use crate::domain::text::page::{Page, Tone};

use super::inspection::{Inspection, Kind, span};
use super::jwks::{KeySet, RefusedKey};
use super::signature::{SignatureError, check as check_signature};

/// The expected values.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The origin of the keys, in words.
    pub keys: String,
    /// The expected issuer; `None` if no environment is known.
    pub issuer: Option<String>,
    /// The expected audiences. One of them is enough.
    pub audiences: Vec<String>,
    /// How much two clocks may differ.
    pub leeway: Duration,
    /// Whether to redact the audience, which is a client's name.
    pub redact: bool,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// `signature`, `algorithm`, `expiry`, `not_before`, `issuer`, `audience`, and `claims` for another claim that cannot be used.
    pub name: &'static str,
    /// The result; [`Verdict::Skipped`] if there is nothing to compare with.
    pub verdict: Verdict,
    /// What was found. It may contain words of the token.
    pub detail: String,
}

/// The result of all checks.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// Whether nothing failed.
    pub valid: bool,
    /// The origin of the keys, in words.
    pub keys: String,
    /// How many seconds two clocks may differ.
    pub leeway_seconds: u64,
    /// Each check.
    pub checks: Vec<Check>,
    /// The issuer's weak keys.
    pub refused_keys: Vec<RefusedKey>,
    /// Whether the key is unknown. It may be among newer keys.
    #[serde(skip)]
    pub lacks_key: bool,
}

impl Verification {
    /// Verifies `token`, which was read as `inspection`.
    pub fn of(token: &str, inspection: &Inspection, keys: &KeySet, policy: &Policy, now: Timestamp) -> Self {
        let signed = check_signature(token, keys);
        let lacks_key = matches!(signed, Err(SignatureError::UnknownKey(_)));
        let leeway = SignedDuration::try_from(policy.leeway).unwrap_or_default();
        let usable = |claim: &str, check: Check| match inspection.error(claim) {
            Some(error) => failed(check.name, error.to_string()),
            None => check,
        };
        let mut checks = vec![
            signature(&signed),
            algorithm(&inspection.algorithm, &signed),
            usable("exp", expiry(inspection, leeway, now)),
            usable("nbf", not_before(inspection, leeway, now)),
            usable("iss", issuer(inspection, policy.issuer.as_deref())),
            usable("aud", audience(inspection, &policy.audiences, policy.redact)),
        ];
        let others = inspection.errors.iter().filter(|it| !["exp", "nbf", "iss", "aud"].contains(&it.claim));
        checks.extend(others.map(|error| failed("claims", error.to_string())));
        Self {
            valid: checks.iter().all(|check| check.verdict != Verdict::Failed),
            keys: policy.keys.clone(),
            leeway_seconds: policy.leeway.as_secs(),
            checks,
            refused_keys: keys.refused.clone(),
            lacks_key,
        }
    }

    /// Whether the signature is good.
    pub fn is_signed(&self) -> bool {
        self.has("signature", Verdict::Ok)
    }

    fn has(&self, name: &str, verdict: Verdict) -> bool {
        self.checks.iter().any(|check| check.name == name && check.verdict == verdict)
    }

    /// The checks that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.verdict == Verdict::Failed)
    }

    /// For a person.
    pub fn page(&self) -> Page {
        let keys = &self.keys;
        let (tone, text) = match self.valid {
            true if self.has("issuer", Verdict::Skipped) => {
                (Tone::Caution, "valid, but the issuer was not checked")
            }
            true => (Tone::Good, "valid"),
            false => (Tone::Bad, "INVALID"),
        };
        let page = Page::new().toned_field("result", tone, format!("{text} (keys of `{keys}`)"));
        let page = self.checks.iter().fold(page, |page, check| {
            let tone = match check.verdict {
                Verdict::Failed => Tone::Bad,
                Verdict::Skipped => Tone::Dim,
                _ => Tone::Plain,
            };
            let label = format!("  {}", check.name.replace('_', " "));
            page.toned_field(label, tone, format!("{}: {}", check.verdict.as_str(), check.detail))
        });
        self.refused_keys
            .iter()
            .fold(page, |page, key| page.toned_field("  refused key", Tone::Caution, key.to_string()))
    }
}

fn check(name: &'static str, verdict: Verdict, detail: impl Into<String>) -> Check {
    Check { name, verdict, detail: detail.into() }
}

fn ok(name: &'static str, detail: impl Into<String>) -> Check {
    check(name, Verdict::Ok, detail)
}

fn failed(name: &'static str, detail: impl Into<String>) -> Check {
    check(name, Verdict::Failed, detail)
}

fn skipped(name: &'static str, detail: impl Into<String>) -> Check {
    check(name, Verdict::Skipped, detail)
}

fn signature(signed: &Result<Option<String>, SignatureError>) -> Check {
    match signed {
        Ok(Some(id)) => ok("signature", format!("made by key `{id}`")),
        Ok(None) => ok("signature", "made by a key that has no id"),
        Err(SignatureError::Algorithm(_)) => failed("signature", "no proof, since the algorithm is refused"),
        Err(error) => failed("signature", error.to_string()),
    }
}

fn algorithm(name: &str, signed: &Result<Option<String>, SignatureError>) -> Check {
    match signed {
        Ok(_) | Err(SignatureError::Wrong) => ok("algorithm", format!("{name}, allowed by the key")),
        Err(SignatureError::Algorithm(reason)) => failed("algorithm", reason),
        Err(_) => skipped("algorithm", format!("{name} (no key to check it against)")),
    }
}

fn expiry(inspection: &Inspection, leeway: SignedDuration, now: Timestamp) -> Check {
    let Some(at) = inspection.expires_at else {
        return failed("expiry", "no `exp` claim, so the token never expires");
    };
    let past = now.duration_since(at);
    let distance = span(past.as_secs().unsigned_abs());
    match past {
        past if past.is_negative() => ok("expiry", format!("in {distance}")),
        past if past < leeway => ok("expiry", format!("{distance} ago, within the leeway")),
        _ => failed("expiry", format!("it expired {distance} ago")),
    }
}

fn not_before(inspection: &Inspection, leeway: SignedDuration, now: Timestamp) -> Check {
    match inspection.not_before {
        None => ok("not_before", "valid now"),
        Some(at) if at.duration_since(now) <= leeway => {
            ok("not_before", format!("{at:.0}, within the leeway"))
        }
        Some(at) => failed("not_before", format!("not valid before {at:.0}")),
    }
}

fn issuer(inspection: &Inspection, expected: Option<&str>) -> Check {
    let found = inspection.issuer.as_deref().unwrap_or_default();
    match expected {
        None => skipped("issuer", "not checked: add --environment NAME"),
        Some(expected) if expected == found => ok("issuer", format!("`{found}`")),
        Some(expected) => failed("issuer", format!("expected `{expected}`, found `{found}`")),
    }
}

/// Keycloak puts `account` or nothing into the `aud` of an access token, the client into that of an ID token, and the issuer
/// into that of a refresh token. Corti documents no audience, so another one is shown but not judged.
fn audience(inspection: &Inspection, expected: &[String], redact: bool) -> Check {
    let has = |name: &str| inspection.audience.iter().any(|found| found == name);
    let judged = |is_good: bool, what: &str| {
        let (verdict, not) = if is_good { (Verdict::Ok, "") } else { (Verdict::Failed, "not ") };
        check("audience", verdict, format!("it is {not}for {what}"))
    };
    if !expected.is_empty() {
        let shown = |name: &String| if redact { inspection.redacted_audience(name) } else { name.clone() };
        let what = expected.iter().map(shown).collect::<Vec<_>>().join("` or `");
        return judged(expected.iter().any(|name| has(name)), &format!("`{what}`"));
    }
    match (inspection.kind, &inspection.client, &inspection.issuer) {
        (Kind::Id, Some(client), _) => judged(has(client), "the client it was issued to"),
        (Kind::Refresh, _, Some(issuer)) => judged(has(issuer), "its issuer"),
        _ if inspection.audience.is_empty() => ok("audience", "none"),
        (Kind::Access, ..) if has("account") => ok("audience", "it is for `account`"),
        _ => skipped("audience", "not checked: add --audience NAME"),
    }
}

#[cfg(test)]
mod tests;

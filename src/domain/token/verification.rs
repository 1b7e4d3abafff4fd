//! Whether a token is good: its signature, and each of its claims that says where and when it may be used (RFC 7519,
//! section 4.1; OpenID Connect Core 1.0, section 3.1.3.7).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::domain::explain::diagnosis::Verdict;
use crate::domain::text::page::{Page, Tone};

use super::inspection::{Inspection, Kind, span};
use super::jwks::{KeySet, RefusedKey};
use super::signature::{self, SignatureError};

/// What a token is compared with.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Where the keys are from, in words.
    pub keys: String,
    /// Who must have issued it; `None` where no environment is known.
    pub issuer: Option<String>,
    /// For whom it must be: one of these.
    pub audiences: Vec<String>,
    /// How far two clocks may be apart.
    pub leeway: Duration,
    /// Whether what is said goes into a ticket: an audience is a client's name.
    pub redact: bool,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// `signature`, `algorithm`, `expiry`, `not_before`, `issuer`, `audience`.
    pub name: &'static str,
    /// How it came out; [`Verdict::Skipped`] where there is nothing to hold it against.
    pub verdict: Verdict,
    /// What was seen. It may have the token's words in it.
    pub detail: String,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// Whether nothing failed.
    pub valid: bool,
    /// Where the keys are from, in words.
    pub keys: String,
    /// Seconds that two clocks may be apart.
    pub leeway_seconds: u64,
    /// Each check.
    pub checks: Vec<Check>,
    /// Keys of the issuer that are too weak to be used.
    pub refused_keys: Vec<RefusedKey>,
    /// Whether a key that is not known was named: newer keys might know it.
    #[serde(skip)]
    pub lacks_key: bool,
}

impl Verification {
    /// Holds `token`, which was read as `inspection`, against `keys` and `policy`.
    pub fn of(token: &str, inspection: &Inspection, keys: &KeySet, policy: &Policy, now: Timestamp) -> Self {
        let signed = signature::check(token, keys);
        let lacks_key = matches!(signed, Err(SignatureError::UnknownKey(_)));
        let [algorithm, signature] = of_signature(inspection, &signed);
        let leeway = SignedDuration::try_from(policy.leeway).unwrap_or_default();
        let checks = [
            signature,
            algorithm,
            expiry(inspection, leeway, now),
            not_before(inspection, leeway, now),
            issuer(inspection, policy.issuer.as_deref()),
            audience(inspection, &policy.audiences, policy.redact),
        ];
        Self {
            valid: checks.iter().all(|check| check.verdict != Verdict::Failed),
            keys: policy.keys.clone(),
            leeway_seconds: policy.leeway.as_secs(),
            checks: checks.into(),
            refused_keys: keys.refused().to_vec(),
            lacks_key,
        }
    }

    /// Whether the signature is good.
    pub fn is_signed(&self) -> bool {
        self.checks.iter().any(|check| check.name == "signature" && check.verdict == Verdict::Ok)
    }

    /// Whether nothing was known to hold the issuer against.
    fn takes_any_issuer(&self) -> bool {
        self.checks.iter().any(|check| check.name == "issuer" && check.verdict == Verdict::Skipped)
    }

    /// The checks that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.verdict == Verdict::Failed)
    }

    /// For a person.
    pub fn page(&self) -> Page {
        let verdict = match (self.valid, self.is_signed()) {
            (true, _) if self.takes_any_issuer() => {
                (Tone::Caution, format!("valid, by the keys of `{}`; its issuer was not checked", self.keys))
            }
            (true, _) => (Tone::Good, format!("valid, by the keys of `{}`", self.keys)),
            (false, true) => (Tone::Bad, format!("INVALID, though signed by the keys of `{}`", self.keys)),
            (false, false) => {
                (Tone::Bad, format!("INVALID: nothing of this can be relied on (keys of `{}`)", self.keys))
            }
        };
        let page = Page::new().toned_field("verified", verdict.0, verdict.1);
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

/// The two checks `algorithm` and `signature`.
fn of_signature(inspection: &Inspection, signed: &Result<signature::Signed, SignatureError>) -> [Check; 2] {
    let name = &inspection.algorithm;
    match signed {
        Ok(signed) => {
            let by = signed
                .key_id
                .as_ref()
                .map_or_else(|| "a key without id".to_owned(), |id| format!("key `{id}`"));
            [
                check("algorithm", Verdict::Ok, format!("{name}, which the key is for")),
                check("signature", Verdict::Ok, format!("made by {by}")),
            ]
        }
        Err(error) if error.is_about_the_algorithm() => [
            check("algorithm", Verdict::Failed, error.to_string()),
            check("signature", Verdict::Failed, "not looked at: the algorithm is refused"),
        ],
        Err(error) => {
            let algorithm = match error {
                SignatureError::Wrong => {
                    check("algorithm", Verdict::Ok, format!("{name}, which the key is for"))
                }
                _ => check("algorithm", Verdict::Skipped, format!("{name}, and no key to hold it against")),
            };
            [algorithm, check("signature", Verdict::Failed, error.to_string())]
        }
    }
}

fn expiry(inspection: &Inspection, leeway: SignedDuration, now: Timestamp) -> Check {
    let Some(at) = inspection.expires_at else {
        return check("expiry", Verdict::Failed, "it has no `exp`, so it would never expire");
    };
    let past = now.duration_since(at);
    let distance = span(past.as_secs().unsigned_abs());
    match past {
        past if past.is_negative() => check("expiry", Verdict::Ok, format!("in {distance}")),
        past if past < leeway => check("expiry", Verdict::Ok, format!("{distance} ago, within the leeway")),
        _ => check("expiry", Verdict::Failed, format!("it expired {distance} ago")),
    }
}

fn not_before(inspection: &Inspection, leeway: SignedDuration, now: Timestamp) -> Check {
    match inspection.not_before.map(|at| (at, at.duration_since(now))) {
        None => check("not_before", Verdict::Ok, "it works already"),
        Some((at, ahead)) if ahead <= leeway => {
            check("not_before", Verdict::Ok, format!("{at}, within the leeway"))
        }
        Some((at, _)) => check("not_before", Verdict::Failed, format!("it does not work before {at}")),
    }
}

fn issuer(inspection: &Inspection, expected: Option<&str>) -> Check {
    match (expected, inspection.issuer.as_deref()) {
        (None, _) => check(
            "issuer",
            Verdict::Skipped,
            "no environment is known to hold it against: --environment NAME",
        ),
        (Some(expected), Some(found)) if expected == found => {
            check("issuer", Verdict::Ok, format!("`{found}`"))
        }
        (Some(expected), found) => {
            let found = found.unwrap_or_default();
            check("issuer", Verdict::Failed, format!("it says `{found}`, and `{expected}` was expected"))
        }
    }
}

/// What Keycloak puts into `aud`: for an access token `account` or nothing, for an ID token the client, for a refresh
/// token the issuer. Corti documents no audience, so that one nobody asked for is shown and not judged.
fn audience(inspection: &Inspection, expected: &[String], redact: bool) -> Check {
    let names = |name: &str| inspection.audience.iter().any(|found| found == name);
    let holds = |is_there: bool, what: &str| {
        if is_there {
            check("audience", Verdict::Ok, format!("it is for {what}"))
        } else {
            check("audience", Verdict::Failed, format!("it is not for {what}"))
        }
    };
    if !expected.is_empty() {
        let shown = |name: &String| if redact { inspection.redacted_audience(name) } else { name.clone() };
        let what = expected.iter().map(shown).collect::<Vec<_>>().join("` or `");
        return holds(expected.iter().any(|name| names(name)), &format!("`{what}`"));
    }
    match (inspection.kind, &inspection.client, &inspection.issuer) {
        (Kind::Id, Some(client), _) => holds(names(client), "the client it was issued to"),
        (Kind::Refresh, _, Some(issuer)) => holds(names(issuer), "its issuer"),
        _ if inspection.audience.is_empty() => check("audience", Verdict::Ok, "it names none"),
        (Kind::Access, ..) if names("account") => check("audience", Verdict::Ok, "it is for `account`"),
        _ => check("audience", Verdict::Skipped, "nothing was asked for: --audience NAME"),
    }
}

#[cfg(test)]
mod tests;

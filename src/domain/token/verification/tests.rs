//! Tests of what a token's claims are compared with. Signatures are tested through the binary, with real keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::token::jwt::{Jwt, LastHeader};

use super::*;

const NOW: i64 = 1_800_000_000;

/// The key of RFC 8037, appendix A.2.
const ISSUERS_KEYS: &[u8] =
    br#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

fn inspection(claims: &str) -> Inspection {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let token = format!("{}.{}.c2ln", part(r#"{"alg":"RS256"}"#), part(claims));
    Inspection::of(&Jwt::decode(&token).unwrap(), Timestamp::from_second(NOW).unwrap())
}

#[test]
fn two_clocks_may_be_apart_by_the_leeway() {
    let now = Timestamp::from_second(NOW).unwrap();
    let leeway = SignedDuration::from_secs(30);
    for (seconds, verdict) in [
        (1, Verdict::Ok),
        (0, Verdict::Ok),
        (-29, Verdict::Ok),
        (-30, Verdict::Failed),
        (-3000, Verdict::Failed),
    ] {
        let it = inspection(&format!(r#"{{"exp":{}}}"#, NOW + seconds));
        assert_eq!(expiry(&it, leeway, now).verdict, verdict, "exp {seconds}");
    }
    for (seconds, verdict) in [(-1, Verdict::Ok), (30, Verdict::Ok), (31, Verdict::Failed)] {
        let it = inspection(&format!(r#"{{"nbf":{}}}"#, NOW + seconds));
        assert_eq!(not_before(&it, leeway, now).verdict, verdict, "nbf {seconds}");
    }
    assert_eq!(expiry(&inspection("{}"), leeway, now).verdict, Verdict::Failed, "it would never expire");
    assert_eq!(
        expiry(&inspection(&format!(r#"{{"exp":{NOW}}}"#)), SignedDuration::ZERO, now).verdict,
        Verdict::Failed
    );
}

/// A claim that cannot be used must not count as one that the token lacks.
#[test]
fn a_claim_that_cannot_be_used_fails_its_check() {
    let claims = r#"{"exp":9999999999,"nbf":"1","iss":"joe","aud":7,"azp":[]}"#;
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let token = format!("{}.{}.c2ln", part(r#"{"alg":"RS256"}"#), part(claims));
    let now = Timestamp::from_second(NOW).unwrap();
    let jwt = Jwt::decode_after(&token, &mut LastHeader::default()).unwrap();
    let policy = Policy { issuer: Some("joe".to_owned()), ..Policy::default() };
    let it = Inspection::of(&jwt, now);
    let keys = KeySet::parse(ISSUERS_KEYS).unwrap();
    let verification = Verification::of(&token, &it, &keys, &policy, now);
    let failed: Vec<_> = verification.failed().map(|check| (check.name, check.detail.as_str())).collect();
    assert_eq!(
        failed.get(2..).unwrap_or_default(),
        [
            ("not_before", "`nbf` is a string, not a number of seconds"),
            ("audience", "`aud` is a number, not a string or a list of strings"),
            ("claims", "`azp` is a list, not a string"),
        ]
    );
}

#[test]
fn the_audience_is_what_keycloak_makes_it() {
    let verdict = |claims: &str, expected: &[&str]| {
        let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        audience(&inspection(claims), &expected, false).verdict
    };
    let table: [(&str, &[&str], Verdict); 11] = [
        (r#"{"typ":"Bearer"}"#, &[], Verdict::Ok),
        (r#"{"typ":"Bearer","aud":"account"}"#, &[], Verdict::Ok),
        (r#"{"typ":"Bearer","aud":["x","account"]}"#, &[], Verdict::Ok),
        (r#"{"typ":"Bearer","aud":"x"}"#, &[], Verdict::Skipped),
        (r#"{"typ":"Bearer","aud":"x"}"#, &["y", "x"], Verdict::Ok),
        (r#"{"typ":"Bearer","aud":"account"}"#, &["x"], Verdict::Failed),
        (r#"{"typ":"Bearer"}"#, &["x"], Verdict::Failed),
        (r#"{"typ":"ID","azp":"c","aud":"c"}"#, &[], Verdict::Ok),
        (r#"{"typ":"ID","azp":"c","aud":"d"}"#, &[], Verdict::Failed),
        (r#"{"typ":"Refresh","iss":"i","aud":"i"}"#, &[], Verdict::Ok),
        (r#"{"typ":"Refresh","iss":"i","aud":"j"}"#, &[], Verdict::Failed),
    ];
    for (claims, expected, outcome) in table {
        assert_eq!(verdict(claims, expected), outcome, "{claims} {expected:?}");
    }
}

#[test]
fn the_issuer_is_compared_letter_by_letter() {
    let it = inspection(r#"{"iss":"https://a/realms/base"}"#);
    let verdict = |expected| issuer(&it, expected).verdict;
    assert_eq!(verdict(Some("https://a/realms/base")), Verdict::Ok);
    assert_eq!(verdict(None), Verdict::Skipped);
    for other in ["https://a/realms/base/", "https://A/realms/base", "https://a/realms/bas", ""] {
        assert_eq!(verdict(Some(other)), Verdict::Failed, "{other}");
    }
    assert_eq!(issuer(&inspection("{}"), Some("https://a/realms/base")).verdict, Verdict::Failed);
}

#[test]
fn an_audience_that_was_asked_for_is_as_secret_as_one_that_is_there() {
    let it = inspection(r#"{"typ":"Bearer","iss":"i","aud":"acme-client"}"#);
    let detail = |expected: &str, redact| audience(&it, &[expected.to_owned()], redact).detail;
    assert_eq!(detail("acme-client", false), "it is for `acme-client`");
    assert!(!detail("acme-client", true).contains("acme"));
    assert!(!detail("other-client", true).contains("other"));
    assert_eq!(detail("account", true), "it is not for `account`");
}

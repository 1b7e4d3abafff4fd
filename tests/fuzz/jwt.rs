//! Any token is parsed or refused, its report is JSON of bounded length, and it is never valid.

#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use corti_auth_fuzz::domain::token::claims::AllClaims;
use corti_auth_fuzz::domain::token::comparison::Comparison;
use corti_auth_fuzz::domain::token::inspection::Inspection;
use corti_auth_fuzz::domain::token::report::Report;
use corti_auth_fuzz::domain::token::jwks::KeySet;
use corti_auth_fuzz::domain::token::jwt;
use corti_auth_fuzz::domain::token::jwt::Jwt;
use corti_auth_fuzz::domain::text::page::printable_json_lines;
use corti_auth_fuzz::domain::token::verification::{Policy, Verification};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

/// One key of each kind, from RFC 7515, appendices A.2 and A.3, and RFC 8037, appendix A.2.
static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    let examples: Vec<serde_json::Value> = serde_json::from_str(include_str!("../rfc/examples.json")).unwrap();
    let keys: Vec<_> = examples.iter().map(|example| example["key"].clone()).collect();
    KeySet::parse(serde_json::json!({ "keys": keys }).to_string().as_bytes()).unwrap()
});

fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else { return };
    // The input is the token itself, or the JSON of its two parts, so that the fuzzer need not learn base64.
    let text = if mode % 2 == 0 {
        String::from_utf8_lossy(data).into_owned()
    } else {
        let cut = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
        let (header, payload) = data.split_at(cut);
        let payload = payload.get(1..).unwrap_or_default();
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
    };
    let _ = (jwt::contains_token(&text), jwt::claimed(&text).is_ok(), jwt::header(&text).is_ok());
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let Ok(it) = Jwt::decode_after(&text, &mut jwt::LastHeader::default()).map(|jwt| Inspection::of(&jwt, now)) else { return };
    let claims = AllClaims::of(&text).unwrap();
    let _ = (claims.page(&it, now), claims.json(), claims.redacted(&it).page(&it, now));
    let policy = Policy { issuer: Some("joe".to_owned()), ..Policy::default() };
    let verification = Verification::of(&text, &it, &KEYS, &policy, now);
    // The RFCs' examples have expired, and nobody can sign other claims.
    assert!(!verification.valid);
    for it in [it.clone().redacted(), it.clone()] {
        let verification = Some(&verification);
        let (inspection, fingerprint, cleaned) = (&it, "", &[][..]);
        let report = Report { line: None, inspection, fingerprint, cleaned, verification, claims: None, redacted: true };
        let record = serde_json::to_string(&report).unwrap();
        let line = printable_json_lines(record);
        // A control character of one byte takes six when it is escaped, in at most three places.
        assert!(line.len() <= 4_000 + 24 * text.len(), "{} of {}", line.len(), text.len());
        assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok());
        assert!(!line.chars().any(char::is_control));
        assert!(Comparison::of(&it, &it).differences().is_empty());
    }
});

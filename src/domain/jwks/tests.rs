//! Tests of key sets.

use super::*;

fn set(keys: &str) -> Result<KeySet, KeySetError> {
    KeySet::parse(format!(r#"{{"keys":[{keys}]}}"#).as_bytes())
}

fn rsa(rest: &str) -> String {
    format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"{rest}}}"#, URL_SAFE_NO_PAD.encode([0xff; 256]))
}

#[test]
fn a_key_checks_what_it_says() {
    let algorithms = |rest: &str| set(&rsa(rest)).map(|set| set.0[0].algorithms.len());
    assert_eq!(algorithms(""), Ok(6));
    assert_eq!(algorithms(r#","alg":"RS256","use":"sig""#), Ok(1));
    for useless in [r#","alg":"HS256""#, r#","alg":"RSA-OAEP""#, r#","use":"enc""#, r#","key_ops":["sign"]"#]
    {
        assert_eq!(algorithms(useless), Err(KeySetError::NoKey), "{useless}");
    }
}

#[test]
fn weak_and_symmetric_keys_are_left_out() {
    for key in [
        r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ"}"#,
        r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#,
        r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
        r#"{"kty":"EC","crv":"P-521","x":"AA","y":"AA"}"#,
        r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#,
        r#"{"kty":7}"#,
        "1",
    ] {
        assert_eq!(set(key).err(), Some(KeySetError::NoKey), "{key}");
        assert!(set(&format!("{key},{}", rsa(""))).is_ok(), "{key}: the other key is still read");
    }
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, "<html>"] {
        assert_eq!(KeySet::parse(text.as_bytes()).err(), Some(KeySetError::NotAKeySet), "{text}");
    }
}

#[test]
fn a_key_of_a_curve_that_is_not_supported_is_one_and_checks_nothing() {
    for (curve, size) in [("P-521", 66), ("secp256k1", 32)] {
        let x = URL_SAFE_NO_PAD.encode(vec![1; size]);
        let set = set(&format!(r#"{{"kty":"EC","crv":"{curve}","kid":"a","x":"{x}","y":"{x}"}}"#)).unwrap();
        assert!(set.candidates(Some("a"))[0].algorithms.is_empty(), "{curve}");
    }
}

#[test]
fn unknown_keys_have_the_issuer_asked_once_a_minute() {
    let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
    let fresh = Freshness::at(at(0));
    assert!(fresh.may_ask(at(1)) && !fresh.is_over(at(599)) && fresh.is_over(at(600)));
    let asked = fresh.asked(at(1));
    assert!(!asked.may_ask(at(2)) && !asked.may_ask(at(60)) && asked.may_ask(at(61)));
    assert!(!asked.is_over(at(599)) && asked.is_over(at(600)), "to ask in vain makes no key fresh");
}

#[test]
fn the_keys_id_decides_where_it_is_named() {
    let set = set(&format!("{},{},{}", rsa(r#","kid":"a""#), rsa(r#","kid":"b""#), rsa(""))).unwrap();
    let ids = |id| set.candidates(id).iter().map(|key| key.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(Some("b")), [Some("b".to_owned())]);
    assert_eq!(ids(Some("x")), [None]);
    assert_eq!(ids(None).len(), 3);
}

//! Tests of key sets.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

/// The error of a set without a usable key.
fn no_key() -> Invalid {
    Invalid::new("it has no public key that checks signatures by RS, PS, ES or EdDSA")
}

fn set(keys: &str) -> Result<KeySet, Invalid> {
    KeySet::parse(format!(r#"{{"keys":[{keys}]}}"#).as_bytes())
}

fn rsa(rest: &str) -> String {
    format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"{rest}}}"#, URL_SAFE_NO_PAD.encode([0xff; 256]))
}

#[test]
fn a_key_checks_what_it_says() {
    let algorithms = |rest: &str| set(&rsa(rest)).map(|set| set.keys[0].algorithms.len());
    assert_eq!(algorithms(""), Ok(6));
    assert_eq!(algorithms(r#","alg":"RS256","use":"sig""#), Ok(1));
    for useless in [r#","alg":"HS256""#, r#","alg":"RSA-OAEP""#, r#","use":"enc""#, r#","key_ops":["sign"]"#]
    {
        assert_eq!(algorithms(useless), Err(no_key()), "{useless}");
    }
}

#[test]
fn keys_that_verify_nothing_are_left_out() {
    for key in [
        r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ"}"#,
        r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
        r#"{"kty":"EC","crv":"P-521","x":"AA","y":"AA"}"#,
        r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#,
        r#"{"kty":7}"#,
        "1",
    ] {
        assert_eq!(set(key).err(), Some(no_key()), "{key}");
        assert!(set(&format!("{key},{}", rsa(""))).is_ok(), "{key}: the other key is still read");
    }
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, "<html>"] {
        let error = KeySet::parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(error, "it is not a JSON Web Key set: an object with a list `keys`", "{text}");
    }
}

#[test]
fn short_rsa_keys_are_refused_and_listed() {
    let reason = |modulus: &[u8]| {
        let n = URL_SAFE_NO_PAD.encode(modulus);
        let set = set(&format!(r#"{{"kty":"RSA","kid":"a","n":"{n}","e":"AQAB"}}"#)).unwrap();
        set.refused.first().map(|key| key.reason.clone())
    };
    let short = |bits| Some(format!("RSA with {bits} bits; at least 2048 are needed"));
    let below = [&[0x7f][..], &[0xff; 255]].concat();
    assert_eq!(reason(&[0xff; 256]), None);
    assert_eq!(reason(&below), short(2047));
    assert_eq!(reason(&[&[0], below.as_slice()].concat()), short(2047));
    assert_eq!(reason(&[&[0; 128][..], &[0xff; 128]].concat()), short(1024));
    assert_eq!(reason(&[0; 256]), short(0));
    let both = set(&format!("{},{}", rsa(""), r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#)).unwrap();
    assert_eq!((both.keys.len(), both.refused.len()), (1, 1));
    assert_eq!(both.refused[0].to_string(), "without id: RSA with 17 bits; at least 2048 are needed");
}

#[test]
fn a_key_of_a_curve_that_is_not_supported_is_one_and_checks_nothing() {
    let x = URL_SAFE_NO_PAD.encode([1; 66]);
    let set = set(&format!(r#"{{"kty":"EC","crv":"P-521","kid":"a","x":"{x}","y":"{x}"}}"#)).unwrap();
    assert!(set.candidates(Some("a"))[0].algorithms.is_empty());
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

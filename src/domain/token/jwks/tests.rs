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
    let algorithms = |rest: &str| set(&rsa(rest)).map(|set| set.keys[0].algorithms.len());
    assert_eq!(algorithms(""), Ok(6));
    assert_eq!(algorithms(r#","alg":"RS256","use":"sig""#), Ok(1));
    for useless in [r#","alg":"HS256""#, r#","alg":"RSA-OAEP""#, r#","use":"enc""#, r#","key_ops":["sign"]"#]
    {
        assert_eq!(algorithms(useless), Err(KeySetError::NoKey), "{useless}");
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
        assert_eq!(set(key).err(), Some(KeySetError::NoKey), "{key}");
        assert!(set(&format!("{key},{}", rsa(""))).is_ok(), "{key}: the other key is still read");
    }
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, "<html>"] {
        assert_eq!(KeySet::parse(text.as_bytes()).err(), Some(KeySetError::NotAKeySet), "{text}");
    }
}

#[test]
fn short_rsa_keys_are_refused_and_listed() {
    let reason = |modulus: &[u8]| {
        let n = URL_SAFE_NO_PAD.encode(modulus);
        let set = set(&format!(r#"{{"kty":"RSA","kid":"a","n":"{n}","e":"AQAB"}}"#)).unwrap();
        set.refused().first().map(|key| key.reason)
    };
    let below = [&[0x7f][..], &[0xff; 255]].concat();
    assert_eq!(reason(&[0xff; 256]), None);
    assert_eq!(reason(&below), Some(Weakness::ShortModulus(2047)));
    assert_eq!(reason(&[&[0], below.as_slice()].concat()), Some(Weakness::ShortModulus(2047)));
    assert_eq!(reason(&[&[0; 128][..], &[0xff; 128]].concat()), Some(Weakness::ShortModulus(1024)));
    assert_eq!(reason(&[0; 256]), Some(Weakness::ShortModulus(0)));
    let both = set(&format!("{},{}", rsa(""), r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#)).unwrap();
    assert_eq!((both.keys.len(), both.refused().len()), (1, 1));
    assert_eq!(both.refused()[0].to_string(), "without id: RSA with 17 bits; at least 2048 are needed");
}

/// The eight points of small order, and their second spellings: a number of the field and the same plus its prime.
#[test]
fn ed25519_keys_of_small_order_are_refused_and_listed() {
    for hex in [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ] {
        let digits: Vec<u8> =
            hex.chars().map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap()).collect();
        let x: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        let key = format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"a","x":"{}"}}"#, URL_SAFE_NO_PAD.encode(x));
        // Where the library does not read a spelling, the key is left out.
        let usable = set(&format!("{key},{}", rsa(r#","kid":"b""#))).unwrap().candidates(Some("a")).len();
        assert_eq!(usable, 0, "{hex}");
        if let Ok(set) = set(&key) {
            assert_eq!(set.refused()[0].reason, Weakness::SmallOrder, "{hex}");
        }
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

//! `inspect --verify` with weak keys: they are listed as refused, and verify nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rsa::pkcs1v15::SigningKey;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::common::ready::verdicts;
use crate::common::{self, Said, World};

/// The signed part of a token that expires in the far future.
fn unsigned(algorithm: &str, id: &str) -> String {
    let claims = json!({ "typ": "Bearer", "exp": 9_999_999_999_i64 });
    let token = common::forged(&json!({ "alg": algorithm, "kid": id }), &claims);
    token.rsplit_once('.').unwrap().0.to_owned()
}

fn signed_by(key: &rsa::RsaPrivateKey, id: &str) -> String {
    let text = unsigned("RS256", id);
    let signature = SigningKey::<Sha256>::new(key.clone()).sign(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

/// The key, with `zeros` zero bytes before its modulus, which change its length only.
fn jwk(key: &rsa::RsaPrivateKey, id: &str, zeros: usize) -> Value {
    let modulus = [vec![0; zeros], key.n().to_bytes_be()].concat();
    let (n, e) = (URL_SAFE_NO_PAD.encode(modulus), URL_SAFE_NO_PAD.encode(key.e().to_bytes_be()));
    json!({ "kty": "RSA", "kid": id, "use": "sig", "n": n, "e": e })
}

fn verify(keys: &[Value], token: &str, style: &str) -> Said {
    let world = World::new();
    let file = world.file("keys.json", json!({ "keys": keys }).to_string());
    let mut words = vec!["inspect", "--verify", "--jwks", &file];
    words.extend(style.split_whitespace());
    Said::by(world.run_words(&words).write_stdin(token.to_owned()))
}

#[test]
fn short_rsa_keys_are_refused_and_listed() {
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 1024).unwrap();
    let (token, reason) = (signed_by(&key, "short"), "RSA with 1024 bits; at least 2048 are needed");
    for zeros in [0, 128] {
        let keys = [jwk(&key, "short", zeros)];
        let text = verify(&keys, &token, "");
        assert_eq!(text.code, 7, "{zeros}: {}{}", text.stdout, text.stderr);
        assert!(text.stdout.contains("refused key"), "{}", text.stdout);
        let row = format!("the issuer's key is refused: `short`: {reason}");
        assert!(text.stdout.contains(&row), "{}", text.stdout);
        let json = verify(&keys, &token, "--json").json();
        assert_eq!(json["verification"]["valid"], false);
        assert_eq!(json["verification"]["refused_keys"], json!([{ "id": "short", "reason": reason }]));
        assert_eq!(verdicts(&json)[0], "signature failed");
    }
}

#[test]
fn the_other_keys_of_the_set_still_verify() {
    let mut random = rsa::rand_core::OsRng;
    let (short, long) = (
        rsa::RsaPrivateKey::new(&mut random, 1024).unwrap(),
        rsa::RsaPrivateKey::new(&mut random, 2048).unwrap(),
    );
    let keys = [jwk(&short, "short", 0), jwk(&long, "long", 0)];
    let json = verify(&keys, &signed_by(&long, "long"), "--json").json();
    assert_eq!(json["verification"]["valid"], true);
    let refused = json["verification"]["refused_keys"].as_array().unwrap();
    let ids: Vec<_> = refused.iter().map(|key| key["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["short"]);
    let json = verify(&keys[1..], &signed_by(&long, "long"), "--json").json();
    assert_eq!(json["verification"]["refused_keys"], json!([]));
}

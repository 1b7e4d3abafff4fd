//! Tokens made to pass as valid or to break the parser, one per line, through the real binary.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use rsa::pkcs1::{EncodeRsaPrivateKey as _, EncodeRsaPublicKey as _};
use rsa::pkcs8::{EncodePublicKey as _, LineEnding};
use rsa::traits::PublicKeyParts as _;
use rsa::{BigUint, RsaPrivateKey, RsaPublicKey};
use serde_json::{Value, json};

use crate::common::{Said, World};

const GOOD: &str = r#"{"typ":"Bearer","iss":"joe","exp":9999999999,"scope":"openid"}"#;

/// A case: its name, the token, and words of the verdict.
type Case = (String, String, &'static str);

fn encode(part: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

fn unsigned(header: &str, payload: &str) -> String {
    format!("{}.{}.c2ln", encode(header), encode(payload))
}

fn signed(header: &Value, payload: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let message = format!("{}.{}", encode(header.to_string()), encode(payload));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// The issuer's public key, from RFC 7515, appendix A.2.
fn issuers_jwk() -> Value {
    let examples: Vec<Value> = serde_json::from_str(include_str!("../rfc/examples.json")).unwrap();
    let mut jwk = examples[1]["key"].clone();
    (jwk["kid"], jwk["alg"]) = (json!("issuer"), json!("RS256"));
    jwk
}

/// HMACs keyed with public values of the issuer's key.
fn confused_algorithms() -> Vec<Case> {
    let jwk = issuers_jwk();
    let number =
        |name: &str| BigUint::from_bytes_be(&URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap());
    let key = RsaPublicKey::new(number("n"), number("e")).unwrap();
    let pem = key.to_public_key_pem(LineEnding::LF).unwrap();
    let secrets: [(&str, Vec<u8>); 7] = [
        ("the PEM", pem.clone().into_bytes()),
        ("the PEM without its last line break", pem.trim_end().as_bytes().to_vec()),
        ("the SPKI DER", key.to_public_key_der().unwrap().to_vec()),
        ("the PKCS#1 DER", key.to_pkcs1_der().unwrap().to_vec()),
        ("the PKCS#1 PEM", key.to_pkcs1_pem(LineEnding::LF).unwrap().into_bytes()),
        ("n", key.n().to_bytes_be()),
        ("n in base64url", jwk["n"].as_str().unwrap().as_bytes().to_vec()),
    ];
    let algorithms = [("HS256", Algorithm::HS256), ("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)];
    let mut cases = Vec::new();
    for (name, secret) in &secrets {
        for (alg, algorithm) in algorithms {
            let key = EncodingKey::from_secret(secret);
            let token = signed(&json!({ "alg": alg, "kid": "issuer" }), GOOD, &key, algorithm);
            cases.push((format!("{alg} keyed with {name}"), token, "uses a shared secret"));
        }
    }
    let key = EncodingKey::from_secret(b"");
    let token = signed(&json!({ "alg": "hs256", "kid": "issuer" }), GOOD, &key, Algorithm::HS256);
    cases.push(("hs256, keyed with nothing".to_owned(), token, "uses a shared secret"));
    cases
}

fn unsigned_in_every_spelling() -> Vec<Case> {
    let message = |alg: &str| format!("{}.{}", encode(json!({ "alg": alg }).to_string()), encode(GOOD));
    let spellings = ["none", "None", "NONE", "nOnE", "none ", " none", "NoNe\t"];
    let refused = spellings.iter().flat_map(|alg| {
        ["", "c2ln"].map(|signature| {
            (
                format!("{alg:?} {signature}"),
                format!("{}.{signature}", message(alg)),
                "the token is not signed",
            )
        })
    });
    let unknown = [
        "",
        "n\u{f6}ne",
        "null",
        "RS256 ",
        "rs256",
        "RS1",
        "RS256\u{0}",
        "ES256K",
        "ES512",
        "Ed25519",
        "RSA-OAEP",
    ];
    let unknown =
        unknown.iter().map(|alg| (format!("{alg:?}"), format!("{}.c2ln", message(alg)), "supported: RS256"));
    refused.chain(unknown).collect()
}

/// Correctly signed, by a key that the token itself brings or names.
fn keys_of_the_tokens_own() -> Vec<Case> {
    // Any key but the issuer's.
    let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
    let (n, e) = (encode(key.n().to_bytes_be()), encode(key.e().to_bytes_be()));
    let jwk = json!({ "kty": "RSA", "n": n, "e": e, "alg": "RS256", "use": "sig", "kid": "mine" });
    let signing = EncodingKey::from_rsa_der(key.to_pkcs1_der().unwrap().as_bytes());
    let own = [
        ("jwk", jwk.clone()),
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/cert.pem")),
        ("x5c", json!([STANDARD.encode(key.to_public_key().to_public_key_der().unwrap())])),
        ("jwks", json!({ "keys": [jwk] })),
    ];
    let mut cases = Vec::new();
    for (name, value) in own {
        for (kid, words) in [
            (Some("mine"), "the issuer has no key `mine`"),
            (Some("issuer"), "the issuer's key did not make this signature"),
            (None, "the issuer's key did not make this signature"),
        ] {
            let mut header = json!({ "alg": "RS256", name: value });
            if let Some(kid) = kid {
                header["kid"] = json!(kid);
            }
            let token = signed(&header, GOOD, &signing, Algorithm::RS256);
            cases.push((format!("{name} with kid {kid:?}"), token, words));
        }
    }
    for kid in ["../../../dev/null", "' OR 1=1 --", "issuer\u{0}", "/etc/passwd", ""] {
        let token = signed(&json!({ "alg": "RS256", "kid": kid }), GOOD, &signing, Algorithm::RS256);
        cases.push((format!("kid {kid:?}"), token, "the issuer has no key"));
    }
    for (alg, algorithm) in [("RS512", Algorithm::RS512), ("PS256", Algorithm::PS256)] {
        let token = signed(&json!({ "alg": alg, "kid": "issuer" }), GOOD, &signing, algorithm);
        cases.push((format!("{alg} for a key of RS256"), token, "does not fit the issuer's key"));
    }
    cases
}

fn odd_headers() -> Vec<Case> {
    let cases = [
        (r#"{"alg":"RS256","kid":"issuer","crit":["exp"],"exp":1}"#, "unsupported header extension `crit`"),
        (r#"{"alg":"RS256","kid":"issuer","crit":[]}"#, "unsupported header extension `crit`"),
        (r#"{"alg":"RS256","kid":"issuer","crit":null}"#, "unsupported header extension `crit`"),
        (
            r#"{"alg":"RS256","kid":"issuer","b64":false,"crit":["b64"]}"#,
            "unsupported header extension `crit`",
        ),
        (r#"{"alg":"RS256","kid":"issuer","b64":false}"#, "unsupported header extension `b64`"),
        (r#"{"alg":["RS256"]}"#, "in the header, `alg` is a list, not a string"),
        (r#"{"alg":null}"#, "in the header, `alg` is missing"),
        (r#"{"kid":"issuer"}"#, "in the header, `alg` is missing"),
        (r#"{"alg":"none","alg":"RS256"}"#, "in the header, `alg` is in the token more than once"),
        (r#"{"alg":"RS256","kid":7}"#, "in the header, `kid` is a number, not a string"),
        (r#"{"alg":"RS256"} {}"#, "the header is not a JSON object"),
        (r#"["RS256"]"#, "the header is not a JSON object"),
        ("\"RS256\"", "the header is not a JSON object"),
    ];
    cases.map(|(header, words)| (header.to_owned(), unsigned(header, GOOD), words)).into()
}

fn odd_claims() -> Vec<Case> {
    let unreadable = "the payload is not a JSON object";
    let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    let wide: Vec<String> = (0..5_000).map(|index| format!(r#""{index}":{{}}"#)).collect();
    let cases = [
        (r#"{"exp":1,"exp":9999999999}"#.to_owned(), "`exp` is in the token more than once"),
        (r#"{"iss":"a","iss":"joe"}"#.to_owned(), "`iss` is in the token more than once"),
        (
            r#"{"scope":"openid","scope":"openid admin:write"}"#.to_owned(),
            "`scope` is in the token more than once",
        ),
        (r#"{"exp":"9999999999"}"#.to_owned(), "`exp` is a string, not"),
        (r#"{"exp":true}"#.to_owned(), "`exp` is true or false, not"),
        (r#"{"exp":[9999999999]}"#.to_owned(), "`exp` is a list, not"),
        (r#"{"iss":{"a":"joe"}}"#.to_owned(), "`iss` is an object, not"),
        (r#"{"scope":["openid"]}"#.to_owned(), "`scope` is a list, not"),
        (r#"{"aud":7}"#.to_owned(), "`aud` is a number, not"),
        (r#"{"aud":["a",7]}"#.to_owned(), "`aud` is not a string or a list of strings"),
        (r#"{"realm_access":{"roles":"admin"}}"#.to_owned(), "`realm_access` is not an object"),
        (r#"{"exp":1e400}"#.to_owned(), "`exp` is not a number of seconds"),
        (r#"{"exp":-1e400}"#.to_owned(), "`exp` is not a number of seconds"),
        (r#"{"exp":NaN}"#.to_owned(), unreadable),
        (format!(r#"{{"exp":{}}}"#, "9".repeat(400)), "`exp` is not a number of seconds"),
        (format!(r#"{{"aud":{deep}}}"#), "`aud` is not"),
        (format!(r#"{{"resource_access":{deep}}}"#), "`resource_access` is a list, not"),
        (r#"{"exp":18446744073709551615}"#.to_owned(), "`exp` is not a date"),
        (r#"{"exp":18446744073709551616}"#.to_owned(), "`exp` is not a date"),
        (r#"{"exp":1e300}"#.to_owned(), "`exp` is not a date"),
        (r#"{"iat":-9223372036854775808}"#.to_owned(), "`iat` is not a date"),
        (r#"{"exp":9999999999,"nbf":1e300}"#.to_owned(), "`nbf` is not a date"),
        (r#"{"exp":-1}"#.to_owned(), "expired"),
        (r#"{"exp":0}"#.to_owned(), "expired"),
        (r#"{"exp":-0.0}"#.to_owned(), "expired"),
        (r#"{"exp":null}"#.to_owned(), "no `exp` claim, so the token never expires"),
        ("{}".to_owned(), "no `exp` claim, so the token never expires"),
        (format!(r#"{{"a":{deep},"exp":1}}"#), "expired"),
        (format!(r#"{{"exp":1,{}}}"#, wide.join(",")), "expired"),
        (r#"{"exp":1} x"#.to_owned(), unreadable),
        (r#"{"exp":1"#.to_owned(), unreadable),
        ("null".to_owned(), unreadable),
        ("[]".to_owned(), unreadable),
        ("\u{feff}{}".to_owned(), unreadable),
    ];
    cases
        .map(|(payload, words)| {
            (payload.chars().take(60).collect(), unsigned(r#"{"alg":"RS256"}"#, &payload), words)
        })
        .into()
}

fn odd_encodings() -> Vec<Case> {
    let (header, payload) = (encode(r#"{"alg":"RS256"}"#), encode(GOOD));
    let plain = encode(r#"{"exp":1}"#);
    let not_text = encode(b"{\"exp\":1,\"iss\":\"\xff\xfe\"}");
    let cases = [
        (format!("{header}=.{payload}.c2ln"), "the header is not base64url"),
        (format!("{header}.{payload}==.c2ln"), "the payload is not base64url"),
        (format!("{header}.{payload}.c2ln="), "the signature is not base64url"),
        (format!("{header}.{payload}.c2lu"), "INVALID-SIGNATURE"),
        (format!("{header}.{payload}.c2l/"), "the signature is not base64url"),
        (format!("{header}.{payload}.+2ln"), "the signature is not base64url"),
        // The unused bits of the last digit must be zero, or one signature would have many spellings.
        (format!("{header}.{payload}.c2k"), "INVALID-SIGNATURE"),
        (format!("{header}.{payload}.c2l"), "the signature is not base64url"),
        (format!("{header}.{payload}.c"), "the signature is not base64url"),
        (format!("{header}.{not_text}.c2ln"), "the payload is not a JSON object"),
        (format!(".{payload}.c2ln"), "the header is not a JSON object"),
        (format!("{header}..c2ln"), "the payload is not a JSON object"),
        (format!("{header}.{plain}."), "the issuer's key did not make this signature"),
        ("..".to_owned(), "the header is not a JSON object"),
        (".".to_owned(), "2 of 3 dot-separated parts"),
        ("....".to_owned(), "this is an encrypted token"),
        (format!("{header}.a.b.c.d"), "this is an encrypted token"),
        (format!("{header}.{payload}.c2ln.x"), "this text has 4"),
        (format!("{header}.{payload}.c2ln.x.y.z"), "this text has 6"),
        ("a".repeat(40), "may be an opaque token"),
        (".".repeat(100_000), "this text has 100001"),
    ];
    let words = |words| {
        if words == "INVALID-SIGNATURE" { "the issuer's key did not make this signature" } else { words }
    };
    cases.map(|(token, said)| (token.chars().take(60).collect(), token, words(said))).into()
}

#[test]
fn no_hostile_token_is_valid() {
    let groups = [
        confused_algorithms(),
        unsigned_in_every_spelling(),
        keys_of_the_tokens_own(),
        odd_headers(),
        odd_claims(),
        odd_encodings(),
    ];
    let cases: Vec<Case> = groups.into_iter().flatten().collect();
    assert!(cases.len() > 120, "{}", cases.len());
    let world = World::new();
    let keys = world.file("keys.json", json!({ "keys": [issuers_jwk()] }).to_string());
    let lines: Vec<&str> = cases.iter().map(|(_, token, _)| token.as_str()).collect();
    let words = ["inspect", "--lines", "--verify", "--jwks", &keys];
    let said = Said::by(world.run_words(&words).write_stdin(lines.join("\n")));
    assert_eq!(said.code, 7, "{}", said.stderr);
    assert!(
        said.stderr.contains(&format!("{0} of {0} lines have no valid token", cases.len())),
        "{}",
        said.stderr
    );
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(lines.len(), cases.len());
    for ((name, _, words), line) in cases.iter().zip(lines) {
        let json: Value = serde_json::from_str(line).unwrap();
        assert!(line.contains(words), "{name}: {words}: {line}");
        assert!(json["error"].is_string() || json["verification"]["valid"] == false, "{name}: {line}");
        assert_ne!(json["signature"], "valid", "{name}: {line}");
        assert!(line.len() < 4_000, "{name}: {} bytes are said of it", line.len());
    }
}

#[test]
fn control_characters_in_claims_are_escaped() {
    let nasty = "\u{1b}]0;x\u{7}\u{202e}\u{9b}2J\u{2028}\r\nresult  valid";
    let claims = json!({
        "typ": "Bearer", "exp": 9_999_999_999_i64, "iss": nasty, "sub": nasty, "jti": nasty, "azp": nasty,
        "aud": [nasty], "preferred_username": nasty, "scope": nasty, "realm_access": { "roles": [nasty] },
        "resource_access": { nasty: { "roles": [nasty] } },
    });
    let token = unsigned(&json!({ "alg": nasty, "kid": nasty }).to_string(), &claims.to_string());
    let world = World::new();
    let keys = world.file("keys.json", json!({ "keys": [issuers_jwk()] }).to_string());
    let verify = format!("inspect --verify --jwks {keys}");
    for arguments in ["inspect", "inspect --json", "inspect --lines", "inspect --redact", &verify]
        .into_iter()
        .chain(["inspect --field issuer", "inspect --lines --field client_id", "inspect --require-scope x"])
    {
        let said = Said::by(world.run(arguments).write_stdin(token.clone()));
        let steers = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{2028}');
        for stream in [&said.stdout, &said.stderr] {
            assert!(!stream.chars().any(steers), "{arguments}: {stream:?}");
            assert!(!stream.lines().any(|line| line.starts_with("result  valid")), "{arguments}: {stream}");
        }
    }
}

//! `serve` and JWTs that are forged, foreign or for another purpose: none is accepted, and none makes it fetch keys again and
//! again (abuse case 8).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use rsa::pkcs1::EncodeRsaPublicKey as _;
use rsa::pkcs8::{EncodePublicKey as _, LineEnding};
use serde_json::{Value, json};

use crate::common::gateway::{Connection, Gateway, config_of, get};
use crate::common::idp::Idp;
use crate::common::recorder::Recorder;
use crate::common::{forged, now};

const RULES: &str = "[limits]\nrate = \"10000/s\"\nburst = 10000\n\
    [[rule]]\ngroups = [\"clinician\"]\nallow = [\"languages.list\"]\n\
    [[rule]]\ngroups = [\"batch\"]\nallow = [\"languages.list\"]\n";

/// The status, and the code of the problem or nothing.
fn answer(connection: &mut Connection, token: &str) -> (u16, String) {
    let request = get("/corti/v2/languages/", &format!("Authorization: Bearer {token}\r\n"));
    let (status, head, body) = connection.ask(&request);
    let code = serde_json::from_str::<Value>(&body).unwrap()["code"].as_str().unwrap_or_default().to_owned();
    assert_eq!(head.contains("retry-after: "), status == 503, "{head}");
    (status, code)
}

/// Corti, the clinic's identity provider and a gateway that has its keys.
fn start() -> (Recorder, Idp, Gateway) {
    let (corti, idp) = (Recorder::start(), Idp::start());
    let gateway = Gateway::start_in(corti.world(), &config_of(&idp.url, RULES));
    assert_eq!(answer(&mut gateway.connect(), &idp.token("anna", "clinician")), (200, String::new()));
    assert_eq!((idp.fetches(), corti.take().len()), (1, 1));
    (corti, idp, gateway)
}

/// A good token, whose header and claims `change` has changed.
fn changed(idp: &Idp, change: impl FnOnce(&mut Value, &mut Value)) -> String {
    let (mut header, mut claims) = (idp.header(), idp.claims("anna", "clinician"));
    change(&mut header, &mut claims);
    idp.sign(&header, &claims.to_string())
}

#[test]
fn unknown_keys_cause_one_fetch_in_30_seconds() {
    let (corti, mut idp, gateway) = start();
    let mut connection = gateway.connect();
    let started = std::time::Instant::now();
    // A new key heals at once.
    idp.rotate("2");
    assert_eq!(answer(&mut connection, &idp.token("berta", "clinician")).0, 200);
    assert_eq!((idp.fetches(), corti.take().len()), (2, 1));
    let claims = idp.claims("mallory", "clinician");
    for number in 0..10_000 {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": format!("{number:x}-{}", number * 7919) });
        let refused = answer(&mut connection, &forged(&header, &claims));
        assert_eq!(refused, (401, "credential_invalid".to_owned()), "{number}");
    }
    // At most one in 30 s, after the one that brought the second key.
    let most = 2 + started.elapsed().as_secs() / 30;
    assert!(idp.fetches() as u64 <= most, "{} fetches in {:?}", idp.fetches(), started.elapsed());
    assert_eq!(corti.take(), Vec::<String>::new());
    // Known users are not kept out.
    assert_eq!(answer(&mut connection, &idp.token("carla", "clinician")).0, 200);
}

#[test]
fn only_the_issuers_own_signature_counts() {
    let (corti, idp, gateway) = start();
    let mut connection = gateway.connect();
    let claims = idp.claims("anna", "clinician");
    let text = |header: &Value| {
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        format!("{}.{}", encode(header), encode(&claims))
    };
    let mut tokens: Vec<(String, String)> = Vec::new();
    for alg in ["none", "None", "NONE", "nOnE", "", "RS256 ", "rs256", "HS256", "ES256", "PS256", "RS512"] {
        for signature in ["", "c2ln"] {
            let header = json!({ "alg": alg, "typ": "JWT", "kid": idp.kid });
            tokens.push((format!("alg {alg:?}"), format!("{}.{signature}", text(&header))));
        }
    }
    let public = idp.key.to_public_key();
    let pem = public.to_public_key_pem(LineEnding::LF).unwrap();
    for secret in [
        pem.clone().into_bytes(),
        pem.trim_end().as_bytes().to_vec(),
        public.to_public_key_der().unwrap().to_vec(),
        public.to_pkcs1_der().unwrap().to_vec(),
        public.to_pkcs1_pem(LineEnding::LF).unwrap().into_bytes(),
        Vec::new(),
    ] {
        for (alg, algorithm) in
            [("HS256", Algorithm::HS256), ("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)]
        {
            let text = text(&json!({ "alg": alg, "typ": "JWT", "kid": idp.kid }));
            let key = EncodingKey::from_secret(&secret);
            let signature = jsonwebtoken::crypto::sign(text.as_bytes(), &key, algorithm).unwrap();
            tokens.push((format!("{alg} by the public key"), format!("{text}.{signature}")));
        }
    }
    // Another key, which the token itself brings or names.
    let evil = Idp::start();
    let (n, e) = (rsa::traits::PublicKeyParts::n(&evil.key), rsa::traits::PublicKeyParts::e(&evil.key));
    let number = |number: &rsa::BigUint| URL_SAFE_NO_PAD.encode(number.to_bytes_be());
    let jwk = json!({ "kty": "RSA", "kid": idp.kid, "n": number(n), "e": number(e), "alg": "RS256" });
    for (name, value) in [
        ("jwk", jwk),
        ("jku", json!(format!("{}/keys", evil.url))),
        ("x5u", json!(format!("{}/keys", evil.url))),
        ("x5c", json!(["AA=="])),
        ("x", json!(1)),
    ] {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": idp.kid, name: value });
        tokens.push((name.to_owned(), evil.sign(&header, &claims.to_string())));
    }
    for extension in [json!({ "crit": ["exp"] }), json!({ "crit": [] }), json!({ "b64": false })] {
        let token = changed(&idp, |header, _| {
            header.as_object_mut().unwrap().extend(extension.as_object().unwrap().clone());
        });
        tokens.push((extension.to_string(), token));
    }
    let good = idp.token("anna", "clinician");
    let parts: Vec<&str> = good.split('.').collect();
    let admin = URL_SAFE_NO_PAD.encode(idp.claims("root", "clinician").to_string());
    tokens.extend([
        ("other claims".to_owned(), format!("{}.{admin}.{}", parts[0], parts[2])),
        ("no signature".to_owned(), format!("{}.{}.", parts[0], parts[1])),
        ("two parts".to_owned(), format!("{}.{}", parts[0], parts[1])),
        ("four parts".to_owned(), format!("{good}.{}", parts[2])),
        ("a longer signature".to_owned(), format!("{good}AA")),
        ("padding".to_owned(), format!("{good}=")),
        ("20 KiB".to_owned(), changed(&idp, |_, claims| claims["x"] = json!("x".repeat(20_000)))),
    ]);
    for (name, token) in tokens {
        let refused = answer(&mut connection, &token);
        assert_eq!(refused, (401, "credential_invalid".to_owned()), "{name}: {token}");
    }
    assert_eq!((evil.fetches(), corti.take()), (0, Vec::new()), "a token's own URL was used");
    assert_eq!(answer(&mut connection, &good).0, 200);
}

#[test]
fn a_token_for_another_purpose_is_refused() {
    let (corti, idp, gateway) = start();
    let mut connection = gateway.connect();
    let at = |seconds: i64| json!(now().as_second() + seconds);
    let cases: [(&str, &str, Value); 26] = [
        ("another issuer", "iss", json!("https://idp.example")),
        ("an issuer that begins like ours", "iss", json!(format!("{}.evil.example", idp.url))),
        ("our issuer with a slash", "iss", json!(format!("{}/", idp.url))),
        ("a list of issuers", "iss", json!([idp.url])),
        ("no issuer", "iss", Value::Null),
        ("another audience", "aud", json!("other")),
        ("other audiences", "aud", json!(["other", "accounts", "ACCOUNT"])),
        ("no audience", "aud", Value::Null),
        ("an empty list", "aud", json!([])),
        ("an audience in a list of lists", "aud", json!([["account"]])),
        ("an expiry in the past", "exp", at(-31)),
        ("an expiry of 1970", "exp", json!(0)),
        ("a negative expiry", "exp", json!(-1)),
        ("no expiry", "exp", Value::Null),
        ("an expiry as text", "exp", json!(at(60).to_string())),
        ("an expiry beyond the calendar", "exp", json!(1e300)),
        ("not valid yet", "nbf", at(60)),
        ("not valid before a text", "nbf", json!("0")),
        ("not valid before 1e300", "nbf", json!(1e300)),
        ("no subject", "sub", Value::Null),
        ("an empty subject", "sub", json!("")),
        ("a number as subject", "sub", json!(1)),
        ("a list of subjects", "sub", json!(["anna"])),
        ("an empty issuer", "iss", json!("")),
        ("an object as audience", "aud", json!({ "account": true })),
        ("an empty audience", "aud", json!("")),
    ];
    for (name, claim, value) in cases {
        let token = changed(&idp, |_, claims| claims[claim] = value);
        assert_eq!(answer(&mut connection, &token), (401, "credential_invalid".to_owned()), "{name}");
    }
    // Groups of another form are no groups.
    for value in [json!(true), json!({ "roles": { "clinician": true } }), json!([["clinician"]]), Value::Null]
    {
        let token = changed(&idp, |_, claims| claims["realm_access"] = value.clone());
        assert_eq!(answer(&mut connection, &token), (403, "operation_denied".to_owned()), "{value}");
    }
    assert_eq!((idp.fetches(), corti.take()), (1, Vec::new()));
}

/// An issuer signs other things than users' tokens with the same key, some of them for the same audience (RFC 8725, section
/// 3.11).
#[test]
fn what_is_no_users_token_is_refused() {
    let (corti, idp, gateway) = start();
    let mut connection = gateway.connect();
    for kind in ["logout+jwt", "secevent+jwt", "dpop+jwt", "JOSE", "", "jwt+x"] {
        let token = changed(&idp, |header, _| header["typ"] = json!(kind));
        assert_eq!(answer(&mut connection, &token), (401, "credential_invalid".to_owned()), "{kind}");
    }
    for kind in [json!(1), json!(["JWT"]), json!({ "JWT": 1 })] {
        let token = changed(&idp, |header, _| header["typ"] = kind.clone());
        assert_eq!(answer(&mut connection, &token), (401, "credential_invalid".to_owned()), "{kind}");
    }
    // An ID token is for its application, unless the gateway is configured as that.
    for (audience, status) in [("app", 401), ("account", 200)] {
        let token =
            changed(&idp, |_, claims| (claims["typ"], claims["aud"]) = (json!("ID"), json!(audience)));
        assert_eq!(answer(&mut connection, &token).0, status, "{audience}");
    }
    assert_eq!(corti.take().len(), 1);
    for kind in ["at+jwt", "JWT", "jwt"] {
        let token = changed(&idp, |header, _| header["typ"] = json!(kind));
        assert_eq!(answer(&mut connection, &token).0, 200, "{kind}");
    }
}

/// Two readers may take different ones of two claims (RFC 8725, section 2.4).
#[test]
fn a_claim_that_is_there_twice_is_refused() {
    let (corti, idp, gateway) = start();
    let mut connection = gateway.connect();
    let good = idp.claims("anna", "clinician").to_string();
    let good = good.strip_suffix('}').unwrap();
    for second in [
        r#""sub":"berta""#.to_owned(),
        format!(r#""iss":"{}""#, idp.url),
        r#""aud":"account""#.to_owned(),
        r#""exp":9999999999"#.to_owned(),
        r#""\u0073ub":"berta""#.to_owned(),
    ] {
        let token = idp.sign(&idp.header(), &format!("{good},{second}}}"));
        assert_eq!(answer(&mut connection, &token), (401, "credential_invalid".to_owned()), "{second}");
    }
    assert_eq!(corti.take(), Vec::<String>::new());
}

/// Keycloak's word for what a token is for. None of these stands for a user who calls.
#[test]
fn a_token_of_keycloaks_that_is_for_itself_is_refused() {
    let (_corti, idp, gateway) = start();
    let mut connection = gateway.connect();
    for kind in ["Refresh", "Offline", "Logout"] {
        let token = changed(&idp, |_, claims| claims["typ"] = json!(kind));
        assert_eq!(answer(&mut connection, &token), (401, "credential_invalid".to_owned()), "{kind}");
    }
}

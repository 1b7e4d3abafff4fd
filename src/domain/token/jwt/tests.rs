//! Tests of reading a JWT.

use super::*;

fn token(header: &str, payload: &str) -> String {
    format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
}

/// The example of RFC 7519, section 3.1.
const RFC_7519: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
    eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
    dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

#[test]
fn the_rfcs_example_is_read() {
    let jwt = Jwt::decode(&format!("  {RFC_7519}\n")).unwrap();
    assert_eq!((jwt.header.alg.as_str(), jwt.claims.iss.as_deref()), ("HS256", Some("joe")));
    assert_eq!(jwt.claims.expires_at().unwrap().as_second(), 1_300_819_380);
}

#[test]
fn what_is_no_token_is_named() {
    let good = r#"{"alg":"RS256"}"#;
    let table = [
        (String::new(), JwtError::Empty),
        ("abc".into(), JwtError::NotAToken),
        ("eyJ".into(), JwtError::TooFewParts(1)),
        ("a.b".into(), JwtError::TooFewParts(2)),
        ("a.b.c.d.e".into(), JwtError::Encrypted),
        ("%.e30.".into(), JwtError::Encoding("header")),
        ("e30.e30.%".into(), JwtError::Encoding("signature")),
        (token("[]", "{}"), JwtError::Json("header")),
        (token(good, "[1]"), JwtError::Json("payload")),
        (token("{}", "{}"), JwtError::Header(ClaimError::missing("alg"))),
        (token(good, r#"["a","b","c","d","e","f","g",1,2,3]"#), JwtError::Json("payload")),
        ("x".repeat(MAX_TOKEN_BYTES + 1), JwtError::TooLong),
    ];
    for (text, error) in table {
        assert_eq!(Jwt::decode(&text).unwrap_err(), error);
    }
}

#[test]
fn deep_nesting_in_a_claim_nobody_reads_is_skipped_without_recursion() {
    let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(50_000), "]".repeat(50_000));
    assert!(Jwt::decode(&token(r#"{"alg":"RS256"}"#, &deep)).is_ok());
}

#[test]
fn dates_need_not_be_whole_but_must_be_dates() {
    let expiry = |number: &str| {
        Jwt::decode(&token(r#"{"alg":"none"}"#, &format!(r#"{{"exp":{number}}}"#)))
            .map(|jwt| jwt.claims.expires_at())
    };
    assert_eq!(expiry("10.9").unwrap().unwrap().as_second(), 10);
    for bad in ["1e300", "-1e300", "99999999999999", "18446744073709551615"] {
        assert_eq!(expiry(bad), Err(JwtError::Claim(ClaimError::date("exp"))), "{bad}");
    }
}

#[test]
fn a_claim_that_cannot_be_used_is_named_and_the_others_are_read() {
    let table = [
        (r#""exp":"9""#, "`exp` is a string, not a number of seconds"),
        (r#""iat":true"#, "`iat` is true or false, not a number of seconds"),
        (r#""nbf":1e400"#, "`nbf` is not a number of seconds"),
        (r#""iss":"a","iss":"b""#, "`iss` is in the token more than once"),
        (r#""scope":["openid"]"#, "`scope` is a list, not a string"),
        (r#""aud":{}"#, "`aud` is an object, not a string or a list of strings"),
        (r#""aud":["a",7]"#, "`aud` is not a string or a list of strings"),
        (r#""realm_access":{"roles":"a"}"#, "`realm_access` is not an object with a list of roles"),
        (
            r#""resource_access":7"#,
            "`resource_access` is a number, not an object with the roles of each client",
        ),
    ];
    for (claim, message) in table {
        let text = token(r#"{"alg":"RS256"}"#, &format!(r#"{{"sub":"s",{claim},"azp":null}}"#));
        assert_eq!(Jwt::decode(&text).unwrap_err().to_string(), message);
        let jwt = Jwt::decode_after(&text, &mut LastHeader::default()).unwrap();
        assert_eq!((jwt.claims.sub.as_deref(), jwt.errors.len()), (Some("s"), 1), "{claim}");
    }
    let header = |json| Jwt::decode(&token(json, "{}")).unwrap_err().to_string();
    assert_eq!(header(r#"{"alg":7}"#), "in the header, `alg` is a number, not a string");
    assert_eq!(header(r#"{"alg":"a","kid":[]}"#), "in the header, `kid` is a list, not a string");
}

#[test]
fn scopes_are_read_from_what_is_left_of_a_token() {
    let whole = token(r#"{"alg":"RS256"}"#, r#"{"scope":"openid streams","sub":"a long subject"}"#);
    let (cut, _) = whole.rsplit_once('.').unwrap();
    for (length, scopes) in
        [(cut.len(), Some("openid streams")), (cut.len() - 14, Some("openid streams")), (40, None)]
    {
        let found = scopes_of_fragment(cut.get(..length).unwrap()).map(|scopes| scopes.to_string());
        assert_eq!(found.as_deref(), scopes, "{length}");
    }
}

#[test]
fn tokens_are_recognised_wherever_they_stand() {
    for text in [
        RFC_7519.to_owned(),
        format!("-s{RFC_7519}"),
        format!("Bearer {RFC_7519}"),
        format!("\"x eyJ {RFC_7519}\""),
    ] {
        assert!(contains_token(&text), "{text}");
    }
    for text in ["token.txt", "eyJ", "eyJhbGciOi", "eyJ.x", "a.eyJhbGciOiJIUzI1NiJ9"] {
        assert!(!contains_token(text), "{text}");
    }
}

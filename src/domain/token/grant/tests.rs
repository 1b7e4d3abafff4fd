//! Tests of `grant`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

fn response(status: u16, body: &str) -> Response {
    Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
}

fn ask(scopes: &str) -> ScopeRequest {
    ScopeRequest::scopes(ScopeSet::from_wire(scopes)).unwrap()
}

fn parsed(status: u16, body: &str) -> Result<Token, GrantError> {
    parse(&response(status, body), &ask("transcribe"), Timestamp::UNIX_EPOCH)
}

#[test]
fn awkward_secrets_are_encoded() {
    let client = Client {
        environment: "eu".parse().unwrap(),
        tenant: "base".parse().unwrap(),
        id: "acme".parse().unwrap(),
    };
    let secret = ClientSecret::parse("a b&c=d%e+f\u{fc}").unwrap();
    let Body::Form(form) = request(&client, &secret, &ask("transcribe")).body else { panic!("not a form") };
    assert_eq!(
        form.expose(),
        "grant_type=client_credentials&client_id=acme&client_secret=a+b%26c%3Dd%25e%2Bf%C3%BC\
         &scope=openid+transcribe"
    );
}

#[test]
fn a_token_is_read() {
    let body = r#"{"access_token":"abc","expires_in":300,"token_type":"Bearer","not-before-policy":0,
                   "scope":"email openid transcribe"}"#;
    let token = parsed(200, body).unwrap();
    assert_eq!((token.expires_in, token.expires_at.as_second()), (300, 300));
    assert_eq!(token.access_token.secret().expose(), "abc");
}

#[test]
fn a_token_that_may_do_something_else_is_refused() {
    let body =
        |scope| format!(r#"{{"access_token":"a","expires_in":1,"token_type":"bearer","scope":"{scope}"}}"#);
    assert!(matches!(parsed(200, &body("openid")), Err(GrantError::Mismatch(Mismatch::Narrower(_)))));
    let broader = parsed(200, &body("openid transcribe streams"));
    assert!(matches!(broader, Err(GrantError::Mismatch(Mismatch::Broader(_)))));
    let unstated = parsed(200, r#"{"access_token":"a","expires_in":1,"token_type":"bearer"}"#);
    assert_eq!(unstated.unwrap_err(), GrantError::Mismatch(Mismatch::Unstated));
}

#[test]
fn the_tokens_own_scope_counts_whatever_its_other_claims_are() {
    let with = |payload: &str| {
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload));
        let scope = r#""expires_in":1,"token_type":"bearer","scope":"openid transcribe""#;
        parsed(200, &format!(r#"{{"access_token":"{token}",{scope}}}"#))
    };
    assert!(with(r#"{"scope":"openid transcribe","azp":["x"]}"#).is_ok());
    let full = with(r#"{"scope":"openid email profile","azp":["x"]}"#);
    assert!(matches!(full, Err(GrantError::Mismatch(Mismatch::Narrower(_)))));
    for unreadable in
        [r#"{"scope":["openid","transcribe"]}"#, r#"{"scope":"a","scope":"openid transcribe"}"#, "[]"]
    {
        assert!(matches!(with(unreadable), Err(GrantError::NotTheProtocol { .. })), "{unreadable}");
    }
}

#[test]
fn a_lifetime_is_the_servers_or_the_tokens_own() {
    let token = |payload: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload));
    let life = |token: &str, expires_in: &str| {
        let rest = r#""token_type":"bearer","scope":"openid transcribe""#;
        let body = format!(r#"{{"access_token":"{token}",{expires_in}{rest}}}"#);
        let now = Timestamp::from_second(1000).unwrap();
        let token = parse(&response(200, &body), &ask("transcribe"), now);
        token.map(|token| (token.expires_in, token.expires_at.as_second() - 1000)).ok()
    };
    let dated = token(r#"{"exp":2300,"iat":2000}"#);
    assert_eq!(life(&dated, r#""expires_in":60,"#), Some((60, 60)), "the server's word counts");
    assert_eq!(life(&dated, r#""expires_in":60.9,"#), Some((60, 60)));
    // This machine's clock need not agree with the server's.
    assert_eq!(life(&dated, ""), Some((300, 300)));
    assert_eq!(life(&dated, r#""expires_in":null,"#), Some((300, 300)));
    assert_eq!(life(&token(r#"{"exp":1300.7,"azp":["x"]}"#), ""), Some((300, 300)));
    for absurd in
        ["-1", "0", "0.9", "1e300", "9223372036854775807", "18446744073709551615", "315576001", "\"60\""]
    {
        assert_eq!(life(&dated, &format!(r#""expires_in":{absurd},"#)), None, "{absurd}");
    }
    for silent in
        ["abc", &token("{}"), &token(r#"{"exp":1000}"#), &token(r#"{"exp":"soon"}"#), &token(r#"{"iat":1}"#)]
    {
        assert_eq!(life(silent, ""), None, "{silent}");
    }
}

#[test]
fn answers_of_another_protocol_are_named() {
    let table = [
        (200, "", "an empty body"),
        (200, "<html>", "an HTML page"),
        (200, r#"{"access_token":"a"#, "a broken or cut-off JSON text"),
        (200, r#"{"ok":true}"#, "a JSON object without `access_token`"),
        (
            200,
            r#"{"access_token":1,"expires_in":1,"token_type":"Bearer"}"#,
            "a JSON object whose fields have the wrong types",
        ),
        (200, r#"{"access_token":"a","expires_in":-1,"token_type":"Bearer"}"#, "an unusable `expires_in`"),
        (
            200,
            r#"{"access_token":"a","expires_in":1,"token_type":"MAC"}"#,
            "a token of another type than Bearer",
        ),
        (404, "<html>", "an HTML page"),
    ];
    for (status, body, what) in table {
        assert_eq!(parsed(status, body).unwrap_err(), GrantError::NotTheProtocol { status, what }, "{body}");
    }
    assert_eq!(parsed(302, "").unwrap_err(), GrantError::Redirect(302));
}

#[test]
fn refusals_are_told_apart() {
    let body = |error: &str, text: &str| format!(r#"{{"error":"{error}","error_description":"{text}"}}"#);
    let credentials = "Invalid client or Invalid client credentials";
    let text = || credentials.to_owned();
    assert_eq!(
        parsed(401, &body("invalid_client", credentials)).unwrap_err(),
        GrantError::UnknownClient(text())
    );
    assert_eq!(
        parsed(401, &body("unauthorized_client", credentials)).unwrap_err(),
        GrantError::WrongSecret(text())
    );
    let account = "Client not enabled to retrieve service account";
    assert_eq!(
        parsed(401, &body("unauthorized_client", account)).unwrap_err(),
        GrantError::NotAllowed { status: 401, description: account.to_owned() }
    );
    assert!(matches!(parsed(400, &body("invalid_scope", "x")), Err(GrantError::ScopeRefused(_))));
    assert!(matches!(parsed(404, r#"{"error":"Realm does not exist"}"#), Err(GrantError::UnknownTenant(_))));
    assert!(matches!(parsed(503, "<html>"), Err(GrantError::Unavailable { status: 503, .. })));
    assert!(matches!(parsed(400, &body("invalid_request", "x")), Err(GrantError::Refused { .. })));
}

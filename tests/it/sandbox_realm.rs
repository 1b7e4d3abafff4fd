//! The sandbox's realm over HTTP: tokens and their claims, its documents, refusals, and the addresses that it listens
//! on.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::errors::{ErrorKind, Result as Verdict};
use jsonwebtoken::{Algorithm, DecodingKey, TokenData, Validation, get_current_timestamp};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use url::form_urlencoded::{Serializer, byte_serialize};
use uuid::Uuid;

use crate::common::{Sandbox, World};

const CERTS: &str = "/protocol/openid-connect/certs";
const DISCOVERY: &str = "/.well-known/openid-configuration";
const FORM: [(&str, &str); 1] = [("Content-Type", "application/x-www-form-urlencoded")];
const NO_REALM: &str = "Realm does not exist";
const UNKNOWN: &str = "Invalid client or Invalid client credentials";

struct Answer {
    status: u16,
    cache: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Checks the status and the `error` of a refusal.
    fn assert_refuses(&self, status: u16, error: &str) {
        assert_eq!((self.status, &self.json()["error"]), (status, &json!(error)), "{}", self.body);
    }
}

async fn send(method: &str, url: &str, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> Answer {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.request(method.parse().unwrap(), url).body(body);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let response = request.send().await.unwrap();
    let cache =
        response.headers().get("cache-control").map_or("", |value| value.to_str().unwrap()).to_owned();
    Answer { status: response.status().as_u16(), cache, body: response.text().await.unwrap() }
}

async fn get(sandbox: &Sandbox, path: &str) -> Value {
    send("GET", &format!("{}{path}", issuer(sandbox)), &[], "").await.json()
}

fn issuer(sandbox: &Sandbox) -> String {
    format!("{}/realms/{}", sandbox.environment, sandbox.tenant)
}

/// A complete request with one field replaced by `value`, or left out.
fn form(sandbox: &Sandbox, field: &str, value: Option<&str>) -> String {
    let (id, secret) = (sandbox.client_id.as_str(), sandbox.client_secret.as_str());
    let grant = ("grant_type", "client_credentials");
    let good = [grant, ("client_id", id), ("client_secret", secret), ("scope", "openid")];
    let kept = good.into_iter().filter(|(name, _)| *name != field);
    Serializer::new(String::new()).extend_pairs(kept.chain(value.map(|value| (field, value)))).finish()
}

async fn request_token(sandbox: &Sandbox, body: String) -> Answer {
    send("POST", &sandbox.token_url(), &FORM, body).await
}

async fn request_token_by_header(sandbox: &Sandbox, id: &str, secret: &str) -> Answer {
    let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let headers = [FORM[0], ("Authorization", basic.as_str())];
    send("POST", &sandbox.token_url(), &headers, "grant_type=client_credentials&scope=openid").await
}

async fn mint(sandbox: &Sandbox, scope: &str) -> Value {
    let answer = request_token(sandbox, form(sandbox, "scope", Some(scope))).await;
    assert_eq!((answer.status, answer.cache.as_str()), (200, "no-store"), "{scope}: {}", answer.body);
    answer.json()
}

/// Checks a token's signature with the published key, its expiry, issuer and audience.
async fn verify(sandbox: &Sandbox, token: &Value, audience: &str) -> Verdict<TokenData<Value>> {
    let (token, keys) = (token.as_str().unwrap(), get(sandbox, CERTS).await);
    let header = jsonwebtoken::decode_header(token)?;
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == json!(header.kid)).unwrap();
    let key = DecodingKey::from_jwk(&serde_json::from_value(key.clone()).unwrap())?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[issuer(sandbox)]);
    validation.set_audience(&[audience]);
    jsonwebtoken::decode(token, &key, &validation)
}

fn percent_encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn a_token_has_the_requested_scopes_for_five_minutes() {
    let sandbox = Sandbox::start();
    let limited = ["openid transcribe", "openid streams", "openid transcribe streams", "transcribe"];
    for asked in limited.into_iter().chain(["openid"]) {
        let mut token = mint(&sandbox, asked).await;
        let claims = verify(&sandbox, &token["access_token"], "account").await.unwrap().claims;
        assert_eq!(claims["scope"], token["scope"], "{asked}");
        // Corti documents neither the order nor the scopes that Keycloak adds.
        let mut granted: BTreeSet<&str> = token["scope"].as_str().unwrap().split(' ').collect();
        granted.retain(|word| !["email", "profile"].contains(word));
        assert_eq!(granted, asked.split(' ').collect());
        assert_eq!(token["id_token"].is_string(), granted.contains("openid"), "{asked}");
        let own = ["access_token", "id_token", "scope"];
        token.as_object_mut().unwrap().retain(|name, _| !own.contains(&name.as_str()));
        let rest = json!({ "token_type": "Bearer", "expires_in": 300, "refresh_expires_in": 0,
            "not-before-policy": 0 });
        assert_eq!(token, rest, "{asked}");
    }
}

#[tokio::test]
async fn an_access_token_has_a_service_accounts_claims() {
    let (sandbox, before) = (Sandbox::start(), get_current_timestamp());
    let token = mint(&sandbox, "openid").await;
    let TokenData { header, claims, .. } = verify(&sandbox, &token["access_token"], "account").await.unwrap();
    assert_eq!((header.alg, header.typ.as_deref()), (Algorithm::RS256, Some("JWT")));
    assert!(header.kid.is_some_and(|kid| !kid.is_empty()));
    let (id, user) = (&sandbox.client_id, format!("service-account-{}", sandbox.client_id));
    let fixed = json!({ "iss": issuer(&sandbox), "aud": "account", "typ": "Bearer", "azp": id,
        "client_id": id, "acr": "1", "email_verified": false, "preferred_username": user });
    for (name, value) in fixed.as_object().unwrap() {
        assert_eq!(&claims[name], value, "{name}");
    }
    assert!(claims["allowed-origins"].is_null(), "the client lists no origin: {claims}");
    for path in ["/realm_access/roles", "/resource_access/account/roles"] {
        let list = claims.pointer(path).and_then(Value::as_array).unwrap();
        assert!(!list.is_empty() && list.iter().all(Value::is_string), "{path}: {claims}");
    }
    let text = |name: &str| claims[name].as_str().expect(name);
    assert!(!text("scope").is_empty() && !text("clientHost").is_empty() && !text("clientAddress").is_empty());
    assert!(text("sub").parse::<Uuid>().is_ok() && claims["sid"].is_null(), "{claims}");
    let (kind, unique) = text("jti").split_once(':').unwrap();
    assert!(kind.ends_with("tcc") && unique.parse::<Uuid>().is_ok(), "{claims}");
    let (issued, expires) = (claims["iat"].as_u64().unwrap(), claims["exp"].as_u64().unwrap());
    assert!((before..=get_current_timestamp()).contains(&issued) && expires == issued + 300, "{claims}");
    let again = mint(&sandbox, "openid").await;
    let other = verify(&sandbox, &again["access_token"], "account").await.unwrap().claims;
    assert!(claims["sub"] == other["sub"] && claims["jti"] != other["jti"], "{claims} {other}");
    let id = verify(&sandbox, &token["id_token"], id).await.unwrap().claims;
    assert_eq!((&id["typ"], &id["sub"]), (&json!("ID"), &claims["sub"]));
}

#[tokio::test]
async fn the_realms_documents_name_the_signing_key() {
    let sandbox = Sandbox::start();
    let document = get(&sandbox, DISCOVERY).await;
    assert_eq!(document["issuer"], issuer(&sandbox));
    assert_eq!(document["token_endpoint"], sandbox.token_url());
    let ways = json!(["client_secret_basic", "client_secret_post"]);
    assert_eq!(document["token_endpoint_auth_methods_supported"], ways);
    for scope in ["openid", "transcribe", "streams"] {
        assert!(document["scopes_supported"].as_array().unwrap().contains(&json!(scope)), "{document}");
    }
    let keys = send("GET", document["jwks_uri"].as_str().unwrap(), &[], "").await.json();
    let key = &keys["keys"][0];
    assert_eq!((&key["kty"], &key["alg"], &key["use"]), (&json!("RSA"), &json!("RS256"), &json!("sig")));
    let members: Vec<&String> = key.as_object().unwrap().keys().collect();
    assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"], "nothing private");
    let token = mint(&sandbox, "openid transcribe").await["access_token"].clone();
    verify(&sandbox, &token, "account").await.unwrap();
    let parts: Vec<&str> = token.as_str().unwrap().split('.').collect();
    let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    let full = URL_SAFE_NO_PAD.encode(claims.replace("transcribe", ""));
    let altered = json!(format!("{}.{full}.{}", parts[0], parts[2]));
    let error = verify(&sandbox, &altered, "account").await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidSignature);
}

#[tokio::test]
async fn refusals_are_like_keycloaks() {
    let sandbox = Sandbox::start();
    let table = [
        ("client_id", Some("nobody"), 401, "invalid_client", UNKNOWN),
        ("client_id", None, 401, "invalid_client", UNKNOWN),
        ("client_secret", Some("wrong"), 401, "unauthorized_client", UNKNOWN),
        ("client_secret", Some(""), 401, "unauthorized_client", UNKNOWN),
        ("client_secret", None, 401, "unauthorized_client", UNKNOWN),
        ("scope", Some("openid stream"), 400, "invalid_scope", "Invalid scopes: openid stream"),
        ("scope", Some("openid Streams"), 400, "invalid_scope", "Invalid scopes: openid Streams"),
        ("scope", Some("openid x transcribe"), 400, "invalid_scope", "Invalid scopes: openid x transcribe"),
        ("grant_type", None, 400, "invalid_request", "Missing form parameter: grant_type"),
        ("grant_type", Some("implicit"), 400, "unsupported_grant_type", "Unsupported grant_type"),
        ("grant_type", Some("authorization_code"), 400, "unsupported_grant_type", "Unsupported grant_type"),
    ];
    for (field, value, status, error, description) in table {
        let answer = request_token(&sandbox, form(&sandbox, field, value)).await;
        let expected = json!({ "error": error, "error_description": description });
        assert_eq!((answer.status, answer.json()), (status, expected), "{field} {value:?}");
        assert_eq!(answer.cache, "no-store", "{field} {value:?}");
    }
    let (url, good) = (sandbox.token_url(), form(&sandbox, "scope", Some("openid")));
    let (kind, object) = (("Content-Type", "application/json"), r#"{"grant_type":"client_credentials"}"#);
    send("POST", &url, &[kind], object).await.assert_refuses(400, "invalid_request");
    send("POST", &url, &[], good.clone()).await.assert_refuses(400, "invalid_request");
    request_token(&sandbox, format!("{good}&scope=openid+streams"))
        .await
        .assert_refuses(400, "invalid_request");
    assert_eq!(request_token(&sandbox, format!("{good}&x={}", "x".repeat(1024 * 1024))).await.status, 413);
    assert_eq!(send("GET", &url, &[], "").await.status, 405);
    assert_eq!(send("POST", &format!("{}/oauth2/token", sandbox.environment), &FORM, "").await.status, 404);
    for realm in ["other", "Base", "base%2F", "%ff"] {
        let at = |path: &str| format!("{}/realms/{realm}{path}", sandbox.environment);
        let url = at("/protocol/openid-connect/token");
        send("POST", &url, &FORM, good.clone()).await.assert_refuses(404, NO_REALM);
        send("GET", &at(CERTS), &[], "").await.assert_refuses(404, NO_REALM);
        send("GET", &at(DISCOVERY), &[], "").await.assert_refuses(404, NO_REALM);
    }
    assert_eq!(request_token(&sandbox, good).await.status, 200, "it still serves");
}

#[tokio::test]
async fn any_secret_works_in_the_form_and_in_the_header() {
    let long = "ä%&=+ 9#".repeat(4096 / 9 + 1);
    for secret in ["ein Geheimnis & = % + ü /?#'\"\\", &long] {
        let sandbox = Sandbox::with_secret(secret);
        let id = sandbox.client_id.as_str();
        assert_eq!(request_token(&sandbox, form(&sandbox, "client_secret", Some(secret))).await.status, 200);
        let encoded = percent_encoded(secret);
        let every_byte = secret.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
        for good in [&encoded, &every_byte] {
            assert_eq!(request_token_by_header(&sandbox, id, good).await.status, 200, "{good}");
        }
        let shorter = secret.chars().skip(1).collect();
        for bad in [&encoded, &shorter, &secret.to_uppercase(), &format!("{secret} ")] {
            let in_form = form(&sandbox, "client_secret", Some(bad));
            request_token(&sandbox, in_form).await.assert_refuses(401, "unauthorized_client");
            request_token_by_header(&sandbox, id, &percent_encoded(bad))
                .await
                .assert_refuses(401, "unauthorized_client");
        }
        request_token_by_header(&sandbox, id, secret).await.assert_refuses(400, "unauthorized_client");
        request_token_by_header(&sandbox, "nobody", &encoded).await.assert_refuses(401, "invalid_client");
        // Keycloak fails on a percent sign that starts no escape, whatever the client.
        let raw = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
        request_token(&sandbox, raw).await.assert_refuses(500, "unknown_error");
    }
}

#[tokio::test]
async fn each_sandbox_has_its_own_tenant_client_and_secret() {
    let one = Sandbox::start();
    let other = Sandbox::start_with(&["--tenant", "clinic-7", "--client-id", "acme:dev/ü"]);
    assert!(one.client_secret.len() >= 32 && one.client_secret != other.client_secret);
    let id = percent_encoded("acme:dev/ü");
    let answer = request_token_by_header(&other, &id, &percent_encoded(&other.client_secret)).await;
    let claims = verify(&other, &answer.json()["access_token"], "account").await.unwrap().claims;
    assert_eq!(claims["iss"], format!("{}/realms/clinic-7", other.environment));
    assert_eq!(claims["azp"], "acme:dev/ü");
    let theirs = form(&other, "client_secret", Some(&one.client_secret));
    request_token(&other, theirs).await.assert_refuses(401, "unauthorized_client");
}

#[tokio::test]
async fn only_loopback_addresses_are_served() {
    let world = World::new();
    for address in ["0.0.0.0", "::", "192.0.2.1"] {
        let said = contains("not a loopback address").and(contains("hint: "));
        world.run_words(&["sandbox", "--bind", address]).assert().code(2).stdout("").stderr(said);
    }
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        world.run("sandbox --bind ::1").assert().failure().stderr(contains("cannot listen on [::1]:0"));
        return;
    }
    let sandbox = Sandbox::start_with(&["--bind", "::1"]);
    assert!(issuer(&sandbox).starts_with("http://[::1]:"));
    let token = mint(&sandbox, "openid").await;
    let claims = verify(&sandbox, &token["access_token"], "account").await.unwrap().claims;
    assert_eq!((&claims["clientHost"], &claims["clientAddress"]), (&json!("::1"), &json!("::1")));
}

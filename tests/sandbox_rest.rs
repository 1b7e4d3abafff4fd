//! The sandbox's REST API, as a client sees it: who is let in and who is told what instead, interactions from creation
//! to deletion, the lists, and the limits of bodies and queries.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use common::{Sandbox, forged};

const ALL: &str = "/v2/interactions/";
const MIB: usize = 1024 * 1024;

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/json", "{}", self.body);
        serde_json::from_str(&self.body).unwrap()
    }

    /// The body of v2's errors, checked; gives the fields that `validationErrors` names.
    fn problem(&self, status: u16) -> Vec<String> {
        let mut body = self.json();
        let texts = ["type", "detail"].map(|name| body[name].as_str().map(str::len));
        assert!(texts.iter().all(|length| length.is_some_and(|length| length > 0)), "{body}");
        assert!(body["requestid"].as_str().unwrap().parse::<Uuid>().is_ok(), "{body}");
        assert_eq!((self.status, &body["status"]), (status, &json!(status)), "{body}");
        let errors = body.as_object_mut().unwrap().remove("validationErrors").unwrap_or(json!([]));
        assert_eq!(body.as_object().unwrap().len(), 4, "{body}");
        let single = |error: &Value| {
            let members: Vec<(&String, &Value)> = error.as_object().unwrap().iter().collect();
            assert!(members.len() == 1 && members[0].1.is_string(), "{error}");
            members[0].0.clone()
        };
        errors.as_array().unwrap().iter().map(single).collect()
    }
}

/// A sandbox, and a full token for it.
struct Api {
    sandbox: Sandbox,
    client: reqwest::Client,
    bearer: String,
}

impl Api {
    async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut api = Self { sandbox: Sandbox::start(), client, bearer: String::new() };
        api.bearer = format!("Bearer {}", api.mint("openid", "access_token").await);
        api
    }

    async fn mint(&self, scope: &str, field: &str) -> String {
        let body = Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.sandbox.client_id)
            .append_pair("client_secret", &self.sandbox.client_secret)
            .append_pair("scope", scope)
            .finish();
        let request = self.client.post(self.sandbox.token_url()).body(body);
        let answer = send(request.header("Content-Type", "application/x-www-form-urlencoded")).await;
        answer.json()[field].as_str().unwrap().to_owned()
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method.parse().unwrap(), format!("{}{path}", self.sandbox.environment))
    }

    /// A request as Corti wants it.
    async fn call(&self, method: &str, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.request(method, path).header("Authorization", &self.bearer);
        send(request.header("Tenant-Name", &self.sandbox.tenant).body(body)).await
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.call("GET", path, "").await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    /// Creates an interaction and gives its path.
    async fn create(&self, body: &Value) -> String {
        let answer = self.call("POST", ALL, body.to_string()).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        format!("{ALL}{}", answer.json()["interactionId"].as_str().unwrap())
    }
}

async fn send(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, body: response.text().await.unwrap() }
}

/// The smallest body, which Corti's SDK sends in its tests.
fn minimal(identifier: &str) -> Value {
    json!({ "encounter": { "identifier": identifier, "status": "planned", "type": "first_consultation" } })
}

/// Every route, with an interaction that exists.
fn routes(one: &str) -> [(&'static str, &str); 7] {
    let (languages, groups) = ("/v2/languages/", "/v2/factgroups/");
    let own = [("GET", one), ("PATCH", one), ("DELETE", one)];
    [("GET", ALL), ("POST", ALL), own[0], own[1], own[2], ("GET", languages), ("GET", groups)]
}

/// `token` with a member of its payload replaced, under its old signature.
fn altered(token: &str, name: &str, value: Value) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    claims[name] = value;
    format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims.to_string()), parts[2])
}

/// Sends a request with these headers to every route, and gives the answers.
async fn everywhere(api: &Api, one: &str, headers: &[(&str, &str)]) -> Vec<(String, Answer)> {
    let mut answers = Vec::new();
    for (method, path) in routes(one) {
        let mut request = api.request(method, path).body(minimal("intruder").to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answers.push((format!("{method} {path} {headers:?}"), send(request).await));
    }
    answers
}

#[tokio::test]
async fn without_a_valid_token_there_is_a_challenge_and_no_body() {
    let (api, other) = (Api::start().await, Api::start().await);
    let one = api.create(&minimal("a")).await;
    let full = api.bearer.strip_prefix("Bearer ").unwrap();
    let limited = api.mint("openid streams", "access_token").await;
    let issuer = format!("{}/realms/base", api.sandbox.environment);
    let claims = |exp: i64| json!({ "iss": issuer, "typ": "Bearer", "scope": "openid", "exp": exp });
    let (alg, none) = (json!({ "alg": "RS256", "typ": "JWT" }), json!({ "alg": "none" }));
    let tokens = [
        "garbage".to_owned(),
        "a.b.c".to_owned(),
        forged(&alg, &claims(1)),
        forged(&alg, &claims(4_000_000_000)),
        forged(&none, &claims(4_000_000_000)),
        altered(full, "exp", json!(1)),
        altered(full, "exp", json!(4_000_000_000_i64)),
        altered(&limited, "scope", json!("openid")),
        full.rsplit_once('.').unwrap().0.to_owned(),
        api.mint("openid", "id_token").await,
        other.mint("openid", "access_token").await,
    ];
    let mut credentials: Vec<String> = tokens.map(|token| format!("Bearer {token}")).into();
    credentials.extend([full.to_owned(), format!("Basic {full}")]);
    for credential in &credentials {
        let headers = [("Authorization", credential.as_str()), ("Tenant-Name", "base")];
        for (name, answer) in everywhere(&api, &one, &headers).await {
            assert_eq!((answer.status, answer.body.as_str()), (401, ""), "{name}");
            let challenge = answer.headers["www-authenticate"].to_str().unwrap();
            assert!(
                challenge.starts_with("Bearer ") && challenge.contains(r#"error="invalid_token""#),
                "{name}"
            );
            assert!(challenge.contains(r#"error_description=""#), "{name}: {challenge}");
        }
    }
    for (name, answer) in everywhere(&api, &one, &[("Tenant-Name", "base")]).await {
        assert_eq!((answer.status, answer.body.as_str()), (401, ""), "{name}");
        assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer "), "{name}");
    }
    assert_eq!(api.get(ALL).await["interactions"][0], api.get(&one).await, "nobody touched it");
}

#[tokio::test]
async fn the_wrong_tenant_and_every_limited_token_are_forbidden() {
    let api = Api::start().await;
    let one = api.create(&minimal("a")).await;
    let before = api.get(ALL).await;
    let mut requests: Vec<(String, Option<&str>)> =
        [None, Some("other"), Some("Base"), Some("")].map(|tenant| (api.bearer.clone(), tenant)).into();
    for scope in ["openid transcribe", "openid streams", "openid transcribe streams", "transcribe"] {
        let bearer = format!("Bearer {}", api.mint(scope, "access_token").await);
        requests.extend([(bearer.clone(), Some("base")), (bearer, None)]);
    }
    for (bearer, tenant) in &requests {
        let mut headers = vec![("Authorization", bearer.as_str())];
        headers.extend(tenant.map(|tenant| ("Tenant-Name", tenant)));
        for (name, answer) in everywhere(&api, &one, &headers).await {
            assert_eq!(answer.status, 403, "{name}");
            assert!(answer.problem(403).is_empty(), "{name}");
        }
    }
    assert_eq!(api.get(ALL).await, before, "nobody touched it");
}

#[tokio::test]
async fn an_interaction_lives_from_creation_to_deletion() {
    let api = Api::start().await;
    let made = api.call("POST", "/v2/interactions", minimal("a").to_string()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.json()["interactionId"].as_str().unwrap().to_owned();
    assert!(id.parse::<Uuid>().is_ok());
    let host = api.sandbox.environment.strip_prefix("http://").unwrap();
    let url = format!("ws://{host}/audio-bridge/v2/interactions/{id}/streams?tenant-name=base");
    assert_eq!(made.json(), json!({ "interactionId": id, "websocketUrl": url }), "no token in it");

    let one = format!("{ALL}{id}");
    let shown = api.get(&one).await;
    assert_eq!(api.get(ALL).await, json!({ "interactions": [shown] }));
    assert_eq!((&shown["id"], &shown["websocketUrl"]), (&json!(id), &json!(url)));
    assert_eq!(shown["encounter"], minimal("a")["encounter"]);
    assert!(shown["assignedUserId"].as_str().unwrap().parse::<Uuid>().is_ok(), "made up where left out");
    for name in ["createdAt", "updatedAt", "lastUpdated"] {
        assert!(shown[name].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{name}");
    }
    let period = json!({ "startedAt": "2026-01-01T10:00:00Z", "endedAt": "2026-01-01T10:15:00Z" });
    let change = json!({ "assignedUserId": Uuid::nil(), "encounter": { "status": "completed", "period": period,
        "title": "Knee" }, "patient": { "identifier": "p", "gender": "other", "birthDate": "1946-09-05" } });
    let changed = api.call("PATCH", &one, change.to_string()).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let shown = api.get(&one).await;
    assert_eq!(changed.json(), shown);
    assert_eq!(
        (&shown["patient"], &shown["assignedUserId"]),
        (&change["patient"], &change["assignedUserId"])
    );
    assert_eq!((&shown["encounter"]["identifier"], &shown["encounter"]["period"]), (&json!("a"), &period));
    assert_eq!((&shown["endedAt"], &shown["encounter"]["status"]), (&period["endedAt"], &json!("completed")));

    let gone = api.call("DELETE", &one, "").await;
    assert_eq!((gone.status, gone.body.as_str()), (204, ""));
    for method in ["GET", "PATCH", "DELETE"] {
        api.call(method, &one, "{}").await.problem(404);
        api.call(method, "/v2/interactions/not-a-uuid", "{}").await.problem(400);
    }
    assert_eq!(api.get(ALL).await, json!({ "interactions": [] }));
}

#[tokio::test]
async fn an_identifier_is_taken_once() {
    let api = Api::start().await;
    let first = api.create(&minimal("a")).await;
    let second = api.create(&minimal("b")).await;
    let before = (api.get(&first).await, api.get(&second).await);
    for (method, path) in [("POST", ALL), ("PATCH", second.as_str())] {
        let answer = api.call(method, path, minimal("a").to_string()).await;
        answer.problem(409);
        assert_eq!(answer.json()["type"], "A0017", "{method}");
    }
    assert_eq!((api.get(&first).await, api.get(&second).await), before);
}

#[tokio::test]
async fn what_is_not_valid_is_named_field_by_field() {
    let api = Api::start().await;
    let one = api.create(&minimal("a")).await;
    let before = api.get(ALL).await;
    let table = [
        (r#"{"encounter":"#, vec![]),
        ("", vec![]),
        ("[]", vec!["body"]),
        ("{}", vec!["encounter"]),
        (r#"{"encounter":"a"}"#, vec!["encounter"]),
        (r#"{"encounter":{}}"#, vec!["encounter.identifier", "encounter.status", "encounter.type"]),
        (
            r#"{"encounter":{"identifier":7,"status":"planned","type":"emergency"}}"#,
            vec!["encounter.identifier"],
        ),
        (
            r#"{"encounter":{"identifier":"","status":"planned","type":"emergency"}}"#,
            vec!["encounter.identifier"],
        ),
        (r#"{"encounter":{"identifier":"b","status":"begun","type":"emergency"}}"#, vec!["encounter.status"]),
        (r#"{"encounter":{"identifier":"b","status":"planned","type":"x"}}"#, vec!["encounter.type"]),
    ];
    for (body, fields) in table {
        assert_eq!(api.call("POST", ALL, body).await.problem(400), fields, "{body}");
    }
    let table = [
        (json!({ "assignedUserId": "me" }), "assignedUserId"),
        (json!({ "encounter": { "status": "begun" } }), "encounter.status"),
        (json!({ "encounter": { "period": { "endedAt": null } } }), "encounter.period.startedAt"),
        (json!({ "encounter": { "period": { "startedAt": "noon" } } }), "encounter.period.startedAt"),
        (json!({ "patient": { "name": "N" } }), "patient.identifier"),
        (json!({ "patient": { "identifier": "p", "gender": "x" } }), "patient.gender"),
        (json!({ "patient": { "identifier": "p", "birthDate": "5.9.1946" } }), "patient.birthDate"),
    ];
    for (body, field) in table {
        assert_eq!(api.call("PATCH", &one, body.to_string()).await.problem(400), [field], "{body}");
        let mut whole = minimal("b");
        whole["assignedUserId"] = body["assignedUserId"].clone();
        whole["patient"] = body["patient"].clone();
        let encounter = body["encounter"].as_object().cloned().unwrap_or_default();
        whole["encounter"].as_object_mut().unwrap().extend(encounter);
        assert_eq!(api.call("POST", ALL, whole.to_string()).await.problem(400), [field], "{whole}");
    }
    for query in ["pageSize=0", "pageSize=x", "index=0", "sort=x", "direction=up", "encounterStatus=begun"] {
        let name = query.split_once('=').unwrap().0;
        assert_eq!(api.call("GET", &format!("{ALL}?{query}"), "").await.problem(400), [name]);
    }
    api.call("GET", "/v2/nothing/", "").await.problem(404);
    assert_eq!(api.get(ALL).await, before, "nothing was made or changed");
}

#[tokio::test]
async fn a_list_comes_in_pages() {
    let api = Api::start().await;
    for number in 0..12 {
        let mut body = minimal(&format!("e{number}"));
        body["encounter"]["status"] = json!(["planned", "completed", "on-hold"][number % 3]);
        body["patient"] = json!({ "identifier": format!("p{}", number % 2) });
        api.create(&body).await;
    }
    let table = [
        ("", "e11 e10 e9 e8 e7 e6 e5 e4 e3 e2"),
        ("index=2", "e1 e0"),
        ("index=3", ""),
        ("direction=asc&pageSize=5", "e0 e1 e2 e3 e4"),
        ("direction=asc&pageSize=5&index=3", "e10 e11"),
        ("sort=updatedAt&direction=desc&pageSize=2", "e11 e10"),
        ("encounterStatus=planned", "e9 e6 e3 e0"),
        ("encounterStatus=planned&encounterStatus=completed&pageSize=3", "e10 e9 e7"),
        ("patient=p1&encounterStatus=on-hold", "e11 e5"),
        ("patient=nobody", ""),
    ];
    for (query, expected) in table {
        let page = api.get(&format!("{ALL}?{query}")).await;
        assert_eq!(page.as_object().unwrap().len(), 1, "no total: {page}");
        let list = page["interactions"].as_array().unwrap().iter();
        let found: Vec<&str> = list.map(|one| one["encounter"]["identifier"].as_str().unwrap()).collect();
        assert_eq!(found.join(" "), expected, "{query}");
    }
}

#[tokio::test]
async fn a_body_has_a_limit_of_a_mebibyte() {
    let api = Api::start().await;
    let padded = |identifier: &str, length: usize| format!("{:length$}", minimal(identifier).to_string());
    assert_eq!(api.call("POST", ALL, padded("a", MIB)).await.status, 201);
    api.call("POST", ALL, padded("b", MIB + 1)).await.problem(413);
    let one = format!("{ALL}{}", api.get(ALL).await["interactions"][0]["id"].as_str().unwrap());
    api.call("PATCH", &one, padded("b", MIB + 1)).await.problem(413);
    assert_eq!(api.get(ALL).await["interactions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_catalogues_show_that_a_token_works() {
    let api = Api::start().await;
    for path in ["/v2/languages", "/v2/languages/"] {
        let languages = api.get(path).await;
        assert!(languages["languages"].to_string().contains(r#""en""#), "{languages}");
    }
    for path in ["/v2/factgroups", "/v2/factgroups/"] {
        let groups = api.get(path).await;
        let list = groups["data"].as_array().unwrap();
        assert!(!list.is_empty() && list.iter().all(|group| group["key"].is_string()), "{groups}");
    }
}

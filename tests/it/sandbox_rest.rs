//! The sandbox's REST API: refused requests, interactions from creation to deletion, and invalid bodies.
//! `sandbox_lists` tests lists and limits.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::common::forged;
use crate::sandbox::api::{ALL, Api, minimal, send};

/// `token` with one claim replaced, under its old signature.
fn altered(token: &str, name: &str, value: Value) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    claims[name] = value;
    format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims.to_string()), parts[2])
}

/// Checks that every route refuses a request with these headers, and that nothing changes. `one` is the path of an
/// interaction.
async fn assert_refused(
    api: &Api,
    one: &str,
    status: u16,
    authorization: Option<&str>,
    tenant: Option<&str>,
) {
    let before = api.get(ALL).await;
    let own = [("GET", ALL), ("POST", ALL), ("GET", one), ("PATCH", one), ("DELETE", one)];
    for (method, path) in own.into_iter().chain([("GET", "/v2/languages/"), ("GET", "/v2/factgroups/")]) {
        let request = api.request(method, path).body(minimal("intruder").to_string());
        let request = authorization.into_iter().fold(request, |to, text| to.header("Authorization", text));
        let answer = send(tenant.into_iter().fold(request, |to, text| to.header("Tenant-Name", text))).await;
        let name = format!("{method} {path} {authorization:?} {tenant:?}");
        if status == 403 {
            assert!(answer.problem(403).is_empty(), "{name}");
            continue;
        }
        assert_eq!((answer.status, answer.body.as_str()), (401, ""), "{name}");
        let challenge = answer.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("Bearer "), "{name}: {challenge}");
        let error = r#"error="invalid_token", error_description=""#;
        assert_eq!(challenge.contains(error), authorization.is_some(), "{name}: {challenge}");
    }
    assert_eq!(api.get(ALL).await, before, "something was changed");
}

#[tokio::test]
async fn a_request_without_a_valid_token_gets_a_challenge() {
    let (api, other) = (Api::start().await, Api::start().await);
    let one = api.create(&minimal("a")).await;
    let full = api.bearer.strip_prefix("Bearer ").unwrap();
    let issuer = format!("{}/realms/base", api.sandbox.environment);
    let claims = |exp: i64| json!({ "iss": issuer, "typ": "Bearer", "scope": "openid", "exp": exp });
    let (alg, none) = (json!({ "alg": "RS256", "typ": "JWT" }), json!({ "alg": "none" }));
    let tokens = [
        "garbage".to_owned(),
        forged(&alg, &claims(1)),
        forged(&alg, &claims(4_000_000_000)),
        forged(&none, &claims(4_000_000_000)),
        altered(full, "exp", json!(1)),
        altered(full, "exp", json!(4_000_000_000_i64)),
        altered(&api.mint("openid streams", "access_token").await, "scope", json!("openid")),
        full.rsplit_once('.').unwrap().0.to_owned(),
        api.mint("openid", "id_token").await,
        other.mint("openid", "access_token").await,
    ];
    let bearers = tokens.map(|token| format!("Bearer {token}"));
    for authorization in bearers.into_iter().chain([full.to_owned(), format!("Basic {full}")]) {
        assert_refused(&api, &one, 401, Some(&authorization), Some("base")).await;
    }
    assert_refused(&api, &one, 401, None, Some("base")).await;
}

#[tokio::test]
async fn a_wrong_tenant_or_a_limited_token_is_forbidden() {
    let api = Api::start().await;
    let one = api.create(&minimal("a")).await;
    for tenant in [None, Some("other"), Some("Base"), Some("")] {
        assert_refused(&api, &one, 403, Some(&api.bearer), tenant).await;
    }
    for scope in ["openid transcribe", "openid streams", "openid transcribe streams", "transcribe"] {
        let bearer = format!("Bearer {}", api.mint(scope, "access_token").await);
        assert_refused(&api, &one, 403, Some(&bearer), Some("base")).await;
        assert_refused(&api, &one, 403, Some(&bearer), None).await;
    }
}

#[tokio::test]
async fn only_the_scopes_of_the_websockets_limit_a_token() {
    let mut api = Api::start().await;
    let one = api.create(&minimal("a")).await;
    let reduced = format!("Bearer {}", api.mint("openid transcribe phone", "access_token").await);
    assert_refused(&api, &one, 403, Some(&reduced), Some("base")).await;
    api.bearer = format!("Bearer {}", api.mint("openid phone", "access_token").await);
    api.get(&one).await;
}

#[tokio::test]
async fn an_interaction_can_be_created_changed_and_deleted() {
    let api = Api::start().await;
    let made = api.call("POST", "/v2/interactions", minimal("a").to_string()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.json()["interactionId"].as_str().unwrap().parse::<Uuid>().unwrap();
    let place = api.sandbox.environment.replacen("http", "ws", 1);
    let url = format!("{place}/audio-bridge/v2/interactions/{id}/streams?tenant-name=base");
    assert_eq!(made.json(), json!({ "interactionId": id, "websocketUrl": url }), "no token in it");
    let one = format!("{ALL}{id}");
    let shown = api.get(&one).await;
    assert_eq!(api.get(ALL).await, json!({ "interactions": [shown] }));
    assert_eq!((&shown["id"], &shown["websocketUrl"]), (&json!(id), &json!(url)));
    let mut encounter = minimal("a")["encounter"].clone();
    // The SDK's types require both.
    encounter["period"] = json!({ "startedAt": shown["createdAt"] });
    assert_eq!((&shown["encounter"], &shown["patient"]["identifier"]), (&encounter, &json!(id)));
    assert!(shown["assignedUserId"].as_str().unwrap().parse::<Uuid>().is_ok(), "made up where left out");
    for name in ["createdAt", "updatedAt", "lastUpdated"] {
        assert!(shown[name].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{name}");
    }
    let period = json!({ "startedAt": "2026-01-01T10:00:00Z", "endedAt": "2026-01-01T10:15:00Z" });
    let change = json!({ "assignedUserId": Uuid::nil(), "patient": { "identifier": "p", "gender": "other",
        "birthDate": "1946-09-05" }, "encounter": { "status": "completed", "period": period } });
    let changed = api.call("PATCH", &one, change.to_string()).await;
    let shown = api.get(&one).await;
    assert_eq!((changed.status, changed.json()), (200, shown.clone()));
    for path in ["/patient", "/assignedUserId", "/encounter/status", "/encounter/period"] {
        assert_eq!(shown.pointer(path), change.pointer(path), "{path}");
    }
    assert_eq!((&shown["endedAt"], &shown["encounter"]["identifier"]), (&period["endedAt"], &json!("a")));
    let gone = api.call("DELETE", &one, "").await;
    assert_eq!((gone.status, gone.body.as_str()), (204, ""));
    for method in ["GET", "PATCH", "DELETE"] {
        api.call(method, &one, "{}").await.problem(404);
        api.call(method, "/v2/interactions/not-a-uuid", "{}").await.problem(400);
    }
    assert_eq!(api.get(ALL).await, json!({ "interactions": [] }));
}

#[tokio::test]
async fn an_identifier_can_be_used_once() {
    let api = Api::start().await;
    let (_, second) = (api.create(&minimal("a")).await, api.create(&minimal("b")).await);
    let before = api.get(ALL).await;
    api.call("POST", ALL, minimal("a").to_string()).await.problem(409);
    api.call("PATCH", &second, minimal("a").to_string()).await.problem(409);
    assert_eq!(api.get(ALL).await, before);
}

#[tokio::test]
async fn every_invalid_field_is_named() {
    let api = Api::start().await;
    let one = api.create(&minimal("a")).await;
    let before = api.get(ALL).await;
    for (body, fields) in [
        (r#"{"encounter":"#, vec![]),
        ("", vec![]),
        ("[]", vec!["body"]),
        ("{}", vec!["encounter"]),
        (r#"{"encounter":"a"}"#, vec!["encounter"]),
        (r#"{"encounter":{}}"#, vec!["encounter.identifier", "encounter.status", "encounter.type"]),
    ] {
        assert_eq!(api.call("POST", ALL, body).await.problem(400), fields, "{body}");
    }
    for (body, field) in [
        (json!({ "assignedUserId": "me" }), "assignedUserId"),
        (json!({ "encounter": { "identifier": "" } }), "encounter.identifier"),
        (json!({ "encounter": { "status": "begun" } }), "encounter.status"),
        (json!({ "encounter": { "type": 1 } }), "encounter.type"),
        (json!({ "encounter": { "period": { "endedAt": null } } }), "encounter.period.startedAt"),
        (json!({ "encounter": { "period": { "startedAt": "noon" } } }), "encounter.period.startedAt"),
        (json!({ "patient": { "name": "N" } }), "patient.identifier"),
        (json!({ "patient": { "identifier": "p", "gender": "x" } }), "patient.gender"),
        (json!({ "patient": { "identifier": "p", "birthDate": "5.9.1946" } }), "patient.birthDate"),
    ] {
        assert_eq!(api.call("PATCH", &one, body.to_string()).await.problem(400), [field], "{body}");
    }
    for query in ["pageSize=0", "pageSize=x", "index=0", "sort=x", "direction=up", "encounterStatus=begun"] {
        let name = query.split_once('=').unwrap().0;
        assert_eq!(api.call("GET", &format!("{ALL}?{query}"), "").await.problem(400), [name]);
    }
    api.call("GET", "/v2/nothing/", "").await.problem(404);
    assert_eq!(api.get(ALL).await, before, "something was created or changed");
}

//! The sandbox's lists, the limit of a body and the limit of interactions.

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::sandbox::api::{ALL, Api, minimal};

#[tokio::test]
async fn a_list_comes_in_pages() {
    let api = Api::start().await;
    for number in 0..12 {
        let mut body = minimal(&format!("e{number}"));
        body["encounter"]["status"] = json!(["planned", "completed", "on-hold"][number % 3]);
        body["patient"] = json!({ "identifier": format!("p{}", number % 2) });
        api.create(&body).await;
    }
    for (query, expected) in [
        ("", "e11 e10 e9 e8 e7 e6 e5 e4 e3 e2"),
        ("index=2", "e1 e0"),
        ("index=3", ""),
        ("direction=asc&pageSize=5&index=3", "e10 e11"),
        ("encounterStatus=planned", "e9 e6 e3 e0"),
        ("encounterStatus=planned&encounterStatus=completed&pageSize=3", "e10 e9 e7"),
        ("patient=p1&encounterStatus=on-hold", "e11 e5"),
    ] {
        let page = api.get(&format!("{ALL}?{query}")).await;
        assert_eq!(page.as_object().unwrap().len(), 1, "no total: {page}");
        let list = page["interactions"].as_array().unwrap().iter();
        let found: Vec<&str> = list.map(|one| one["encounter"]["identifier"].as_str().unwrap()).collect();
        assert_eq!(found.join(" "), expected, "{query}");
    }
}

#[tokio::test]
async fn a_patient_is_found_by_the_identifier_shown() {
    let api = Api::start().await;
    let (one, _) = (api.create(&minimal("a")).await, api.create(&minimal("b")).await);
    let shown = api.get(&one).await;
    let patient = shown["patient"]["identifier"].as_str().unwrap();
    let found = api.get(&format!("{ALL}?patient={patient}")).await;
    assert_eq!(found, json!({ "interactions": [shown] }));
}

#[tokio::test]
async fn a_body_has_a_limit_of_a_mebibyte() {
    let api = Api::start().await;
    let body = minimal("a").to_string();
    let padded = |length: usize| format!("{body}{}", " ".repeat(length - body.len()));
    api.call("POST", ALL, padded(1024 * 1024 + 1)).await.problem(413);
    assert_eq!(api.get(ALL).await, json!({ "interactions": [] }));
    assert_eq!(api.call("POST", ALL, padded(1024 * 1024)).await.status, 201);
}

#[tokio::test]
async fn languages_and_fact_groups_are_listed() {
    let api = Api::start().await;
    let languages = api.get("/v2/languages/").await;
    assert!(languages["languages"].to_string().contains(r#""en""#), "{languages}");
    let groups = api.get("/v2/factgroups/").await;
    assert!(groups["data"][0]["key"].is_string() && groups["data"][0]["id"].is_string(), "{groups}");
}

/// The limit that `src/sandbox/mod.rs` promises.
const MAX_INTERACTIONS: usize = 2000;

#[tokio::test]
async fn beyond_the_limit_the_oldest_interaction_is_removed() {
    let api = Api::start().await;
    let first = api.create(&minimal("first")).await;
    let second = api.create(&minimal("second")).await;
    let api = &api;
    let create = |number: usize| async move { api.create(&minimal(&number.to_string())).await };
    stream::iter(2..MAX_INTERACTIONS).map(create).buffer_unordered(16).for_each(async |_| {}).await;
    // Both still exist; one more then replaces the first.
    api.get(&first).await;
    api.create(&minimal("one more")).await;
    api.call("GET", &first, "").await.problem(404);
    api.get(&second).await;
    let all = api.get(&format!("{ALL}?pageSize={}", 2 * MAX_INTERACTIONS)).await;
    assert_eq!(all["interactions"].as_array().map(Vec::len), Some(MAX_INTERACTIONS));
    assert_eq!(all["interactions"][0]["encounter"]["identifier"], "one more");
    // The identifier of the first can be used again.
    api.create(&minimal("first")).await;
}

#[tokio::test]
async fn an_interaction_has_a_limit_of_32_kibibytes() {
    let api = Api::start().await;
    let one = api.create(&minimal("a")).await;
    let long = |length: usize| json!({ "patient": { "identifier": "p", "name": "n".repeat(length) } });
    let mut body: Value = minimal("b");
    body["patient"] = long(32 * 1024)["patient"].clone();
    assert_eq!(api.call("POST", ALL, body.to_string()).await.problem(400), ["body"]);
    assert_eq!(api.call("PATCH", &one, long(32 * 1024).to_string()).await.problem(400), ["body"]);
    assert_eq!(api.call("PATCH", &one, long(31 * 1024).to_string()).await.status, 200);
}

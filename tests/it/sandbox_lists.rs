//! The sandbox's lists, of interactions and of what Corti knows, and the limit of a body.

use serde_json::json;

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
async fn a_patient_is_found_as_it_is_shown() {
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
async fn the_catalogues_show_that_a_token_works() {
    let api = Api::start().await;
    let languages = api.get("/v2/languages/").await;
    assert!(languages["languages"].to_string().contains(r#""en""#), "{languages}");
    let groups = api.get("/v2/factgroups/").await;
    assert!(groups["data"][0]["key"].is_string() && groups["data"][0]["id"].is_string(), "{groups}");
}

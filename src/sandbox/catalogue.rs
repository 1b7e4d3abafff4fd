//! The lists that clients read to see whether a token works: languages and fact groups. A sample, not Corti's full lists.

use axum::Json;
use serde_json::{Value, json};
use uuid::Uuid;

/// The languages that the sandbox accepts as `primaryLanguage`, with their English names.
const LANGUAGES: [(&str, &str); 14] = [
    ("da", "Danish"),
    ("de", "German"),
    ("de-CH", "Swiss High German"),
    ("en", "English"),
    ("en-GB", "British English"),
    ("en-US", "American English"),
    ("es", "Spanish"),
    ("fr", "French"),
    ("hu", "Hungarian"),
    ("it", "Italian"),
    ("nl", "Dutch"),
    ("no", "Norwegian"),
    ("pt", "Portuguese"),
    ("sv", "Swedish"),
];

const FACT_GROUPS: [(&str, &str); 6] = [
    ("demographics", "Demographics"),
    ("history-of-present-illness", "History of present illness"),
    ("past-medical-history", "Past medical history"),
    ("medications", "Medications"),
    ("assessment", "Assessment"),
    ("plan", "Plan"),
];

/// The id of the first fact group; the others follow it. Made up, and the same in every sandbox.
const FIRST_GROUP: u128 = 0x5d1c_7a3e_90b4_4f26_8c1e_2b6f_0d84_a700;

/// Whether `code` is a language of the sandbox.
pub(super) fn is_language(code: &str) -> bool {
    LANGUAGES.iter().any(|(known, _)| *known == code)
}

/// `GET /v2/languages/`.
pub(super) async fn languages() -> Json<Value> {
    let languages: Vec<Value> =
        LANGUAGES.iter().map(|(code, name)| json!({ "languageCode": code, "name": name })).collect();
    Json(json!({ "languages": languages }))
}

/// `GET /v2/factgroups/`.
pub(super) async fn fact_groups() -> Json<Value> {
    let groups = FACT_GROUPS.iter().zip(1..);
    let group = |((key, name), number): (&(&str, &str), u32)| {
        let translation = json!({ "id": number, "languages_id": "en", "name": name });
        let id = Uuid::from_u128(FIRST_GROUP + u128::from(number));
        json!({ "id": id, "key": key, "translations": [translation] })
    };
    Json(json!({ "data": groups.map(group).collect::<Vec<Value>>() }))
}

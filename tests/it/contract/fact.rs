//! What is compared of an answer: named facts as text, without what changes from answer to answer.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Facts by name.
pub type Facts = BTreeMap<String, String>;

/// The headers that are compared: those that clients act on.
const HEADERS: [&str; 9] = [
    "content-type",
    "cache-control",
    "pragma",
    "www-authenticate",
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-allow-credentials",
    "access-control-max-age",
];

/// The differences of two answers, one line each.
pub fn differences(one: &Facts, other: &Facts) -> Vec<String> {
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let shown =
        |facts: &Facts, name: &str| facts.get(name).map_or("none".to_owned(), |fact| format!("`{fact}`"));
    names
        .into_iter()
        .filter(|name| one.get(*name) != other.get(*name))
        .map(|name| format!("{name}: {} / {}", shown(one, name), shown(other, name)))
        .collect()
}

/// The facts of a head. The values of a repeated header are joined.
pub fn of_head(status: u16, headers: &[(String, String)]) -> Facts {
    let mut facts = Facts::from([("status".to_owned(), status.to_string())]);
    for (name, value) in headers {
        let value = if name == "access-control-allow-headers" { sorted(value, ", ") } else { value.clone() };
        if HEADERS.contains(&name.as_str()) {
            let fact = facts.entry(format!("header {name}")).or_default();
            *fact = if fact.is_empty() { value } else { format!("{fact} | {value}") };
        }
    }
    facts
}

/// The facts of a body; `place` is the server's address.
pub fn of_body(body: &str, place: &str) -> Facts {
    let mut facts = Facts::new();
    if body.is_empty() {
        return facts;
    }
    let Ok(Value::Object(members)) = serde_json::from_str(body) else {
        facts.insert("body".to_owned(), body.to_owned());
        return facts;
    };
    let token = |name: &str| members.get(name).and_then(Value::as_str);
    for (name, value) in &members {
        facts.insert(format!("body {name}"), member(name, value, place));
    }
    for name in ["access_token", "id_token"] {
        if let Some(text) = token(name) {
            facts.extend(of_token(name, text, place));
        }
    }
    if let (Some(access), Some(id)) = (token("access_token"), token("id_token")) {
        let hash = part(id, 1)["at_hash"].as_str().map(|found| found == at_hash(access));
        facts.insert("id_token at_hash is right".to_owned(), format!("{hash:?}"));
    }
    facts
}

fn of_token(what: &str, token: &str, place: &str) -> Facts {
    let mut facts = Facts::new();
    for (which, index) in [("header", 0), ("claim", 1)] {
        for (name, value) in part(token, index) {
            facts.insert(format!("{what} {which} {name}"), member(&name, &value, place));
        }
    }
    let claims = part(token, 1);
    let lifetime = claims["exp"].as_i64().zip(claims["iat"].as_i64()).map(|(exp, iat)| exp - iat);
    facts.insert(format!("{what} lifetime"), five_minutes(lifetime.unwrap_or_default()));
    facts
}

/// A member's value, or its type where the value changes from answer to answer.
fn member(name: &str, value: &Value, place: &str) -> String {
    let text = value.as_str().unwrap_or_default();
    let is_uuid = |text: &str| text.parse::<Uuid>().is_ok();
    match name {
        "access_token" | "id_token" => "token".to_owned(),
        "expires_in" => five_minutes(value.as_i64().unwrap_or_default()),
        "exp" | "iat" if value.is_i64() => "integer".to_owned(),
        "kid" | "at_hash" | "details" if value.is_string() => "string".to_owned(),
        "sub" | "jti" | "requestid" if is_uuid(text) => "uuid".to_owned(),
        "jti" if text.split_once(':').is_some_and(|(_, id)| is_uuid(id)) => {
            text.split_once(':').unwrap().0.to_owned() + ":uuid"
        }
        "scope" => sorted(text, " "),
        "error_description" | "error" => text.to_owned(),
        _ => value.to_string().replace(place, "HOST"),
    }
}

/// A lifetime. Keycloak reads its clock more than once for a token, and a second may pass in between.
fn five_minutes(seconds: i64) -> String {
    if seconds == 299 { "300".to_owned() } else { seconds.to_string() }
}

fn sorted(text: &str, separator: &str) -> String {
    let mut words: Vec<&str> = text.split(separator).collect();
    words.sort_unstable();
    words.join(separator)
}

fn part(token: &str, index: usize) -> Map<String, Value> {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// OIDC Core 1.0, section 3.1.3.6, for RS256.
fn at_hash(access_token: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(access_token.as_bytes())[..16])
}

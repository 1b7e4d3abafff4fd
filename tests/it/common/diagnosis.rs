//! Runs `doctor` and checks its results.

use serde_json::Value;

use super::{Said, World};

/// A client secret that no output may contain.
pub const CANARY: &str = "canary-5d41402abc4b2a76";

/// Runs `doctor --json` and returns its exit code and its object.
pub fn diagnose(world: &World, more: &str) -> (i32, Value) {
    let said = Said::by(&mut world.run(&format!("doctor --json {more}")));
    let outcome = said.json();
    assert_eq!(outcome["ok"], said.code == 0, "{outcome}");
    if said.code != 0 {
        let error = said.error();
        assert_eq!(error["exit"], said.code, "{error}");
        assert!(error["message"].as_str().unwrap().contains(" failed: "), "{error}");
    }
    (said.code, outcome)
}

/// The verdicts of the checks called `name`, and their details and hints.
pub fn verdict(outcome: &Value, name: &str) -> (String, String) {
    let checks = outcome["checks"].as_array().unwrap();
    let found: Vec<&Value> = checks.iter().filter(|check| check["name"] == name).collect();
    let all = |field: &str| {
        let texts = found.iter().map(|check| check[field].as_str().unwrap_or_default());
        texts.collect::<Vec<_>>().join(" ")
    };
    assert!(!found.is_empty(), "no {name} in {outcome}");
    (all("verdict"), all("detail") + " " + &all("hint"))
}

pub fn assert_verdict(outcome: &Value, name: &str, expected: &str, words: &str) {
    let (found, text) = verdict(outcome, name);
    assert!(found == expected && text.contains(words), "{name}, {expected}, {words}: {outcome:#}");
}

/// A world whose variables name a client of `environment`, with [`CANARY`] as its secret.
pub fn world_of(environment: &str) -> World {
    let mut world = World::client_of(environment);
    world.set("CORTI_CLIENT_SECRET", CANARY);
    world
}

//! Worlds that are ready to work, tokens of theirs, and what `inspect` says of those.

use serde_json::Value;

use super::{Said, Sandbox, World};

/// A world whose variables name the sandbox's client.
pub fn client_of(sandbox: &Sandbox) -> World {
    let mut world = World::new();
    world.use_client(sandbox);
    world
}

/// A world with a ready token for this environment.
pub fn with_token(environment: &str, token: &str) -> World {
    let mut world = World::new();
    world.set("CORTI_ENVIRONMENT", environment);
    world.set("CORTI_ACCESS_TOKEN", token);
    world
}

/// A token of the world's client.
pub fn minted(world: &World, flags: &str) -> String {
    Said::by(&mut world.run(&format!("token {flags}"))).stdout.trim().to_owned()
}

/// Each check of a verification, and how it came out.
pub fn verdicts(json: &Value) -> Vec<String> {
    let checks = json["verification"]["checks"].as_array().unwrap();
    checks.iter().map(|check| format!("{} {}", check["name"], check["verdict"]).replace('"', "")).collect()
}

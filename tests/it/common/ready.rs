//! Worlds that are logged in or have a token, and helpers for tokens.

use serde_json::Value;

use super::{Said, Sandbox, World};

/// Logs in as the sandbox's client, and leaves no file with its secret.
pub fn log_in(world: &World, sandbox: &Sandbox, profile: &str) {
    let secret = world.file("secret", &sandbox.client_secret);
    let words = [
        "-p",
        profile,
        "login",
        "-e",
        &sandbox.environment,
        "--client-id",
        "sandbox",
        "--secret-file",
        &secret,
    ];
    world.run_words(&words).assert().success();
    std::fs::remove_file(secret).unwrap();
}

/// Stores `secret` for the client `sandbox` of `environment`, unverified.
pub fn store(world: &World, environment: &str, profile: &str, secret: &str) {
    let file = world.file("stored", secret);
    let words = ["login", "-p", profile, "-e", environment, "--client-id", "sandbox", "--no-verify"];
    world.run_words(&[&words[..], &["--secret-file", &file]].concat()).assert().success();
}

/// A sandbox with these options, and a world of its client.
pub fn start(options: &[&str]) -> (Sandbox, World) {
    let sandbox = Sandbox::start_with(options);
    let world = World::of(&sandbox);
    (sandbox, world)
}

/// A world with a ready token for this environment.
pub fn with_token(environment: &str, token: &str) -> World {
    let mut world = World::new();
    world.set("CORTI_ENVIRONMENT", environment);
    world.set("CORTI_ACCESS_TOKEN", token);
    world
}

/// Mints a token of the world's client.
pub fn mint(world: &World, flags: &str) -> String {
    let said = Said::by(&mut world.run(&format!("token {flags}")));
    assert_eq!(said.code, 0, "{}", said.stderr);
    said.stdout.trim().to_owned()
}

/// How many interactions the world's client has.
pub fn interactions(world: &World) -> usize {
    let said = Said::by(&mut world.run("interaction list"));
    assert_eq!(said.code, 0, "{}", said.stderr);
    said.stdout.lines().count()
}

/// The checks of a verification with their verdicts, such as `issuer ok`.
pub fn verdicts(json: &Value) -> Vec<String> {
    let checks = json["verification"]["checks"].as_array().unwrap();
    checks.iter().map(|check| format!("{} {}", check["name"], check["verdict"]).replace('"', "")).collect()
}

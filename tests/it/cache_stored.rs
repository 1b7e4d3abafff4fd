//! Cached tokens of a stored secret: they are found without reading the secret, and removed with it.

use predicates::prelude::*;
use serde_json::json;

use crate::common::cached::{Cached, token};
use crate::common::control::Control;
use crate::common::ready::log_in;
use crate::common::{Keyring, Said, Sandbox, World};

/// A world with a keyring, logged in as the sandbox's client.
fn logged_in(sandbox: &Sandbox, keyring: &Keyring) -> Cached {
    let world = Cached::new(World::with_keyring(keyring));
    log_in(&world, sandbox, "default");
    world
}

#[tokio::test]
async fn a_cached_token_is_found_without_the_keyring() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let (control, world) = (Control::of(&sandbox), logged_in(&sandbox, &keyring));
    let (first, cached) = token(&mut world.run("token --full"));
    assert!(!cached, "login caches nothing");
    let without_bus = |words: &str| {
        let mut command = world.run(words);
        command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere");
        command
    };
    assert_eq!(token(&mut without_bus("token --full")), (first, true));
    without_bus("token --scope transcribe").assert().code(4);
    assert_eq!(control.token_requests().await, 2);
    for words in ["status --online", "doctor"] {
        world.run(words).assert().success();
    }
    assert_eq!(control.token_requests().await, 4, "what checks a secret always mints");
}

#[tokio::test]
async fn replacing_a_secret_removes_its_tokens() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = logged_in(&sandbox, &keyring);
    log_in(&world, &sandbox, "twin");
    let id =
        |config: &str| config.split("credential = \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let replace: [&dyn Fn(); 3] =
        [&|| log_in(&world, &sandbox, "default"), &|| log_in(&world, &sandbox, "twin"), &|| {
            let stdin = sandbox.client_secret.clone();
            world.run("rotate --secret-stdin").write_stdin(stdin).assert().success();
        }];
    for change in replace {
        let (old, _) = token(&mut world.run("token --full"));
        assert_eq!(
            token(&mut world.run("-p twin token --full")),
            (old.clone(), true),
            "one client, one secret"
        );
        let before = id(&world.config());
        change();
        assert_ne!(id(&world.config()), before);
        assert_eq!(world.config().matches(&id(&world.config())).count(), 2, "{}", world.config());
        assert!(world.keys_with(&old).is_empty());
        for profile in ["twin", "default"] {
            assert_ne!(token(&mut world.run(&format!("-p {profile} token --full"))).0, old);
        }
    }
}

#[tokio::test]
async fn a_profile_without_an_id_is_cached_by_its_secret() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let (control, world) = (Control::of(&sandbox), logged_in(&sandbox, &keyring));
    let config = world.config();
    let lines: Vec<&str> = config.lines().filter(|line| !line.starts_with("credential")).collect();
    assert_eq!(lines.len() + 1, config.lines().count());
    world.write_config(&lines.join("\n"));
    let (first, _) = token(&mut world.run("token --full"));
    assert_eq!(token(&mut world.run("token --full")), (first, true));
    assert_eq!(control.token_requests().await, 2);
    let user = format!("{}/base/sandbox", sandbox.environment);
    let mut secret_tool = world.program("secret-tool");
    let words = ["store", "--label", "x", "service", "corti-auth", "username", &user];
    secret_tool.args(words).write_stdin("another").assert().success();
    world.run("token --full").assert().code(5);
}

#[test]
fn logout_removes_every_cached_token() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let mut world = logged_in(&sandbox, &keyring);
    let mut tokens = Vec::new();
    for ask in ["--full", "--scope transcribe"] {
        tokens.push(token(&mut world.run(&format!("token {ask}"))).0);
    }
    tokens.push(token(&mut world.run_without_keyrings("token --scope streams")).0);
    for token in &tokens {
        assert!(world.files_with(token).is_empty(), "nothing readable is on disk");
    }
    world.use_client(&sandbox);
    tokens.push(token(&mut world.run("token --full")).0);
    assert!(world.files_with(&sandbox.client_secret).is_empty());
    assert_eq!((world.keys_with(&tokens[3]).len(), world.token_files().len()), (1, 1));
    let said = Said::by(&mut world.run("-p default logout --json"));
    assert!(!world.config().contains("credential"), "{}", world.config());
    assert_eq!((said.code, &said.json()["tokens_removed"]), (0, &4.into()), "{}", said.stderr);
    for token in &tokens {
        assert!(world.keys_with(token).is_empty() && world.files_with(token).is_empty());
    }
    assert!(world.token_files().is_empty(), "{:?}", world.token_files());
    let locks = std::fs::read_dir(world.home().join("run/corti-auth")).unwrap().flatten();
    assert!(locks.into_iter().all(|lock| lock.metadata().unwrap().len() == 0), "lock files are empty");
    world.run("-p default logout").assert().success().stderr(predicate::str::contains("no token was cached"));
    world.run("token --full").assert().success();
    world.run("logout").assert().success().stderr(predicate::str::contains("removed 1 cached token"));
}

#[test]
fn logout_of_an_unknown_profile_removes_nothing() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = logged_in(&sandbox, &keyring);
    world.run("token --full").assert().success();
    world.run("logout -p typo").assert().code(3);
    assert_eq!(Said::by(&mut world.run("logout --json")).json()["tokens_removed"], 1);
}

#[test]
fn demo_doctor_status_and_rotate_cache_no_token() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = logged_in(&sandbox, &keyring);
    for words in ["demo", "doctor", "status --online"] {
        world.run(words).assert().success();
    }
    world.run("rotate --secret-stdin").write_stdin(sandbox.client_secret.as_str()).assert().success();
    assert_eq!(Said::by(&mut world.run("logout --all --json")).json()["tokens_removed"], 0);
    assert!(world.token_files().is_empty());
}

#[test]
fn removing_the_last_profile_of_a_client_removes_its_tokens() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = logged_in(&sandbox, &keyring);
    log_in(&world, &sandbox, "twin");
    let (kept, _) = token(&mut world.run("token --full"));
    world.run("profile remove twin").assert().success();
    assert_eq!(token(&mut world.run("token --full")), (kept.clone(), true), "the other profile uses it");
    world.run("profile rename default other").assert().success();
    assert_eq!(token(&mut world.run("token --full")), (kept.clone(), true));
    world.run("profile remove other").assert().success();
    assert!(world.keys_with(&kept).is_empty());
}

#[test]
fn status_lists_cached_tokens_without_the_keyring() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let mut world = logged_in(&sandbox, &keyring);
    let status = |command: &mut assert_cmd::Command| {
        let said = Said::by(command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere"));
        let cached = said.json()["cached_tokens"].clone();
        assert!(!said.stdout.contains("eyJ"), "{}", said.stdout);
        cached
    };
    assert_eq!(status(&mut world.run("status --json")), json!([]));
    for choice in ["--scope streams", "--full"] {
        token(&mut world.run(&format!("token {choice}")));
    }
    let cached = status(&mut world.run("status --json"));
    let of = |index: usize| (cached[index]["scope"].as_str(), cached[index]["reach"].as_str());
    assert_eq!((of(0), of(1)), ((Some("openid"), Some("full")), (Some("openid streams"), Some("limited"))));
    assert!((1..=300).contains(&cached[1]["expires_in"].as_i64().unwrap()), "{cached}");
    // In a file, only the secret opens it.
    token(&mut world.run_without_keyrings("token --scope transcribe"));
    let cached = status(&mut world.run_without_keyrings("status --json"));
    let sealed =
        json!([{ "scope": "openid transcribe", "reach": "limited", "expires_at": null, "expires_in": null }]);
    assert_eq!(cached, sealed);
    world
        .run_without_keyrings("status")
        .assert()
        .success()
        .stdout(predicate::str::contains("in an encrypted file"));
    // Whoever uses no cache has none.
    world.set("CORTI_AUTH_NO_CACHE", "1");
    assert_eq!(status(&mut world.run("status --json")), json!([]));
}

//! The token cache: when a cached token is used, and when it must not be.

use serde_json::json;

use crate::common::cached::{Cached, start, token};
use crate::common::control::Control;
use crate::common::{self, Said, Sandbox, World};

#[tokio::test]
async fn the_second_call_gets_the_cached_token() {
    let (_sandbox, control, world) = start();
    let (first, cached) = token(&mut world.run("token --full"));
    assert!(!cached);
    assert_eq!(token(&mut world.run("token --full")), (first.clone(), true));
    assert_eq!(world.run("token --full").output().unwrap().stdout, format!("{first}\n").into_bytes());
    assert_eq!(control.token_requests().await, 1);
    assert_eq!(
        (world.keys_with(&first).len(), world.token_files().len()),
        (1, 0),
        "in the kernel, and not on disk"
    );
    assert!(world.files_with(&first).is_empty());

    let (fresh, cached) = token(&mut world.run("token --full --no-cache"));
    assert!(!cached && fresh != first);
    assert_eq!(token(world.run("token --full").env("CORTI_AUTH_NO_CACHE", "0")), (first.clone(), true));
    assert!(!token(world.run("token --full").env("CORTI_AUTH_NO_CACHE", "1")).1);
    assert_eq!(token(&mut world.run("token --full")), (first.clone(), true), "neither was cached");
    let (newest, cached) = token(&mut world.run("token --full --refresh"));
    assert!(!cached && newest != first);
    assert_eq!(token(&mut world.run("token --full")), (newest, true));
    world.run("token --full --refresh --no-cache").assert().code(2);
}

#[tokio::test]
async fn min_ttl_decides_whether_a_cached_token_is_used() {
    let (_sandbox, control, world) = start();
    token(&mut world.run("token --full"));
    assert!(token(&mut world.run("token --full --min-ttl 250s")).1);
    let said = Said::by(&mut world.run("token --full --min-ttl 10m"));
    assert_eq!((said.code, said.stdout.as_str()), (10, ""));
    assert_eq!(
        said.stderr,
        "error: a new token lives 300 s, and --min-ttl requires 600 s\nhint: ask for less: --min-ttl 300s\n"
    );
    assert_eq!(control.token_requests().await, 2);
    control.set(json!({ "token_lifetime": 20 })).await;
    token(&mut world.run("token --full --refresh"));
    assert!(token(&mut world.run("token --full")).1, "the margin is a third of a short life");
    assert!(!token(&mut world.run("token --full --min-ttl 20s")).1);
}

#[tokio::test]
async fn each_set_of_scopes_has_its_own_token() {
    let (_sandbox, control, world) = start();
    let asks = ["--full", "--scope transcribe", "--scope streams", "--scope transcribe,streams"];
    let tokens = asks.map(|ask| token(&mut world.run(&format!("token {ask}"))));
    assert!(tokens.iter().all(|(_, cached)| !cached));
    for (ask, (first, _)) in asks.iter().zip(&tokens) {
        assert_eq!(token(&mut world.run(&format!("token {ask}"))), (first.clone(), true), "{ask}");
    }
    assert!(token(&mut world.run("token --scope streams,transcribe")).1);
    assert_eq!(control.token_requests().await, 4);
}

#[tokio::test]
async fn several_interaction_commands_use_one_cached_token() {
    let (_sandbox, control, world) = start();
    token(&mut world.run("token --full"));
    world.run("interaction create").assert().success();
    world.run("interaction create --connect-url").assert().success();
    world.run("interaction create --connect-url").assert().success();
    assert_eq!(control.token_requests().await, 2, "one of each");
}

#[tokio::test]
async fn a_cached_token_that_the_server_refuses_is_replaced() {
    let (sandbox, control, world) = start();
    token(&mut world.run("token --full"));
    control.rotate(true).await;
    world.run("interaction create --connect-url").assert().success();
    world.run("interaction create").assert().success();
    assert_eq!(control.token_requests().await, 1 + 2, "the stale one anew, the other for the first time");
    control.rotate(true).await;
    let ready = token(&mut world.run("token --full")).0;
    assert_eq!(Said::by(world.run("interaction create").env("CORTI_ACCESS_TOKEN", ready)).code, 5);
    drop(sandbox);
}

#[tokio::test]
async fn a_wrong_secret_gets_no_cached_token() {
    let (sandbox, control, mut world) = start();
    token(&mut world.run("token --full"));
    token(&mut world.run_without_keyrings("token --full"));
    for (name, value) in
        [("CORTI_CLIENT_SECRET", "wrong"), ("CORTI_CLIENT_ID", "other"), ("CORTI_TENANT_NAME", "other")]
    {
        for mut command in [world.run("token --full"), world.run_without_keyrings("token --full")] {
            let code = Said::by(command.env(name, value)).code;
            assert!([3, 5].contains(&code), "{name}: {code}");
        }
    }
    let elsewhere = Sandbox::start();
    let said = Said::by(world.run("token --full").env("CORTI_ENVIRONMENT", &elsewhere.environment));
    assert_eq!(said.code, 5, "the client's name is the same: {}", said.stderr);
    world.set("CORTI_CLIENT_SECRET", &sandbox.client_secret);
    assert!(token(&mut world.run("token --full")).1, "and what was cached is still there");
    assert_eq!(control.token_requests().await, 2 + 4);
}

#[tokio::test]
async fn a_mounted_secret_is_read_each_time() {
    let (sandbox, control, mut world) = start();
    let file = world.private_file("mounted", &sandbox.client_secret);
    world.set("CORTI_CLIENT_SECRET", "");
    world.set("CORTI_CLIENT_SECRET_FILE", &file);
    token(&mut world.run("token --full"));
    assert!(token(&mut world.run("token --full")).1);
    assert_eq!(control.token_requests().await, 1);
    std::fs::write(&file, "another").unwrap();
    world.run("token --full").assert().code(5);
}

#[tokio::test]
async fn a_secret_command_is_run_each_time() {
    let sandbox = Sandbox::start();
    let (control, world) = (Control::of(&sandbox), Cached::new(World::new()));
    let secret = world.file("kept", &sandbox.client_secret);
    let command = format!("cat {secret}");
    world
        .run_words(&[
            "login",
            "-e",
            &sandbox.environment,
            "--client-id",
            "sandbox",
            "--secret-command",
            &command,
        ])
        .assert()
        .success();
    assert!(!world.config().contains("credential"), "{}", world.config());
    token(&mut world.run("token --full"));
    assert!(token(&mut world.run("token --full")).1);
    assert_eq!(control.token_requests().await, 2, "one by login");
    std::fs::write(&secret, "another").unwrap();
    world.run("token --full").assert().code(5);
}

#[tokio::test]
async fn a_cached_token_is_used_while_the_server_is_slow_or_down() {
    let (sandbox, control, world) = start();
    let (good, _) = token(&mut world.run("token --full"));
    let serves = || assert_eq!(token(&mut world.run("token --full --timeout 2s")), (good.clone(), true));
    let fails = |code: i32| {
        world.run("token --scope transcribe --timeout 2s").assert().code(code).stdout("");
    };
    control.set(json!({ "fail_status": 429, "fail_count": 9, "retry_after": 60 })).await;
    serves();
    fails(9);
    control.set(json!({ "fail_status": 503, "fail_count": 9, "retry_after": null })).await;
    serves();
    fails(9);
    control.set(json!({ "fail_count": 0, "latency_ms": 60_000 })).await;
    serves();
    fails(8);
    control.set(json!({ "latency_ms": 0, "fail_status": 503, "fail_count": 1, "retry_after": 0 })).await;
    let before = control.token_requests().await;
    assert!(!token(&mut world.run("token --scope transcribe")).1);
    assert_eq!(control.token_requests().await - before, 2, "tried once more");
    drop(sandbox);
    serves();
    world.run("token --full --refresh").assert().code(8).stdout("");
}

#[test]
fn after_a_clock_change_a_new_token_is_minted() {
    let (_sandbox, _control, world) = start();
    let at = |offset: &str| {
        let mut faketime = world.program("faketime");
        faketime.args(["-f", offset]).arg(common::binary()).args(["token", "--full"]);
        token(&mut faketime)
    };
    let (first, _) = token(&mut world.run("token --full"));
    assert_eq!(at("+0s"), (first.clone(), true));
    assert_eq!(at("+20s"), (first.clone(), true), "it has not expired by that clock");
    // By that clock it has expired or was minted in the future.
    assert!(!at("+1h").1 && !at("-20s").1 && !at("-1d").1);
    let (latest, _) = at("+0s");
    assert_ne!(latest, first, "each of them was replaced");
    assert_eq!(token(&mut world.run("token --full")), (latest, true));
}

#[tokio::test]
async fn session_and_probe_replace_a_cached_token_that_is_refused() {
    let (_sandbox, control, world) = start();
    token(&mut world.run("token --full"));
    token(&mut world.run("token --scope streams"));
    control.rotate(true).await;
    world.run("session streams").assert().success();
    control.rotate(true).await;
    let said = Said::by(&mut world.run("probe streams"));
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(Said::by(&mut world.run("interaction list")).stdout.lines().count(), 1, "the session's alone");
}

//! Corti's own client, `@corti/sdk`, with the sandbox: every check of it passes, and its retries see the sandbox's
//! faults.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::control::Control;
use crate::common::keycloak::Keycloak;
use crate::common::{self, Said, Sandbox, World};

/// How many checks `peer.mjs` has, and how many of them need only a token endpoint.
const CHECKS: (usize, usize) = (59, 14);

/// The path of a program of `tests/sdk`, in a folder with the SDK.
fn peer(name: &str) -> String {
    let folder = common::variable("SDK_PEER").expect("SDK_PEER is not set: run this by scripts/with-sdk");
    PathBuf::from(folder).join(name).display().to_string()
}

fn program(world: &World, name: &str) -> assert_cmd::Command {
    let mut command = world.program("node");
    command.arg(peer(name)).timeout(Duration::from_secs(300));
    command
}

/// Runs a program of `tests/sdk`.
fn node(world: &World, name: &str, arguments: &[&str]) -> Said {
    Said::by(program(world, name).args(arguments))
}

/// Runs the checks, all of which must pass.
fn assert_all_pass(world: &World, groups: &[&str], checks: usize) {
    let said = node(world, "peer.mjs", groups);
    let failed: Vec<&str> = said.stdout.lines().filter(|line| line.starts_with("not ok")).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let last = said.stdout.lines().last().unwrap_or_default();
    assert_eq!((said.code, last), (0, format!("{checks} passed, 0 failed").as_str()), "{}", said.stderr);
}

/// A sandbox with these settings, and a world of its client.
async fn start(knobs: Value) -> (Sandbox, Control, World) {
    let sandbox = Sandbox::start();
    let (control, world) = (Control::of(&sandbox), World::of(&sandbox));
    control.set(knobs).await;
    (sandbox, control, world)
}

fn retry(world: &World, action: &str) -> Value {
    let said = node(world, "retry.mjs", &[action]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    said.json()
}

#[test]
#[ignore = "needs Node and the SDK: scripts/with-sdk"]
fn every_check_of_the_sdk_passes_with_the_sandbox() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    assert_all_pass(&world, &[], CHECKS.0);
}

#[test]
#[ignore = "needs Node and the SDK: scripts/with-sdk"]
fn the_sdk_reports_a_failed_check() {
    let sandbox = Sandbox::start();
    let mut world = World::of(&sandbox);
    world.set("CORTI_CLIENT_SECRET", "wrong");
    let said = node(&world, "peer.mjs", &["token"]);
    assert_eq!(said.code, 1, "{}", said.stdout);
    assert!(said.stdout.contains("not ok") && said.stdout.contains("0 passed, 3 failed"), "{}", said.stdout);
}

/// The checks hold for the real server too.
#[test]
#[ignore = "needs a Keycloak, Node and the SDK: scripts/with-keycloak scripts/with-sdk"]
fn keycloak_passes_the_checks_of_the_sdk() {
    let keycloak = Keycloak::running();
    let mut world = World::new();
    for (name, value) in [
        ("CORTI_ENVIRONMENT", keycloak.environment.as_str()),
        ("CORTI_TENANT_NAME", "base"),
        ("CORTI_CLIENT_ID", "service"),
        ("CORTI_CLIENT_SECRET", &keycloak.secret),
    ] {
        world.set(name, value);
    }
    assert_all_pass(&world, &["auth", "token"], CHECKS.1);
}

#[tokio::test]
#[ignore = "needs Node and the SDK: scripts/with-sdk"]
async fn the_sdk_retries_a_failed_token_request_twice() {
    for status in [408, 429, 500, 503] {
        let knobs = |count: u32, wait: u32| json!({ "fail_count": count, "fail_status": status, "retry_after": wait });
        let (_sandbox, control, world) = start(knobs(2, 3)).await;
        let started = Instant::now();
        assert_eq!(retry(&world, "token"), json!({ "ok": true, "expiresIn": 300 }), "{status}");
        // Without Retry-After it would wait less than 4 s.
        assert!(started.elapsed() >= Duration::from_secs(6), "{status}: Retry-After was not waited for");
        assert_eq!(control.token_requests().await, 3, "{status}");
        control.set(knobs(3, 1)).await;
        let failed = retry(&world, "token");
        assert_eq!((&failed["ok"], &failed["status"]), (&json!(false), &json!(status)), "{failed}");
        assert_eq!(failed["body"]["error"], "temporarily_unavailable", "{failed}");
        assert_eq!(control.token_requests().await, 6, "{status}");
        control.reset().await;
        assert_eq!(retry(&world, "token")["ok"], json!(true), "{status}");
    }
}

#[tokio::test]
#[ignore = "needs Node and the SDK: scripts/with-sdk"]
async fn the_sdk_does_not_retry_other_failures() {
    for knobs in [
        json!({ "fail_count": 1, "fail_status": 400 }),
        json!({ "fail_count": 1, "fail_status": 403 }),
        json!({ "truncate_answers": 1 }),
        json!({ "drop_connections": 1 }),
    ] {
        let dropped = knobs["drop_connections"].is_u64();
        let (_sandbox, control, world) = start(knobs.clone()).await;
        let failed = retry(&world, "token");
        assert_eq!(failed["ok"], json!(false), "{knobs}: {failed}");
        assert_eq!(failed["status"], knobs.get("fail_status").cloned().unwrap_or_default(), "{failed}");
        assert_eq!(control.token_requests().await, u64::from(!dropped), "{knobs}");
        assert_eq!(retry(&world, "token")["ok"], json!(true), "{knobs}");
    }
}

#[tokio::test]
#[ignore = "needs Node and the SDK: scripts/with-sdk"]
async fn the_sdk_keeps_a_token_until_two_minutes_before_its_end() {
    for (lifetime, requests) in [(300, 1), (180, 1), (120, 3), (60, 3)] {
        let (_sandbox, control, world) = start(json!({ "token_lifetime": lifetime })).await;
        assert_eq!(retry(&world, "list"), json!({ "ok": true }), "{lifetime}");
        assert_eq!(control.token_requests().await, requests, "a token of {lifetime} s");
    }
}

#[tokio::test]
#[ignore = "needs Node and the SDK: scripts/with-sdk"]
async fn latency_delays_the_sdk() {
    let (_sandbox, _control, world) = start(json!({ "latency_ms": 1500 })).await;
    let started = Instant::now();
    assert_eq!(retry(&world, "token")["ok"], json!(true));
    assert!(started.elapsed() >= Duration::from_millis(1500));
}

#[tokio::test]
#[ignore = "needs Node and the SDK: scripts/with-sdk"]
async fn the_sdk_gets_its_tokens_from_the_refresh_url() {
    // The SDK asks at the start, and again for each request once a token has less than two minutes left.
    for (lifetime, asked) in [(300, 1), (60, 3)] {
        let (_sandbox, control, world) = start(json!({ "token_lifetime": lifetime })).await;
        let program = peer("refresh.mjs");
        let words = ["exec", "--full", "--refresh-url", "--", "node", &program];
        let said = Said::by(&mut world.run_words(&words));
        assert_eq!(said.code, 0, "{}", said.stderr);
        assert_eq!(said.json(), json!({ "asked": asked, "secret": null }), "a token of {lifetime} s");
        assert_eq!(control.token_requests().await, 1 + asked, "a token of {lifetime} s");
    }
}

/// The client gets only what a frontend gets, and its token opens nothing else.
#[test]
#[ignore = "needs Node and the SDK: scripts/with-sdk"]
fn the_sdk_opens_the_session_it_was_given() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    for socket in ["transcribe", "streams"] {
        let session = Said::by(&mut world.run(&format!("session {socket} --format sdk"))).stdout;
        let said = Said::by(program(&World::new(), "session.mjs").write_stdin(session));
        assert_eq!(said.json(), json!({ "opened": true, "rest": 403 }), "{socket}: {}", said.stderr);
    }
}

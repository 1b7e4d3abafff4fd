//! The sandbox's faults, set by options and by its control endpoint, and how the tool reacts to each.
//! `sandbox_control` tests the control endpoint itself.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::common::control::{Answer, Control, client, keys, request_token};
use crate::common::{self, Said, Sandbox, World};

/// A sandbox with these options, its control endpoint and a world of its client.
fn start(flags: &str) -> (Sandbox, Control, World) {
    let words: Vec<&str> = flags.split_whitespace().collect();
    let sandbox = Sandbox::start_with(&words);
    let (control, world) = (Control::of(&sandbox), World::of(&sandbox));
    (sandbox, control, world)
}

/// Runs `token --full`, which must succeed.
fn mint(world: &World) -> Value {
    let said = Said::by(&mut world.run("token --full --json"));
    assert_eq!(said.code, 0, "{}", said.stderr);
    said.json()
}

/// Runs `token --full`, which must fail.
fn assert_fails(world: &World, code: i32, message: &str) {
    world
        .run("token --full")
        .assert()
        .code(code)
        .stdout("")
        .stderr(contains(message).and(contains("hint: ")));
}

/// A request to the API with this token.
async fn list(sandbox: &Sandbox, token: &Value) -> Answer {
    let request = client().get(format!("{}/v2/interactions/", sandbox.environment));
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    Answer::to(request.header("authorization", bearer).header("tenant-name", "base")).await
}

#[tokio::test]
async fn latency_beyond_the_timeout_is_a_network_error() {
    let (_sandbox, control, world) = start("--latency 1500ms");
    let late = || world.run("token --full --timeout 500ms");
    late().assert().code(8).stdout("").stderr(contains("did not answer within 0.5 s"));
    let started = Instant::now();
    mint(&world);
    assert!(started.elapsed() >= Duration::from_millis(1500));
    control.set(json!({ "latency_ms": 0 })).await;
    late().assert().success();
    control.set(json!({ "latency_ms": 1500 })).await;
    late().assert().code(8);
}

#[tokio::test]
async fn a_busy_server_is_asked_twice() {
    let (sandbox, control, world) = start("--fail-count 1 --fail-status 429 --retry-after 1");
    let started = Instant::now();
    mint(&world);
    assert!(started.elapsed() >= Duration::from_secs(1), "Retry-After was not waited for");
    assert_eq!(control.token_requests().await, 2);
    // It is asked only twice, and only once where Retry-After is longer than the timeout.
    control.set(json!({ "fail_count": 2, "fail_status": 503, "retry_after": 1 })).await;
    assert_fails(&world, 9, "answered 503");
    assert_eq!(control.token_requests().await, 4);
    control.set(json!({ "fail_count": 1, "retry_after": 60 })).await;
    let line = Said::by(&mut world.run("token --full --json")).error();
    assert_eq!(
        (&line["exit"], &line["http_status"], &line["retryable"]),
        (&json!(9), &json!(503), &json!(true))
    );
    assert_eq!(control.token_requests().await, 5);
    control.set(json!({ "fail_count": 1, "retry_after": 7 })).await;
    let answer = request_token(&sandbox).await;
    assert_eq!((answer.status, answer.headers["retry-after"].to_str().unwrap()), (503, "7"));
    control.set(json!({ "fail_count": 1, "retry_after": null })).await;
    assert!(!request_token(&sandbox).await.headers.contains_key("retry-after"));
    mint(&world);
}

#[tokio::test]
async fn a_failing_api_sends_retry_after() {
    for flags in ["--api-fail-count 1 --retry-after 7", "--api-fail-count 1 --fail-count 1 --retry-after 7"] {
        let (sandbox, _control, _world) = start(flags);
        if flags.contains(" --fail-count") {
            assert_eq!(request_token(&sandbox).await.headers["retry-after"], "7");
        }
        let token = request_token(&sandbox).await.json();
        let failed = list(&sandbox, &token).await;
        assert_eq!((failed.status, failed.headers["retry-after"].to_str().unwrap()), (502, "7"), "{flags}");
        assert_eq!(list(&sandbox, &token).await.status, 200);
    }
}

#[tokio::test]
async fn every_failing_status_is_sent() {
    let (sandbox, control, world) = start("--fail-count 1 --fail-status 500");
    assert_fails(&world, 9, "answered 500");
    assert_eq!(control.token_requests().await, 1, "500 is not repeated");
    for (status, code) in [(400, 1), (418, 1), (502, 9), (504, 9), (599, 9)] {
        control.set(json!({ "fail_count": 1, "fail_status": status })).await;
        world.run("token --full").assert().code(code).stdout("");
        control.set(json!({ "fail_count": 1 })).await;
        assert_eq!(request_token(&sandbox).await.status, status);
    }
}

#[tokio::test]
async fn a_dropped_connection_is_a_network_error() {
    let (_sandbox, control, world) = start("--drop-connections 2");
    assert_fails(&world, 8, "no complete answer from `");
    assert_fails(&world, 8, "no complete answer from `");
    mint(&world);
    assert_eq!(control.token_requests().await, 1, "a request without an answer does not count");
    control.set(json!({ "drop_connections": 1 })).await;
    assert_fails(&world, 8, "no complete answer from `");
    mint(&world);
}

#[tokio::test]
async fn half_an_answer_is_a_network_error() {
    let (_sandbox, control, world) = start("--truncate-answers 1");
    assert_fails(&world, 8, "no complete answer from `");
    mint(&world);
    control.set(json!({ "truncate_answers": 1 })).await;
    assert_fails(&world, 8, "no complete answer from `");
    assert_eq!(control.token_requests().await, 3);
    mint(&world);
}

#[tokio::test]
async fn tokens_have_the_lifetime_that_is_set() {
    let (sandbox, control, world) = start("--token-lifetime 42s");
    let inspect = |token: &Value| {
        Said::by(world.run("inspect --json").write_stdin(token["access_token"].as_str().unwrap()))
    };
    let lifetime =
        |seen: &Value| seen["expires_at_unix"].as_i64().unwrap() - seen["issued_at_unix"].as_i64().unwrap();
    let token = mint(&world);
    let seen = inspect(&token);
    assert_eq!((&token["expires_in"], seen.code, lifetime(&seen.json())), (&json!(42), 0, 42));
    assert!(seen.json()["remaining_seconds"].as_i64().unwrap() <= 42);
    control.set(json!({ "token_lifetime": 1 })).await;
    let token = mint(&world);
    common::wait_until("the token has expired", || inspect(&token).code == 7);
    let refused = list(&sandbox, &token).await;
    assert_eq!(refused.status, 401);
    let challenge = refused.headers["www-authenticate"].to_str().unwrap().to_owned();
    assert!(challenge.contains("The token has expired"), "{challenge}");
}

#[tokio::test]
async fn a_clock_skew_shows_in_tokens_and_dates() {
    let (sandbox, control, world) = start("--clock-skew -3600");
    let token = mint(&world);
    let inspect =
        |token: &Value| Said::by(world.run("inspect").write_stdin(token["access_token"].as_str().unwrap()));
    let said = inspect(&token);
    assert_eq!(said.code, 7, "{}", said.stderr);
    assert_eq!(list(&sandbox, &token).await.status, 200, "by the server's clock it is new");
    let dated = |answer: &Answer| {
        let date = answer.headers["date"].to_str().unwrap();
        DateTimeParser::new().parse_timestamp(date).unwrap().as_second() - common::now().as_second()
    };
    let behind = dated(&list(&sandbox, &token).await);
    assert!((-3605..=-3595).contains(&behind), "{behind}");
    control.set(json!({ "clock_skew": 86_400 })).await;
    assert_eq!(list(&sandbox, &token).await.status, 401);
    let ahead = dated(&request_token(&sandbox).await);
    assert!((86_395..=86_405).contains(&ahead), "{ahead}");
    let seen = Said::by(
        world.run("inspect --json").write_stdin(mint(&world)["access_token"].as_str().unwrap().to_owned()),
    );
    let issued: Timestamp = seen.json()["issued_at"].as_str().unwrap().parse().unwrap();
    assert!(issued.as_second() - common::now().as_second() > 86_000, "{}", seen.stdout);
}

#[tokio::test]
async fn rotated_keys_verify_until_they_are_forgotten() {
    let (sandbox, control, world) = start("");
    let ids = |keys: &Value| -> Vec<String> {
        keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    };
    let signer = |token: &Value| {
        let said = Said::by(world.run("inspect --json").write_stdin(token["access_token"].as_str().unwrap()));
        said.json()["key_id"].as_str().unwrap().to_owned()
    };
    let (before, old) = (ids(&keys(&sandbox).await), mint(&world));
    assert_eq!(before, [signer(&old)]);
    let rotated = control.rotate(false).await;
    assert_eq!(rotated, keys(&sandbox).await);
    let new = mint(&world);
    assert_eq!(ids(&rotated), [signer(&new), before[0].clone()]);
    for token in [&old, &new] {
        assert_eq!(list(&sandbox, token).await.status, 200);
    }
    let forgotten = ids(&control.rotate(true).await);
    assert!(forgotten.len() == 1 && !ids(&rotated).contains(&forgotten[0]), "{forgotten:?}");
    assert_eq!(ids(&keys(&sandbox).await), forgotten);
    for token in [&old, &new] {
        assert_eq!(list(&sandbox, token).await.status, 401);
    }
    assert_eq!(list(&sandbox, &mint(&world)).await.status, 200);
}

#[tokio::test]
async fn only_token_requests_count_as_failed() {
    let (sandbox, control, _world) = start("--fail-count 1 --fail-status 502");
    let other = sandbox.token_url().replace("/realms/base/", "/realms/nowhere/");
    for (method, url, status) in [
        ("OPTIONS", sandbox.token_url(), 200),
        ("GET", sandbox.token_url(), 405),
        ("POST", other.clone(), 404),
        ("OPTIONS", other, 404),
    ] {
        let request =
            client().request(method.parse().unwrap(), &url).header("origin", "http://localhost:3000");
        assert_eq!(Answer::to(request).await.status, status, "{method} {url}");
    }
    assert_eq!(control.token_requests().await, 0);
    assert_eq!((request_token(&sandbox).await.status, request_token(&sandbox).await.status), (502, 200));
    assert_eq!(control.token_requests().await, 2);
}

#[tokio::test]
async fn control_requests_are_always_answered() {
    let (sandbox, control, world) = start("--drop-connections 2");
    for _ in 0..3 {
        // Over a new connection each time.
        assert_eq!(Control::of(&sandbox).token_requests().await, 0);
    }
    assert_fails(&world, 8, "no complete answer from `");
    assert_eq!(Answer::to(control.request("GET", "/knobs")).await.json()["drop_connections"], 1);
    // A connection without a request blocks nothing.
    let address = sandbox.environment.strip_prefix("http://").unwrap();
    let _silent = tokio::net::TcpStream::connect(address).await.unwrap();
    assert_eq!(Control::of(&sandbox).token_requests().await, 0);
    assert_fails(&world, 8, "no complete answer from `");
    mint(&world);
}

/// The tool opens a connection for each command; other clients keep theirs open.
#[tokio::test]
async fn a_request_over_an_open_connection_is_dropped() {
    let (sandbox, control, _world) = start("");
    let client = client();
    let get =
        || client.get(format!("{}/realms/base/protocol/openid-connect/certs", sandbox.environment)).send();
    assert_eq!(get().await.unwrap().status(), 200);
    // More than one, since a client may try again over a new connection.
    control.set(json!({ "drop_connections": 100 })).await;
    assert!(get().await.is_err());
    control.reset().await;
    assert_eq!(get().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_control_request_that_comes_in_pieces_is_answered() {
    let (sandbox, control, _world) = start("--drop-connections 1");
    let address = sandbox.environment.strip_prefix("http://").unwrap();
    let said = async |request: String| {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        for piece in request.as_bytes().chunks(9) {
            stream.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.map(|_| answer)
    };
    let rest = format!(
        "HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
        control.token
    );
    let answer = said(format!("GET /_sandbox/knobs {rest}")).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(r#""drop_connections":1"#), "{answer}");
    assert_eq!(said(format!("GET /realms/base {rest}")).await.unwrap_or_default(), "", "it was answered");
}

//! `interaction create`: the bare websocketUrl, the URL with a token, a ready token, and refusals.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod common;

use common::{Said, Sandbox, World, forged};
use predicates::prelude::*;
use serde_json::json;

fn world(sandbox: &Sandbox) -> World {
    let mut world = World::new();
    world.use_client(sandbox);
    world
}

#[test]
fn stdout_is_the_bare_url() {
    let sandbox = Sandbox::start();
    let said = Said::by(&mut world(&sandbox).run("interaction create"));
    let prefix = format!("{}/audio-bridge/v2/interactions/", sandbox.environment.replace("http", "ws"));
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    assert!(
        said.stdout.starts_with(&prefix) && said.stdout.ends_with("/streams?tenant-name=base\n"),
        "{}",
        said.stdout
    );
    assert!(!said.stdout.contains("token"));
}

#[test]
fn json_has_everything() {
    let sandbox = Sandbox::start();
    let json = Said::by(&mut world(&sandbox).run("interaction create --json")).json();
    assert_eq!(json["schema"], "corti-auth/interaction-create/v1");
    assert_eq!((&json["environment"], &json["tenant"]), (&json!(sandbox.environment), &json!("base")));
    assert!(json["websocket_url"].as_str().unwrap().contains(json["interaction_id"].as_str().unwrap()));
    assert_eq!(json.get("connect_url"), None);
}

#[test]
fn a_connect_url_carries_a_limited_token_and_a_warning() {
    let sandbox = Sandbox::start();
    let world = world(&sandbox);
    let said = Said::by(&mut world.run("interaction create --connect-url"));
    assert!(said.stderr.contains("who has the URL has the token"), "{}", said.stderr);
    let token = said.stdout.trim().split_once("&token=Bearer%20").unwrap().1;
    let inspected = Said::by(world.run("inspect --json").write_stdin(token)).json();
    assert_eq!(
        (&inspected["reach"], inspected["scopes"].to_string().contains("streams")),
        (&json!("limited"), true)
    );
}

#[test]
fn a_repeated_identifier_is_refused_once_and_not_retried() {
    let sandbox = Sandbox::start();
    let world = world(&sandbox);
    world.run("interaction create --identifier visit-1").assert().success();
    let said = Said::by(&mut world.run("interaction create --identifier visit-1 --json"));
    assert_eq!((said.code, &said.error()["http_status"]), (1, &json!(409)));
}

#[test]
fn a_ready_token_is_used_where_it_belongs() {
    let sandbox = Sandbox::start();
    let mut world = world(&sandbox);
    let token = Said::by(&mut world.run("token --full")).stdout;
    world.set("CORTI_ACCESS_TOKEN", token.trim());
    // Nothing is minted: the secret may be anything.
    world.set("CORTI_CLIENT_SECRET", "wrong");
    world.run("interaction create").assert().success();
    world.run("interaction create --connect-url").assert().code(2);
    let said = Said::by(&mut world.run("interaction create -e eu"));
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(said.stderr.contains("is not sent to `eu`"), "{}", said.stderr);
    world.run("interaction create -t other").assert().code(3);
    // A profile named on the command line outranks the variable.
    world
        .run("interaction create -p nope")
        .assert()
        .code(3)
        .stderr(predicate::str::contains("no profile `nope`"));
}

#[test]
fn a_ready_token_that_cannot_do_it_is_named() {
    let sandbox = Sandbox::start();
    let mut world = world(&sandbox);
    let limited = Said::by(&mut world.run("token --scope streams")).stdout;
    world.set("CORTI_ACCESS_TOKEN", limited.trim());
    world
        .run("interaction create")
        .assert()
        .code(5)
        .stderr(predicate::str::contains("a limited one"))
        .stderr(predicate::str::contains("403"));
    let issuer = format!("{}/realms/base", sandbox.environment);
    let expired = forged(&json!({ "alg": "RS256" }), &json!({ "typ": "Bearer", "exp": 1, "iss": issuer }));
    world.set("CORTI_ACCESS_TOKEN", &expired);
    world.run("interaction create").assert().code(7).stderr(predicate::str::contains("has expired"));
    let foreign = forged(
        &json!({ "alg": "RS256" }),
        &json!({ "typ": "Bearer", "exp": 9_999_999_999_i64, "iss": issuer, "scope": "openid" }),
    );
    world.set("CORTI_ACCESS_TOKEN", &foreign);
    world.run("interaction create").assert().code(5).stderr(predicate::str::contains("401"));
}

//! `check`: what a token opens compared with what its scopes promise, where a token may be sent, and that no
//! interaction is left.

use predicates::prelude::*;
use serde_json::{Value, json};

use crate::common::control::Control;
use crate::common::fake_server::{Answer, FakeServer};
use crate::common::ready::{interactions, mint, start};
use crate::common::{Said, World, forged, forged_token};

/// The exit code, each row as `promised:observed:finding`, and the whole object.
fn check(world: &World, arguments: &str) -> (i32, String, Value) {
    let said = Said::by(&mut world.run(&format!("check --json {arguments}")));
    let json = said.json();
    let field = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = json["rows"].as_array().unwrap().iter().map(|row| {
        format!("{}:{}:{}", field(row, "promised"), field(row, "observed"), field(row, "finding"))
    });
    let rows = rows.collect::<Vec<_>>().join(" ");
    (said.code, rows, json)
}

const DENIED: &str = "denied:denied:as_promised";
const ALLOWED: &str = "allowed:allowed:as_promised";

#[test]
fn a_token_that_opens_what_its_scopes_promise_passes() {
    let (_sandbox, world) = start(&[]);
    // An interaction that does not exist shows nothing about who may open it.
    let nowhere = "allowed:inconclusive:untold";
    let table = [
        ("--scope transcribe", format!("{DENIED} {DENIED} {DENIED} {ALLOWED} {DENIED}"), "limited"),
        ("--scope streams", format!("{DENIED} {DENIED} {DENIED} {DENIED} {nowhere}"), "limited"),
        ("--scope streams --streams", format!("{DENIED} {DENIED} {DENIED} {DENIED} {ALLOWED}"), "limited"),
        ("--full", format!("{ALLOWED} {ALLOWED} {ALLOWED} {ALLOWED} {nowhere}"), "full"),
        ("--full --streams", format!("{ALLOWED} {ALLOWED} {ALLOWED} {ALLOWED} {ALLOWED}"), "full"),
        (
            "--scope transcribe,streams --streams",
            format!("{DENIED} {DENIED} {DENIED} {ALLOWED} {ALLOWED}"),
            "limited",
        ),
        ("--scope transcribe --streams", format!("{DENIED} {DENIED} {DENIED} {ALLOWED} {DENIED}"), "limited"),
        // Corti does not document what such a token opens.
        (
            "--scope address",
            format!("{} unknown:inconclusive:untold", ["unknown:allowed:untold"; 4].join(" ")),
            "mixed",
        ),
    ];
    for (arguments, expected, reach) in table {
        let (code, rows, json) = check(&world, arguments);
        assert_eq!((code, rows), (0, expected), "{arguments}: {json:#}");
        assert_eq!((&json["reach"], &json["schema"]), (&json!(reach), &json!("corti-auth/check/v1")));
        let made = arguments.contains("--streams");
        assert_eq!(json["interaction"]["deleted"], if made { json!(true) } else { Value::Null }, "{json:#}");
    }
    assert_eq!(interactions(&world), 0, "something was left behind");
}

#[test]
fn a_limited_token_that_opens_more_exits_10() {
    let (_sandbox, world) = start(&["--ignore-scopes"]);
    let more = "denied:allowed:more";
    let (code, rows, json) = check(&world, "--scope transcribe --streams");
    assert_eq!((code, rows), (10, format!("{more} {more} {more} {ALLOWED} {more}")), "{json:#}");
    assert_eq!((&json["finding"], &json["interaction"]["deleted"]), (&json!("more"), &json!(true)));
    world
        .run("check --scope transcribe")
        .assert()
        .code(10)
        .stdout(predicate::str::contains(
            "MORE     GET /languages/        allowed, but not by the token's scopes",
        ))
        .stderr(predicate::str::contains(
            "error: the token can do more than its scopes allow: GET /languages/",
        ));
    // Without an interaction, `check` learns nothing about the socket of interactions.
    assert!(check(&world, "--scope transcribe").1.ends_with("denied:inconclusive:untold"));
    // For a full token all of it is expected.
    assert_eq!(check(&world, "--full --streams").0, 0);
    assert_eq!(interactions(&world), 0);
}

#[tokio::test]
async fn a_refused_token_exits_5() {
    let (sandbox, world) = start(&[]);
    let token = world.file("token.txt", mint(&world, "--full"));
    Control::of(&sandbox).rotate(true).await;
    let (code, rows, json) = check(&world, &token);
    assert_eq!((code, rows), (5, ["allowed:denied:less"; 5].join(" ")), "{json:#}");
    assert!(json["rows"][0]["detail"].as_str().unwrap().contains("The key of the token"), "{json:#}");
    world
        .run(&format!("check {token}"))
        .assert()
        .code(5)
        .stderr(predicate::str::contains("explain --status 401"));
}

#[tokio::test]
async fn what_cannot_be_tested_is_inconclusive_and_no_failure() {
    let (sandbox, world) = start(&[]);
    let control = Control::of(&sandbox);
    let token = world.file("token.txt", mint(&world, "--scope transcribe"));
    let untold = |promised: &str| format!("{promised}:inconclusive:untold");
    let expected = ["denied", "denied", "denied", "allowed", "denied"].map(untold).join(" ");
    for fault in ["gateway", "rate-limit", "quota", "breakdown", "timeout"] {
        // A read is repeated once where the server is busy.
        control.set(json!({ "api_fault": fault, "api_fail_count": 100 })).await;
        let (code, rows, json) = check(&world, &token);
        assert_eq!((code, &rows), (0, &expected), "{fault}: {json:#}");
        assert_eq!(json["finding"], "untold", "{fault}");
    }
    // An interaction that cannot be created is no failure either: the other results are still shown.
    control.set(json!({ "api_fault": "breakdown", "api_fail_count": 100 })).await;
    let (code, rows, json) = check(&world, &format!("{token} --streams"));
    assert_eq!((code, &rows, &json["interaction"]), (0, &expected, &Value::Null), "{json:#}");
    let detail = json["rows"][4]["detail"].as_str().unwrap();
    assert!(detail.contains("no interaction could be created: the API refused"), "{detail}");
    drop(sandbox);
    let (code, rows, json) = check(&world, &token);
    assert_eq!((code, rows), (0, expected), "{json:#}");
    assert!(json["rows"][0]["detail"].as_str().unwrap().contains("cannot connect"), "{json:#}");
}

#[test]
fn an_html_page_counts_as_inconclusive() {
    let server =
        FakeServer::start(vec![Answer::http("200 OK", &["Content-Type: text/html"], "<html>sign in</html>")]);
    let mut world = World::new();
    world.set("CORTI_ENVIRONMENT", &server.environment);
    let token = world.file("token.txt", forged_token(&server.environment, "openid transcribe"));
    let (code, rows, json) = check(&world, &token);
    assert_eq!((code, rows.matches("inconclusive:untold").count()), (0, 5), "{json:#}");
    // Exactly five requests, all with the token and without a body.
    let requests = server.requests();
    assert_eq!(requests.len(), 5, "{requests:?}");
    let lines: Vec<&str> = requests.iter().filter_map(|request| request.lines().next()).collect();
    assert_eq!(lines[2], "GET /v2/interactions/?pageSize=1 HTTP/1.1");
    assert!(requests.iter().all(|request| request.starts_with("GET ") && request.ends_with("\r\n\r\n")));
}

#[test]
fn a_token_is_sent_only_to_its_issuer() {
    let (home, world) = start(&[]);
    let (away, mut elsewhere) = start(&[]);
    let token = elsewhere.file("token.txt", mint(&world, "--full"));
    let refused = Said::by(&mut elsewhere.run(&format!("check {token}")));
    assert_eq!((refused.code, refused.stdout.as_str()), (7, ""), "{}", refused.stderr);
    let message = format!("was issued by `{}`, tenant `base`, and is not sent to", home.environment);
    assert!(refused.stderr.contains(&message), "{}", refused.stderr);
    // Not even with `--environment`.
    elsewhere.run(&format!("check {token} -e {}", away.environment)).assert().code(7).stdout("");
    elsewhere.run(&format!("check {token} -e {} -t other", away.environment)).assert().code(7);
    elsewhere.run(&format!("check {token} -t other")).assert().code(7);
    let nobody = forged(&json!({ "alg": "RS256" }), &json!({ "typ": "Bearer", "exp": 9_999_999_999_i64 }));
    let nobody = elsewhere.file("nobody.txt", nobody);
    elsewhere.run(&format!("check {nobody}")).assert().code(7).stderr(predicate::str::contains(
        "the token does not say which environment issued it: it was not sent\n",
    ));
    // Not even to its issuer, if no environment is configured here.
    let bare = World::new();
    let file = bare.file("token.txt", std::fs::read(&token).unwrap());
    bare.run(&format!("check {file}")).assert().code(3).stdout("");
    // CORTI_ACCESS_TOKEN is checked too, unless an option asks for another token.
    elsewhere.set("CORTI_ACCESS_TOKEN", std::fs::read_to_string(&token).unwrap().trim());
    elsewhere.run("check").assert().code(7);
    elsewhere.run("check --scope transcribe").assert().success();
}

#[test]
fn only_an_access_token_is_sent() {
    let (sandbox, world) = start(&[]);
    let issuer = format!("{}/realms/base", sandbox.environment);
    let table = [
        ("no token".to_owned(), 7, "no token in this text"),
        ("abc".to_owned(), 7, ""),
        (forged(&json!({ "alg": "RS256" }), &json!({ "typ": "ID", "iss": issuer })), 7, "of the kind `id`"),
        (
            forged(&json!({ "alg": "RS256" }), &json!({ "typ": "Bearer", "exp": 1, "iss": issuer })),
            7,
            "expired",
        ),
    ];
    for (text, code, message) in table {
        let file = world.file("token.txt", &text);
        world.run(&format!("check {file}")).assert().code(code).stderr(predicate::str::contains(message));
        let piped = world.run("check -").write_stdin(text).assert().code(code).stdout("");
        drop(piped);
    }
    let empty = world.file("empty.txt", "\n");
    for (words, hint) in [
        ("check", "corti-auth token transcribe | corti-auth check -"),
        ("probe streams --token-file", "corti-auth token full | corti-auth probe streams --token-file -"),
        ("diff -", "corti-auth token transcribe | corti-auth diff - FILE"),
        ("inspect", "corti-auth token transcribe | corti-auth inspect"),
    ] {
        let said = Said::by(world.run(&format!("{words} {empty}")).write_stdin(""));
        assert_eq!((said.code, said.stdout.as_str()), (7, ""), "{words}: {}", said.stderr);
        let end = format!("no token: the input is empty\nhint: {hint}\n");
        assert!(said.stderr.ends_with(&end), "{words}: {}", said.stderr);
    }
    for (words, message) in [
        ("check", "say what the token may do"),
        ("check file --full", "cannot be used with"),
        ("check /no/such", "cannot read the token"),
    ] {
        world.run(words).assert().code(2).stdout("").stderr(predicate::str::contains(message));
    }
}

#[tokio::test]
async fn an_interrupted_check_leaves_no_interaction() {
    let (sandbox, world) = start(&[]);
    let control = Control::of(&sandbox);
    let mut hit = 0;
    // Slow enough to be interrupted at any step.
    for wait in [1, 2, 3, 4, 5, 6, 7] {
        control.set(json!({ "latency_ms": 300 })).await;
        let mut running = world.start("check --scope streams --streams");
        tokio::time::sleep(std::time::Duration::from_millis(wait * 400)).await;
        running.interrupt();
        // No exit code: the signal came before `check` handled it, so nothing was done.
        let code = running.wait();
        assert!([None, Some(130), Some(0)].contains(&code), "{code:?}");
        hit += u32::from(code == Some(130));
        control.reset().await;
        assert_eq!(interactions(&world), 0, "after {wait}");
    }
    assert!(hit > 0, "no signal came in time");
}

#[test]
fn an_interaction_that_cannot_be_deleted_is_named() {
    let server = FakeServer::start_by(|environment| {
        let granted = Answer::granted(&forged_token(environment, "openid"), "openid");
        let socket = environment.replacen("http", "ws", 1);
        let id = "6f1c1f0a-3b0e-4b52-9d0c-0a2b3c4d5e6f";
        let created = json!({
            "interactionId": id,
            "websocketUrl": format!("{socket}/audio-bridge/v2/interactions/{id}/streams?tenant-name=base"),
        });
        let (fine, busy) = (Answer::json("{}"), Answer::http("500 Internal Server Error", &[], ""));
        let created = Answer::json(&created.to_string());
        let answers = [&granted, &granted, &fine, &fine, &fine, &busy, &created, &busy];
        answers.map(Clone::clone).to_vec()
    });
    let world = World::client_of(&server.environment);
    let said = Said::by(&mut world.run("check --full --streams --json"));
    assert_eq!((said.code, &said.json()["interaction"]["deleted"]), (1, &json!(false)), "{}", said.stderr);
    assert!(said.stderr.contains("corti-auth interaction delete 6f1c1f0a"), "{}", said.stderr);
    let last = server.requests().last().unwrap().clone();
    assert!(last.starts_with("DELETE /v2/interactions/6f1c1f0a-"), "{last}");
}

#[test]
fn text_around_a_pasted_token_is_ignored() {
    let (_sandbox, world) = start(&[]);
    let token = mint(&world, "--scope transcribe");
    for (text, remark) in [
        (format!("Bearer {token}"), "read from: the text after `Bearer`\n"),
        (format!("Authorization: Bearer {token}"), "read from: an Authorization header\n"),
        (format!("\"{token}\""), "read from: a text in quotes\n"),
    ] {
        let said = Said::by(world.run("check -").write_stdin(text));
        assert_eq!(said.code, 0, "{}", said.stderr);
        assert!(said.stderr.contains(remark) && !said.stderr.contains(&token), "{}", said.stderr);
    }
}

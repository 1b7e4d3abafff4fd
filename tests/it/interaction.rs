//! `interaction create`: the websocketUrl alone, the URL with a token, a ready token, and refusals.

use predicates::prelude::*;
use serde_json::json;

use crate::common::fake_server::{Answer, FakeServer};
use crate::common::{Said, Sandbox, World, forged, forged_token};

#[test]
fn stdout_is_the_url_alone() {
    let sandbox = Sandbox::start();
    let said = Said::by(&mut World::of(&sandbox).run("interaction create"));
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
fn json_has_every_field() {
    let sandbox = Sandbox::start();
    let json = Said::by(&mut World::of(&sandbox).run("interaction create --json")).json();
    assert_eq!(json["schema"], "corti-auth/interaction-create/v1");
    assert_eq!((&json["environment"], &json["tenant"]), (&json!(sandbox.environment), &json!("base")));
    assert!(json["websocket_url"].as_str().unwrap().contains(json["interaction_id"].as_str().unwrap()));
    assert_eq!(json.get("connect_url"), None);
}

#[test]
fn a_connect_url_carries_a_limited_token_and_a_warning() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let said = Said::by(&mut world.run("interaction create --connect-url"));
    assert!(said.stderr.contains("the URL has a token in it"), "{}", said.stderr);
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
    let world = World::of(&sandbox);
    world.run("interaction create --identifier visit-1").assert().success();
    let said = Said::by(&mut world.run("interaction create --identifier visit-1 --json"));
    assert_eq!((said.code, &said.error()["http_status"]), (1, &json!(409)));
}

#[test]
fn a_ready_token_is_sent_only_to_its_issuer() {
    let sandbox = Sandbox::start();
    let mut world = World::of(&sandbox);
    let token = Said::by(&mut world.run("token --full")).stdout;
    world.set("CORTI_ACCESS_TOKEN", token.trim());
    // Nothing is minted, so the secret may be wrong.
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
fn an_unsuitable_ready_token_is_named() {
    let sandbox = Sandbox::start();
    let mut world = World::of(&sandbox);
    let limited = Said::by(&mut world.run("token --scope streams")).stdout;
    world.set("CORTI_ACCESS_TOKEN", limited.trim());
    world
        .run("interaction create")
        .assert()
        .code(5)
        .stderr(predicate::str::contains("is limited and cannot call the REST API"))
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

#[test]
fn options_win_over_the_file_and_the_file_over_the_defaults() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let file = json!({
        "assignedUserId": "0b9a6b1e-1111-4222-8333-444455556666",
        "encounter": {
            "identifier": "visit-7", "status": "planned", "type": "emergency", "title": "from the file",
            "period": { "startedAt": "2026-11-24T08:00:00Z", "endedAt": null },
        },
        "patient": { "identifier": "p-1", "name": "Ada", "gender": "female", "birthDate": "1946-09-05", "pronouns": "she" },
    });
    let path = world.file("visit.json", file.to_string());
    let flags = "--status completed --title flag --ended-at 2026-11-24T09:00:00Z --gender other";
    let made = Said::by(&mut world.run(&format!("interaction create --from {path} {flags} --json"))).json();
    let id = made["interaction_id"].as_str().unwrap();
    let shown = Said::by(&mut world.run(&format!("interaction get {id} --json"))).json();
    assert_eq!(shown["schema"], "corti-auth/interaction/v1");
    assert_eq!(shown["assigned_user_id"], file["assignedUserId"]);
    let encounter = json!({
        "identifier": "visit-7", "status": "completed", "type": "emergency", "title": "flag",
        "period": { "started_at": "2026-11-24T08:00:00Z", "ended_at": "2026-11-24T09:00:00Z" },
    });
    assert_eq!(shown["encounter"], encounter);
    let patient = json!({ "identifier": "p-1", "name": "Ada", "gender": "other", "birth_date": "1946-09-05", "pronouns": "she" });
    assert_eq!(shown["patient"], patient);
    assert_eq!(shown["websocket_url"], made["websocket_url"]);
    let text = Said::by(&mut world.run(&format!("interaction get {id}"))).stdout;
    for words in [&format!("interaction   {id}"), "status        completed", "name          Ada"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_piped_body_is_completed_with_defaults() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let mut create = world.run("interaction create --from - --type inpatient --patient p-2");
    let said = Said::by(create.write_stdin("{}"));
    assert_eq!(said.code, 0, "{}", said.stderr);
    let row = Said::by(&mut world.run("interaction list --patient p-2")).stdout;
    let cells: Vec<&str> = row.trim_end().split('\t').collect();
    assert_eq!((cells.len(), cells[2], cells[3], cells[4].len()), (5, "planned", "inpatient", 36), "{row}");
}

#[test]
fn only_the_shape_of_a_body_is_checked_here() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    for (text, words) in [
        ("[]", "not an object"),
        ("{\"a\": canary}", "not JSON: line 1"),
        ("", "not JSON"),
        ("{\"encounter\": \"x\"}", "`encounter` is not an object"),
    ] {
        let path = world.file("body", text);
        let said = Said::by(&mut world.run(&format!("interaction create --from {path} --status planned")));
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{text}");
        assert!(said.stderr.contains(words) && !said.stderr.contains("canary"), "{text}: {}", said.stderr);
    }
    world
        .run("interaction create --from /no/such")
        .assert()
        .code(2)
        .stderr(predicate::str::contains("cannot read"));
    world.run("interaction create --status begun").assert().code(2);
    // Whether the values are valid, the API decides.
    let path = world.file("body", r#"{"encounter":{"type":"odd"},"patient":{"name":"Ada"}}"#);
    let said = Said::by(&mut world.run(&format!("interaction create --from {path}")));
    assert_eq!(said.code, 1, "{}", said.stderr);
    assert!(
        said.stderr.contains("encounter.type") && said.stderr.contains("patient.identifier"),
        "{}",
        said.stderr
    );
    assert_eq!(Said::by(&mut world.run("interaction list")).stdout, "");
}

#[test]
fn a_bad_piped_body_is_called_standard_input() {
    let sandbox = Sandbox::start();
    let said = Said::by(World::of(&sandbox).run("interaction create --from -").write_stdin("[]"));
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(said.stderr.contains("standard input is not the body of an interaction"), "{}", said.stderr);
}

#[test]
fn after_a_cut_off_answer_the_interaction_may_exist() {
    let cut_off = "HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{\"interactionId\"";
    let halved = Answer::http("201 Created", &[], r#"{"interactionId":"#);
    let refused = Answer::http("403 Forbidden", &[], r#"{"detail":"no"}"#);
    // The scopes of the tokens that the command mints, and how many requests it makes before it creates the
    // interaction.
    let full: &[&str] = &["openid"];
    let limited: &[&str] = &["openid streams", "openid"];
    for (command, scopes, looks, answer, code, is_in_doubt) in [
        ("interaction create", full, 0, Answer::Bytes(cut_off.into()), 8, true),
        ("interaction create", full, 0, halved.clone(), 8, true),
        ("interaction create", full, 0, refused.clone(), 5, false),
        ("probe streams", limited, 0, halved.clone(), 8, true),
        ("session streams", limited, 0, halved.clone(), 8, true),
        ("check --scope streams --streams", limited, 4, halved, 0, true),
        ("check --scope streams --streams", limited, 4, refused.clone(), 0, false),
    ] {
        let server = FakeServer::start_by(|environment| {
            let tokens = scopes.iter().map(|scope| Answer::granted(&forged_token(environment, scope), scope));
            tokens.chain(vec![refused.clone(); looks]).chain([answer]).collect()
        });
        let world = World::client_of(&server.environment);
        let said = Said::by(&mut world.run(&format!("{command} -t base")));
        assert_eq!(said.code, code, "{command}: {}{}", said.stdout, said.stderr);
        assert_eq!(server.requests().len(), scopes.len() + looks + 1, "{command}");
        let said = said.stdout + &said.stderr;
        let doubt = "the interaction may have been created, but Corti's answer was lost or unusable";
        let hint = "look for it: corti-auth interaction list";
        assert_eq!(said.contains(doubt) && said.contains(hint), is_in_doubt, "{command}: {said}");
        assert_eq!(said.contains(doubt) || said.contains(hint), is_in_doubt, "{command}: {said}");
    }
}

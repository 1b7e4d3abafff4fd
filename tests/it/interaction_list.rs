//! `interaction list`, `get` and `delete`: every page, as a table or for programs, and nothing is deleted by
//! accident.

use predicates::prelude::*;
use rexpect::session::spawn_command;
use serde_json::{Value, json};

use crate::common::fake_server::{Answer, FakeServer};
use crate::common::ready::interactions;
use crate::common::{self, Said, Sandbox, World, control, forged};

/// A world with a ready full token, so that nothing is minted.
fn world(sandbox: &Sandbox) -> World {
    let mut world = World::of(sandbox);
    let token = Said::by(&mut world.run("token --full")).stdout;
    world.set("CORTI_ACCESS_TOKEN", token.trim());
    world
}

/// Creates `count` interactions, the first of them completed.
async fn fill(sandbox: &Sandbox, world: &World, count: usize) {
    let token = world.variables().find(|(name, _)| *name == "CORTI_ACCESS_TOKEN").unwrap().1;
    let client = control::client();
    for number in 0..count {
        let status = if number == 0 { "completed" } else { "planned" };
        let body = json!({
            "encounter": { "identifier": format!("visit-{number}"), "status": status, "type": "consultation" },
            "patient": { "identifier": "p", "name": "Canary" },
        });
        let request = client.post(format!("{}/v2/interactions/", sandbox.environment)).body(body.to_string());
        let request = request.bearer_auth(token).header("Tenant-Name", "base");
        assert_eq!(request.send().await.unwrap().status(), 201);
    }
}

fn lines(world: &World, arguments: &str) -> Vec<Vec<String>> {
    let said = Said::by(&mut world.run(&format!("interaction list {arguments}")));
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{arguments}");
    said.stdout.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

#[tokio::test]
async fn every_page_is_listed() {
    let sandbox = Sandbox::start();
    let world = world(&sandbox);
    let said = Said::by(&mut world.run("interaction list"));
    assert_eq!((said.code, said.stdout.as_str()), (0, ""));
    assert!(said.stderr.contains("no interactions match"));
    fill(&sandbox, &world, 103).await;
    let all = lines(&world, "");
    assert_eq!(all.len(), 103);
    let names: Vec<&str> = all.iter().map(|cells| cells[4].as_str()).collect();
    assert_eq!((names[0], names[102]), ("visit-102", "visit-0"), "the newest first");
    assert!(
        all.iter()
            .all(|cells| cells.len() == 5 && cells[1].len() == 20 && !cells.concat().contains("Canary"))
    );
    assert_eq!(lines(&world, "--limit 3").len(), 3);
    assert_eq!(lines(&world, "--limit 60").len(), 60);
    assert_eq!(lines(&world, "--ascending --limit 1")[0][4], "visit-0");
    assert_eq!(lines(&world, "--status completed --patient p")[0][4], "visit-0");
    assert_eq!(lines(&world, "--status completed").len(), 1);
    assert_eq!(lines(&world, "--sort updated --limit 1")[0][4], "visit-102");
    let json = Said::by(&mut world.run("interaction list --json --limit 2"));
    let objects: Vec<Value> = json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((objects.len(), &objects[0]["schema"]), (2, &json!("corti-auth/interaction/v1")));
    assert_eq!(objects[1]["patient"]["name"], "Canary");
    assert!(objects[1]["websocket_url"].as_str().unwrap().contains("/streams?tenant-name=base"));
}

#[tokio::test]
async fn a_terminal_gets_a_table_and_a_question_before_a_deletion() {
    let sandbox = Sandbox::start();
    let world = world(&sandbox);
    fill(&sandbox, &world, 1).await;
    let id = lines(&world, "")[0][0].clone();
    let on_terminal = |arguments: &str| {
        let mut command = std::process::Command::new(common::binary());
        command.env_clear().envs(world.variables()).env("TERM", "dumb").args(arguments.split(' '));
        spawn_command(command, Some(20_000)).unwrap()
    };
    let seen = on_terminal("interaction list").exp_eof().unwrap();
    let table: Vec<Vec<&str>> = seen.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(table[0], ["ID", "CREATED", "STATUS", "TYPE", "ENCOUNTER"], "{seen}");
    assert_eq!((table[1][0], table[1][3], table[1][5]), (id.as_str(), "completed", "visit-0"));
    for (answer, is_left) in [("n", true), ("", true), ("y", false)] {
        let mut session = on_terminal(&format!("interaction delete {id}"));
        let seen = session.exp_string("Delete it, with its recordings").unwrap();
        assert!(seen.contains("visit-0") && seen.contains("Canary"), "{seen}");
        session.send_line(answer).unwrap();
        session.exp_eof().unwrap();
        assert_eq!(interactions(&world), usize::from(is_left), "{answer}");
    }
}

#[tokio::test]
async fn a_deletion_needs_yes_and_removes_the_interaction() {
    let sandbox = Sandbox::start();
    let world = world(&sandbox);
    fill(&sandbox, &world, 2).await;
    let id = lines(&world, "")[0][0].clone();
    let delete = format!("interaction delete {id}");
    world.run(&delete).assert().code(2).stderr(predicate::str::contains("--yes"));
    world.run(&format!("{delete} --no-input")).assert().code(2);
    assert_eq!(interactions(&world), 2);
    let json = Said::by(&mut world.run(&format!("{delete} --yes --json"))).json();
    assert_eq!((&json["interaction_id"], &json["deleted"]), (&json!(id), &json!(true)));
    assert_eq!(interactions(&world), 1);
    let again = Said::by(&mut world.run(&format!("{delete} -y --json")));
    assert_eq!((again.code, &again.error()["http_status"]), (1, &json!(404)));
    world.run(&format!("interaction get {id}")).assert().code(1);
}

#[test]
fn a_list_ends_when_nobody_reads_its_output() {
    // Every page differs, so only the end of this vector would end the list.
    let page =
        |number: usize| Answer::json(&json!({ "interactions": [{ "id": number.to_string() }] }).to_string());
    let server = FakeServer::start((0..500).map(page).collect());
    let mut world = World::new();
    world.set("CORTI_ENVIRONMENT", &server.environment);
    world.set("CORTI_ACCESS_TOKEN", "opaque");
    let mut sh = world.program("sh");
    sh.env("CORTI_AUTH", common::binary()).args(["-c", "\"$CORTI_AUTH\" interaction list | head -n 1"]);
    let said = Said::by(&mut sh);
    assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (0, "0\t\t\t\t\n", ""));
    assert!(server.requests().len() < 500, "{}", server.requests().len());
}

#[test]
fn an_id_cannot_name_another_path() {
    let server = FakeServer::start(vec![Answer::json("{}")]);
    let mut world = World::new();
    world.set("CORTI_ENVIRONMENT", &server.environment);
    world.set("CORTI_ACCESS_TOKEN", "opaque");
    for id in ["..", "../factgroups", "a", "6f9c1a1e-5a0f-4a54-9f43-2f4d1a7c8b90/x", "6f9c1a1e%2d", "?x=1"] {
        world.run(&format!("interaction get {id}")).assert().code(2).stdout("");
        world.run(&format!("interaction delete {id} --yes")).assert().code(2).stdout("");
    }
    assert_eq!(server.requests(), Vec::<String>::new());
    // Whatever its form, it is sent as Corti writes it.
    let answer = Said::by(&mut world.run("interaction delete 6F9C1A1E5A0F4A549F432F4D1A7C8B90 --yes"));
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let request = &server.requests()[0];
    let line = "DELETE /v2/interactions/6f9c1a1e-5a0f-4a54-9f43-2f4d1a7c8b90 HTTP/1.1\r\n";
    assert!(request.starts_with(line), "{request}");
    let head = request.to_ascii_lowercase();
    assert!(head.contains("authorization: bearer opaque") && head.contains("tenant-name: base"), "{request}");
}

#[test]
fn a_repeated_page_ends_the_list_with_an_error() {
    let page = json!({ "interactions": [{ "id": "a" }, { "id": "b\u{1b}[2J\tc" }] });
    let server = FakeServer::start(vec![Answer::json(&page.to_string())]);
    let mut world = World::new();
    world.set("CORTI_ENVIRONMENT", &server.environment);
    world.set("CORTI_ACCESS_TOKEN", "opaque");
    let said = Said::by(&mut world.run("interaction list"));
    assert_eq!((said.code, server.requests().len()), (8, 2), "{}", said.stderr);
    assert_eq!(said.stdout, "a\t\t\t\t\nb\\u{1b}[2J\\u{9}c\t\t\t\t\n");
    assert!(said.stderr.contains("page 2 of the API has no new"), "{}", said.stderr);
    assert_eq!(Said::by(&mut world.run("interaction list --limit 2")).code, 0);
}

#[test]
fn interactions_without_an_id_are_listed() {
    let page = json!({ "interactions": [{ "createdAt": "x" }, { "id": "a" }, { "createdAt": "y" }] });
    let server =
        FakeServer::start(vec![Answer::json(&page.to_string()), Answer::json(r#"{"interactions":[]}"#)]);
    let mut world = World::new();
    world.set("CORTI_ENVIRONMENT", &server.environment);
    world.set("CORTI_ACCESS_TOKEN", "opaque");
    let said = Said::by(&mut world.run("interaction list"));
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "\tx\t\t\t\na\t\t\t\t\n\ty\t\t\t\n"),
        "{}",
        said.stderr
    );
    let nameless = |at: &str| Answer::json(&json!({ "interactions": [{ "createdAt": at }] }).to_string());
    let server = FakeServer::start(vec![nameless("x"), nameless("y"), nameless("y")]);
    world.set("CORTI_ENVIRONMENT", &server.environment);
    let said = Said::by(&mut world.run("interaction list"));
    assert_eq!((said.code, server.requests().len()), (8, 3), "{}", said.stderr);
    assert!(said.stderr.contains("page 3 of the API has no new"), "{}", said.stderr);
}

#[test]
fn refusals_have_their_exit_codes_and_show_no_token() {
    let token = forged(&json!({ "alg": "RS256" }), &json!({ "typ": "Bearer" }));
    let echo = format!(r#"{{"requestid":"r","status":400,"type":"x","detail":"bad {token}"}}"#);
    for (answer, code) in [
        (Answer::http("400 Bad Request", &[], &echo), 1),
        (Answer::http("401 Unauthorized", &[&format!("WWW-Authenticate: Bearer error=\"{token}\"")], ""), 5),
        (Answer::http("403 Forbidden", &[], &echo), 5),
        (Answer::http("500 Internal Server Error", &[], &echo), 9),
        (Answer::json("<html>"), 8),
    ] {
        for command in [
            "list",
            "get 6f9c1a1e-5a0f-4a54-9f43-2f4d1a7c8b90",
            "delete 6f9c1a1e-5a0f-4a54-9f43-2f4d1a7c8b90 --yes",
        ] {
            let server = FakeServer::start(vec![answer.clone()]);
            let mut world = World::new();
            world.set("CORTI_ENVIRONMENT", &server.environment);
            world.set("CORTI_ACCESS_TOKEN", &token);
            let said = Said::by(&mut world.run(&format!("interaction {command} -vv")));
            assert_eq!((said.code, said.stdout.as_str()), (code, ""), "{command}: {}", said.stderr);
            assert!(!said.stderr.contains(&token) && said.stderr.contains("hint: "), "{}", said.stderr);
        }
    }
}

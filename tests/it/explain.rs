//! `explain` of the token endpoint's answers, of a status alone, and of wrong usage. A test checks that every cause
//! is asserted with a real answer.

use std::path::Path;

use predicates::prelude::*;
use serde_json::json;

use crate::common::control::Control;
use crate::common::ready::{mint, start};
use crate::common::saved::{Id, assert_first, exchange, explain, form, grant, names};
use crate::common::{self, Said, World};

const TOKEN: &str = "POST /realms/base/protocol/openid-connect/token";

#[test]
fn a_refused_token_request_has_a_cause() {
    let (sandbox, world) = start(&[]);
    let own = form(&sandbox, "openid");
    let table = [
        (own.replace("client_id=sandbox", "client_id=nobody"), Id("unknown-client"), "invalid_client"),
        (own.replace("client_secret=", "client_secret=x"), Id("wrong-secret"), "Invalid client credentials"),
        (
            form(&sandbox, "openid+stream"),
            Id("misspelt-scope"),
            "unknown scope `stream`; did you mean `streams`?",
        ),
        (form(&sandbox, "openid+interactions:read"), Id("refused-scope"), "Invalid scopes"),
        (form(&sandbox, "openid++transcribe"), Id("refused-scope"), "Invalid scopes"),
        (own.replace("client_credentials", "password"), Id("refused-grant"), "Unsupported grant_type"),
        (own.replace("client_credentials", "magic"), Id("refused-grant"), "Unsupported grant_type"),
        (format!("{own}&scope=openid"), Id("refused-grant"), "duplicated parameter"),
    ];
    for (form, id, words) in table {
        let explained = explain(&world, &grant(&sandbox, &form), "");
        assert_first(&explained, id, words);
        assert_eq!(explained["shape"], "an OAuth error");
        assert_eq!(names(&explained).len(), 1, "{explained:#}");
    }
    let json = exchange(&sandbox, TOKEN, &["Content-Type: application/json"], r#"{"grant_type":"x"}"#);
    assert_first(&explain(&world, &json, ""), Id("not-a-form"), "Missing form parameter");
    let origin = ["Content-Type: application/x-www-form-urlencoded", "Origin: https://clinic.example"];
    let page = exchange(&sandbox, TOKEN, &origin, &own);
    assert_first(&explain(&world, &page, ""), Id("foreign-origin"), "Invalid origin");
    let nowhere = exchange(&sandbox, &TOKEN.replace("base", "nowhere"), &[], "");
    assert_first(&explain(&world, &nowhere, ""), Id("unknown-tenant"), "Realm does not exist");
    let path = exchange(&sandbox, &TOKEN.replace("/token", "/tokens"), &[], "");
    assert_first(&explain(&world, &path, ""), Id("unknown-path"), "404 Not Found");
    let path = exchange(&sandbox, &TOKEN.replace("openid-connect/token", "openid/token"), &[], "");
    assert_first(&explain(&world, &path, ""), Id("unknown-path"), "404 Not Found");
}

#[test]
fn a_granted_token_without_a_limited_scope_is_called_full() {
    let (sandbox, world) = start(&[]);
    let answer = grant(&sandbox, &form(&sandbox, "openid"));
    let explained = explain(&world, &answer, "");
    assert_first(&explained, Id("full-token"), "email profile");
    assert!(explained["causes"][0]["remedy"].as_str().unwrap().contains("token transcribe"));
    assert!(!explained.to_string().contains("eyJ"), "the token is repeated");
    let limited = grant(&sandbox, &form(&sandbox, "openid+streams"));
    let explained = explain(&world, &limited, "");
    assert_first(&explained, Id("granted"), "openid streams");
}

#[tokio::test]
async fn a_failing_token_endpoint_is_told_from_a_refusal() {
    let (sandbox, world) = start(&[]);
    let control = Control::of(&sandbox);
    let table = [(429, Id("rate-limit")), (503, Id("server-trouble")), (500, Id("server-trouble"))];
    for (status, id) in table {
        control.set(json!({ "fail_count": 1, "fail_status": status, "retry_after": 7 })).await;
        let answer = grant(&sandbox, &form(&sandbox, "openid"));
        let explained = explain(&world, &answer, "");
        assert_first(&explained, id, "told to fail");
        assert_eq!((&explained["status"], names(&explained).len()), (&json!(status), 1), "{explained:#}");
    }
    control.set(json!({ "truncate_answers": 1, "retry_after": null })).await;
    let half = grant(&sandbox, &form(&sandbox, "openid"));
    assert_first(&explain(&world, &half, ""), Id("broken-off"), "ends too early");
}

#[test]
fn a_status_alone_lists_its_possible_causes() {
    let world = World::new();
    let all = |status: &str| {
        let said = Said::by(&mut world.run(&format!("explain --json --status {status}")));
        assert_eq!(said.code, 0, "{}", said.stderr);
        let explained = said.json();
        for cause in explained["causes"].as_array().unwrap() {
            assert_eq!(cause["confidence"], "low", "{explained:#}");
        }
        names(&explained).join(" ")
    };
    assert_eq!(all("401"), "bad-credentials expired clock-skew missing-bearer wrong-environment");
    assert_eq!(all("403"), "limited-token-on-rest wrong-scope-for-the-socket wrong-tenant missing-tenant");
    assert_eq!(all("404"), "no-such-interaction unknown-path");
    assert_eq!(all("409"), "duplicate-identifier");
    assert_eq!(all("400"), "invalid-request");
    assert_eq!(all("429"), "quota rate-limit");
    assert_eq!(all("502"), "gateway server-trouble");
    assert_eq!(all("500"), "server-trouble");
}

#[test]
fn without_a_known_cause_it_exits_1_and_says_what_would_help() {
    let world = World::new();
    world
        .run("explain --status 418")
        .assert()
        .code(1)
        .stdout("status  418\n")
        .stderr(predicate::str::contains("error: no known cause matches"))
        .stderr(predicate::str::contains("hint: save the response too"))
        .stderr(predicate::str::contains("hint: add the token that was used"));
    let said = Said::by(&mut world.run("explain --status 418 --json"));
    assert_eq!((said.code, &said.json()["causes"], &said.error()["exit"]), (1, &json!([]), &json!(1)));
    let odd = world.file("odd", "no answer of anybody's");
    let said = Said::by(&mut world.run(&format!("explain --response {odd}")));
    assert_eq!((said.code, said.stdout.as_str()), (1, "answer  not JSON or HTML I recognise\n"));
}

#[test]
fn missing_or_unreadable_input_is_a_usage_error() {
    let world = World::new();
    let table = [
        ("explain", "say what to explain: a status, a response or a token"),
        ("explain --response - --token-file -", "cannot both come from standard input"),
        ("explain --response /no/such", "cannot read the response from `/no/such`"),
        ("explain --token-file /no/such", "cannot read the token from `/no/such`"),
        ("explain no-such-file", "cannot read the response from `no-such-file`"),
        ("explain 401 --status 401", "given twice"),
        ("explain - --response -", "given twice"),
        ("explain 99", "STATUS is an HTTP status or a close code, such as 401"),
        ("explain --status 99", "STATUS is an HTTP status or a close code, such as 401"),
        ("explain --status abc", "STATUS is an HTTP status or a close code, such as 401"),
    ];
    for (words, message) in table {
        world.run(words).assert().code(2).stdout("").stderr(predicate::str::contains(message));
    }
    let saved = world.file("saved", "HTTP/1.1 401 Unauthorized\r\n\r\n");
    let both = format!("explain --status 403 --response {saved}");
    world.run(&both).assert().code(2).stderr(predicate::str::contains("you gave the status 403"));
    world.run(&format!("explain --status 401 --response {saved}")).assert().success();
    let long = world.file("long", "");
    std::fs::File::options().write(true).open(&long).unwrap().set_len(64 * 1024 * 1024 + 1).unwrap();
    world.run(&format!("explain --response {long}")).assert().code(2);
    world.run("explain --status 401 -p nope").assert().code(3).stderr(predicate::str::contains("no profile"));
}

/// A body alone, piped in or in a file, and a browser's HAR.
#[test]
fn what_was_pasted_is_explained_without_options() {
    let world = World::new();
    let error = json!({ "error": "unauthorized_client", "error_description": "Invalid client or Invalid client credentials" });
    let piped = Said::by(world.run("explain - --json").write_stdin(error.to_string()));
    let file = world.file("error.json", error.to_string());
    let named = Said::by(&mut world.run(&format!("explain {file} --json")));
    assert_eq!((piped.code, &piped.stdout), (0, &named.stdout), "{}{}", piped.stderr, named.stderr);
    assert_eq!(piped.json()["shape"], "an OAuth error");
    let token = crate::common::forged_token("https://auth.eu.corti.app", "openid transcribe");
    let entry = |status: u16, body: &str| {
        json!({
            "request": { "method": "GET", "url": "https://api.eu.corti.app/v2/languages/", "headers": [
                { "name": "authorization", "value": format!("Bearer {token}") }, { "name": "tenant-name", "value": "base" }] },
            "response": { "status": status, "headers": [], "content": { "text": body } },
        })
    };
    let har = json!({ "log": { "entries": [entry(200, "[]"), entry(403, ""), entry(500, "")] } });
    let har = world.file("saved.har", serde_json::to_string_pretty(&har).unwrap());
    let explained = Said::by(&mut world.run(&format!("explain {har} --token-file {har} --json"))).json();
    assert_eq!((&explained["status"], &explained["token"]["reach"]), (&json!(403), &json!("limited")));
    assert_eq!(names(&explained)[0], "limited-token-on-rest", "{explained:#}");
    // The token of the request counts more than the one in the variable.
    let other = crate::common::forged_token("https://auth.us.corti.app", "openid profile");
    let from_request =
        Said::by(world.run(&format!("explain {har} --json")).env("CORTI_ACCESS_TOKEN", other)).json();
    assert_eq!(from_request, explained);
    // A token that was hidden before the request was saved says nothing.
    for hidden in ["Bearer [redacted]", "Bearer ***", "Bearer eyJhbGciOi...x"] {
        let entry = json!({ "request": { "url": "https://api.eu.corti.app/v2/languages/",
            "headers": [{ "name": "authorization", "value": hidden }] }, "response": { "status": 401, "content": {} } });
        let har = world.file("hidden.har", json!({ "log": { "entries": [entry] } }).to_string());
        let explained = Said::by(&mut world.run(&format!("explain {har} --json"))).json();
        assert_eq!(explained["token"], json!(null));
        assert!(!names(&explained).contains(&"not-a-token"), "{explained:#}");
    }
}

#[test]
fn a_file_may_hold_just_a_token_or_a_status() {
    let world = World::new();
    let token = crate::common::forged_token("https://auth.eu.corti.app", "openid transcribe");
    let given = world.file("token.txt", format!("{token}\n"));
    let by_option = Said::by(&mut world.run(&format!("explain --status 403 --token-file {given} --json")));
    let alone = Said::by(&mut world.run(&format!("explain {given} --status 403 --json")));
    assert_eq!((alone.code, &alone.stdout), (0, &by_option.stdout), "{}", alone.stderr);
    let number = world.file("status.txt", "429\n");
    assert_eq!(Said::by(&mut world.run(&format!("explain {number} --json"))).json()["status"], 429);
}

#[test]
fn guesses_name_the_file_that_would_rank_them() {
    let world = World::new();
    let token = world.file("token", "no-jwt");
    let (alone, line) = ("explain --status 404", "guesses; add --response FILE to rank them.\n");
    for (words, start) in [
        (alone.to_owned(), "With a status alone these are "),
        (format!("{alone} --token-file {token}"), "These are "),
    ] {
        world.run(&words).assert().success().stdout(predicate::str::ends_with(format!("{start}{line}")));
    }
}

#[test]
fn causes_are_numbered_and_each_has_a_remedy() {
    let (sandbox, world) = start(&[]);
    let token = world.file("token", mint(&world, "--scope transcribe"));
    let answer =
        common::saved::read(&sandbox, "/v2/languages/", std::fs::read_to_string(&token).unwrap().trim());
    let file = world.file("saved.txt", &*answer);
    let said = Said::by(&mut world.run(&format!("explain --response {file} --token-file {token}")));
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(
        lines[0],
        "1. a limited token opens WebSockets, not the REST API (certain) [limited-token-on-rest]"
    );
    assert!(lines[1].starts_with("   because  the server says: "), "{}", said.stdout);
    assert!(lines[2].contains("the token's scopes are `email openid profile transcribe`"), "{}", said.stdout);
    assert!(lines[3].starts_with("   remedy   the REST API needs a full token"), "{}", said.stdout);
    assert_eq!(lines[4].trim_start(), "corti-auth token full");
    assert!(lines[5].starts_with("for Corti's support: request ") && lines.len() == 6, "{}", said.stdout);
}

#[test]
fn every_cause_is_asserted_with_a_real_answer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |folder: &str, part: &str| -> String {
        let files = std::fs::read_dir(root.join(folder)).unwrap().flatten();
        let files = files.filter(|file| file.file_name().to_string_lossy().starts_with(part));
        files.map(|file| std::fs::read_to_string(file.path()).unwrap()).collect()
    };
    let (rules, tests) = (
        read("src/domain/explain/causes", ""),
        read("tests/it", "explain") + &read("tests/it", "keycloak_explain"),
    );
    let rules = rules.replace(char::is_whitespace, "");
    let ids: Vec<&str> = rules.split("cause(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(ids.len() > 40, "{ids:?}");
    // An `Id` can be compared only with an `Explained`, which only a server's answer can make.
    for id in ids {
        assert!(tests.contains(&format!("Id(\"{id}\")")), "{id} is asserted of no real answer");
    }
}

/// As `inspect` does.
#[test]
fn a_pipe_without_anything_else_is_the_response() {
    let mut explain = World::new().run("explain --json");
    let said =
        Said::by(explain.write_stdin(r#"{"error":"invalid_client","error_description":"Invalid client"}"#));
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(said.json()["causes"][0]["id"], "unknown-client");
    let empty = Said::by(World::new().run("explain").write_stdin("\n"));
    assert!(empty.code == 2 && empty.stderr.contains("say what to explain"), "{}", empty.stderr);
}

//! The `websocketUrl` of a new interaction is used, printed or opened only if it is the expected one.

use serde_json::json;

use crate::common::fake_server::{Answer, FakeServer};
use crate::common::{Said, World, forged_token};

const ID: &str = "6f9c1a1e-5a0f-4a54-9f43-2f4d1a7c8b90";

/// Each command that creates an interaction: the scopes of its tokens, how many requests it makes before, and its
/// exit code for a wrong URL, which `check` calls inconclusive.
const COMMANDS: [(&str, &[&str], usize, i32); 6] = [
    ("interaction create", &["openid"], 0, 8),
    ("interaction create --json", &["openid"], 0, 8),
    ("interaction create --connect-url", &["openid", "openid streams"], 0, 8),
    ("session streams", &["openid streams", "openid"], 0, 8),
    ("probe streams", &["openid streams", "openid"], 0, 8),
    ("check --scope streams --streams", &["openid streams", "openid"], 4, 0),
];

/// Whether `command` deletes its interaction.
fn deletes(command: &str) -> bool {
    (command.starts_with("probe") || command.starts_with("check")) && !command.contains("--keep")
}

/// Runs `command` with a server that creates an interaction with this URL; `WS` stands for the server's address.
fn run(command: &str, scopes: &[&str], looks: usize, url: &str) -> (Said, Vec<String>) {
    run_against(command, scopes, looks, url, "403 Forbidden")
}

/// The same; the server answers later requests with `status`.
fn run_against(command: &str, scopes: &[&str], looks: usize, url: &str, status: &str) -> (Said, Vec<String>) {
    let server = FakeServer::start_by(|environment| {
        let url = url.replace("WS", &environment.replacen("http", "ws", 1));
        let url = url.replace("PORT", environment.rsplit(':').next().unwrap());
        let created = json!({ "interactionId": ID, "websocketUrl": url }).to_string();
        let refused = Answer::http("403 Forbidden", &[], "{}");
        let tokens = scopes.iter().map(|scope| Answer::granted(&forged_token(environment, scope), scope));
        let looks = vec![refused.clone(); looks];
        let after = Answer::http(status, &[], "{}");
        tokens.chain(looks).chain([Answer::http("201 Created", &[], &created), after]).collect()
    });
    let said = Said::by(&mut World::client_of(&server.environment).run(&format!("{command} -t base")));
    (said, server.requests())
}

#[test]
fn a_url_that_differs_in_any_part_is_not_used() {
    let own = format!("WS/audio-bridge/v2/interactions/{ID}/streams?tenant-name=base");
    let with = |from: &str, to: &str| own.replacen(from, to, 1);
    let table = [
        (with(ID, "6f9c1a1e-5a0f-4a54-9f43-000000000000"), "path"),
        (with(ID, &ID.to_uppercase()), "path"),
        (with(ID, &format!("{ID}%2f..")), "path"),
        (with(ID, &format!("{ID}/..")), "path"),
        (with(ID, &format!("{ID};x")), "path"),
        (with("/audio-bridge", ""), "path"),
        (with("/audio-bridge", "/x/audio-bridge"), "path"),
        (with("/audio-bridge", "//audio-bridge"), "path"),
        (with("/v2/", "/v3/"), "path"),
        (with("/streams", "/streams/"), "path"),
        (with("/streams", "/stream"), "path"),
        (with(&format!("/interactions/{ID}/streams"), "/transcribe"), "path"),
        (with("?tenant-name=base", ""), "query"),
        (with("?tenant-name=base", "?"), "query"),
        (with("=base", "=other"), "query"),
        (with("=base", "=Base"), "query"),
        (with("=base", "="), "query"),
        (with("=base", "=base&tenant-name=base"), "query"),
        (with("=base", "=base&tenant-name=other"), "query"),
        (with("tenant-name=base", "tenant-name=other&tenant-name=base"), "query"),
        (with("tenant-name", "tenant%2Dname"), "query"),
        (with("=base", "=base&token=Bearer%20canary"), "query"),
        (with("?", "?token=canary&"), "query"),
        (with("=base", "=base&x=canary"), "query"),
        (with("=base", "=base#canary"), "fragment"),
        (with("=base", "=base#"), "fragment"),
        (with("WS", "ws://canary@127.0.0.1:PORT"), "user name"),
        (with("WS", "ws://u:canary@127.0.0.1:PORT"), "user name"),
        (with("WS", "ws://:canary@127.0.0.1:PORT"), "password"),
        (with("WS", "wss://127.0.0.1:PORT"), "scheme"),
        (with("WS", "http://127.0.0.1:PORT"), "scheme"),
        (with("WS", "javascript://127.0.0.1:PORT"), "host (127.0.0.1)"),
        (with("WS", "ws://localhost:PORT"), "host (localhost)"),
        (with("WS", "ws://evil.example:PORT"), "host (evil.example)"),
        (with("WS", "ws://127.0.0.1.evil.example:PORT"), "host (127.0.0.1.evil.example)"),
        (with("WS", "ws://127.0.0.1:1"), "port"),
        (with("WS", "ws://127.0.0.1"), "port"),
        (with("WS", ""), "form"),
        ("canary".to_owned(), "form"),
        (String::new(), "form"),
    ];
    let mut used = Vec::new();
    for (url, part) in &table {
        for (command, scopes, looks, code) in COMMANDS {
            let (said, requests) = run(command, scopes, looks, url);
            let deletion = format!("corti-auth interaction delete {ID} --yes");
            let is_told = said.code == code
                && said.stderr.contains(&deletion)
                && (said.stderr.clone() + &said.stdout).contains(&format!("another {part} than"))
                && !(said.stdout.clone() + &said.stderr).contains("canary");
            // `check` prints its page anyway.
            let is_silent = said.stdout.is_empty() || code == 0;
            // After the creation, only the deletion is sent.
            let after = requests.get(scopes.len() + looks + 1..).unwrap_or_default();
            let is_unused = match after {
                [] => !deletes(command),
                [deletion] => deletes(command) && is_deletion(deletion),
                _ => false,
            };
            if !(is_told && is_silent && is_unused) {
                used.push(format!("{command}: {url}: exit {}, {} requests", said.code, requests.len()));
            }
        }
    }
    assert!(used.is_empty(), "{} of {}: {used:#?}", used.len(), table.len() * COMMANDS.len());
}

fn is_deletion(request: &str) -> bool {
    request.starts_with("DELETE ") && request.lines().next().unwrap().contains(ID)
}

#[test]
fn probe_and_check_delete_an_interaction_with_a_wrong_url() {
    let streams: &[&str] = &["openid streams", "openid"];
    for (command, looks, code) in [
        ("probe streams", 0, 8),
        ("check --scope streams --streams", 4, 0),
        ("probe streams --keep", 0, 8),
        ("session streams", 0, 8),
    ] {
        let (said, requests) = run_against(command, streams, looks, "wss://evil.example/x", "204 No Content");
        let after = &requests[streams.len() + looks + 1..];
        assert_eq!(after.iter().filter(|request| is_deletion(request)).count(), after.len(), "{after:?}");
        assert_eq!(
            (said.code, after.len()),
            (code, usize::from(deletes(command))),
            "{command}: {}",
            said.stderr
        );
        let printed = said.stdout + &said.stderr;
        assert!(printed.contains("another host (evil.example) than"), "{command}: {printed}");
        let is_hinted = printed.contains("interaction delete") || printed.contains("may be left behind");
        assert_eq!(is_hinted, !deletes(command), "{command}: {printed}");
        assert_eq!(printed.contains(&format!("{ID} was deleted")), deletes(command), "{command}: {printed}");
    }
}

#[test]
fn the_expected_url_is_used() {
    let own = format!("/audio-bridge/v2/interactions/{ID}/streams?tenant-name=base");
    for url in [format!("WS{own}"), format!("WS/./x/..{own}"), format!("Ws://127.0.0.1:PORT{own}")] {
        for (command, scopes, looks, _) in COMMANDS {
            let (said, requests) = run(command, scopes, looks, &url);
            let is_opened = command.starts_with("probe") || command.starts_with("check");
            assert_eq!(requests.len() > scopes.len() + looks + 1, is_opened, "{command}: {requests:#?}");
            // Printed in this tool's spelling, whatever the server's.
            assert!(
                is_opened || said.code == 0 && said.stdout.contains(&own),
                "{command}: {}{}",
                said.stdout,
                said.stderr
            );
        }
    }
}

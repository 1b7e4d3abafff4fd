//! `probe` where something is wrong (token, scope, network, the server's answers): each has its exit code, and no
//! token is printed.

use serde_json::{Value, json};

use crate::common::fake_server::{Answer, FakeServer};
use crate::common::ready::with_token;
use crate::common::{Said, Sandbox, World, forged};

fn jwt(claims: Value) -> String {
    let mut claims = claims;
    claims["typ"] = "Bearer".into();
    forged(&json!({ "alg": "RS256" }), &claims)
}

/// Runs a probe as text and as JSON, and checks the exit code and words of stderr.
fn assert_fails(world: &World, arguments: &str, code: i32, words: &[&str]) -> Said {
    let json = Said::by(&mut world.run(&format!("{arguments} -vv --json")));
    assert_eq!((json.code, json.error()["exit"].as_i64()), (code, Some(code.into())), "{}", json.stderr);
    let said = Said::by(&mut world.run(&format!("{arguments} -vv")));
    assert_eq!((said.code, said.stdout.as_str()), (code, ""), "{arguments}: {}", said.stderr);
    for words in words.iter().chain(&["hint: "]) {
        assert!(said.stderr.contains(words), "{words}: {}", said.stderr);
    }
    Said { stderr: said.stderr + &json.stderr, ..json }
}

#[test]
fn a_refused_token_has_its_exit_code() {
    let sandbox = Sandbox::start();
    let mut own = World::of(&sandbox);
    let streams = Said::by(&mut own.run("token --scope streams")).stdout;
    let streams = streams.trim();
    // 403, since the token lacks the scope.
    let world = with_token(&sandbox.environment, streams);
    let said = assert_fails(&world, "probe transcribe", 6, &["refused with 403", "scope `transcribe`"]);
    assert!(!said.stdout.contains(streams) && !said.stderr.contains(streams));
    // It cannot create an interaction, but can open an existing one.
    assert_fails(
        &world,
        "probe streams",
        2,
        &["is limited and cannot create an interaction", "--interaction ID"],
    );
    let id = "probe streams --interaction 6f9c1a1e-5a0f-4a54-9f43-2f4d1a7c8b90";
    assert_fails(&world, id, 1, &["refused with 404", "Interaction not found"]);
    let issuer = format!("{}/realms/base", sandbox.environment);
    let unsigned = jwt(json!({ "iss": issuer, "exp": 9_999_999_999_i64, "scope": "openid transcribe" }));
    let world = with_token(&sandbox.environment, &unsigned);
    assert_fails(
        &world,
        "probe transcribe",
        5,
        &["refused with 401", "www-authenticate: Bearer realm", "401"],
    );
    let world = with_token(&sandbox.environment, &jwt(json!({ "iss": issuer, "exp": 1 })));
    assert_fails(&world, "probe transcribe", 7, &["has expired"]);
    own.set("CORTI_CLIENT_SECRET", "wrong");
    assert_fails(&own, "probe streams", 5, &["FAILED   token", "Corti rejected the secret of client"]);
}

#[test]
fn a_wrong_pasted_url_is_explained() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let token = Said::by(&mut world.run("token --scope transcribe")).stdout;
    let token = token.trim();
    let issuer = format!("{}/realms/base", sandbox.environment);
    let expired = jwt(json!({ "iss": issuer, "exp": 1, "scope": "openid transcribe" }));
    let base = format!("{}/audio-bridge/v2/transcribe", sandbox.environment.replace("http", "ws"));
    let foreign = jwt(json!({ "iss": "https://auth.eu.corti.app/realms/base", "exp": 9_999_999_999_i64 }));
    for (query, code, words) in [
        (
            format!("tenant-name=base&token={token}"),
            5,
            "`Bearer` is missing before the token: write token=Bearer%20TOKEN",
        ),
        (format!("tenant-name=base&token=Bearer%2520{token}"), 5, "encoded twice"),
        (format!("tenant-name=base&token=Bearer%20{expired}"), 5, "expired "),
        (format!("tenant-name=base&token=Bearer%20{foreign}"), 7, "was issued by `eu`"),
        (
            format!("tenant-name=other&token=Bearer%20{token}"),
            7,
            "but the URL is for another tenant: nothing was sent",
        ),
        (format!("token=Bearer%20{token}"), 5, "no tenant-name"),
        (format!("tenant-name=base&amp;token=Bearer%20{token}"), 5, "`&amp;`"),
        (format!("tenant-name=base?token=Bearer%20{token}"), 5, "second `?`"),
        (
            "tenant-name=base&token=canary-of-no-form!".to_owned(),
            7,
            "`token=` is empty, or its value is not a token",
        ),
    ] {
        let file = world.file("url", format!("{base}?{query}"));
        let said = assert_fails(&world, &format!("probe --websocket-url {file}"), code, &[words]);
        for secret in [token, &expired, &foreign, "canary-of-no-form"] {
            assert!(
                !said.stdout.contains(secret) && !said.stderr.contains(secret),
                "{query}: {}",
                said.stderr
            );
        }
    }
}

#[test]
fn a_pasted_url_of_another_host_is_not_opened() {
    let world = World::new();
    for (url, code, words) in [
        (
            "wss://evil.example/transcribe?tenant-name=base&token=Bearer%20canary",
            3,
            "which is neither Corti's",
        ),
        (
            "wss://api.eu.corti.app.evil.example/transcribe?token=Bearer%20canary",
            3,
            "which is neither Corti's",
        ),
        ("ws://api.eu.corti.app/transcribe?token=Bearer%20canary", 2, "unencrypted"),
        ("https://api.eu.corti.app/transcribe?token=Bearer%20canary", 2, "begins with `https:`"),
        ("wss://u:canary@api.eu.corti.app/transcribe", 2, "user name"),
        ("canary", 2, "not a URL"),
        ("wss://127.0.0.1:1/stream?tenant-name=b&token=canary", 2, "neither"),
    ] {
        let file = world.file("url", url);
        let said = assert_fails(&world, &format!("probe --websocket-url {file}"), code, &[words]);
        assert!(!said.stderr.contains("canary"), "{}", said.stderr);
    }
    let said = assert_fails(&world, "probe --websocket-url wss://h/x?token=canary", 2, &["names a file"]);
    assert!(!said.stderr.contains("canary"));
    assert_fails(&world, "probe --websocket-url /no/such", 2, &["cannot read a URL"]);
}

#[test]
fn an_unreachable_server_is_a_network_error() {
    assert_fails(
        &with_token("http://127.0.0.1:1", "abc"),
        "probe transcribe",
        8,
        &["FAILED   tcp", "port 1"],
    );
    let unknown = with_token("no-such-label", "abc");
    assert_fails(
        &unknown,
        "probe transcribe --timeout 20s",
        8,
        &["FAILED   dns", "error: cannot resolve `api.no-such-label.corti.app`: "],
    );
}

#[test]
fn a_proxy_is_named_and_gets_no_token() {
    let proxy = FakeServer::start(vec![Answer::http("407 Proxy Authentication Required", &[], "")]);
    let mut world = World::new();
    world.set("HTTPS_PROXY", &proxy.environment);
    let claims = json!({ "iss": "https://auth.eu.corti.app/realms/base", "exp": 9_999_999_999_i64 });
    let token = jwt(claims);
    let url =
        format!("wss://api.eu.corti.app/audio-bridge/v2/transcribe?tenant-name=base&token=Bearer%20{token}");
    let file = world.file("url", url);
    let probe = format!("probe --websocket-url {file}");
    let said = assert_fails(&world, &probe, 8, &[" of HTTPS_PROXY: connected to", "FAILED   tls"]);
    assert!(!said.stderr.contains(&token) && !proxy.requests().concat().contains(&token), "{}", said.stderr);
}

#[test]
fn an_answer_that_is_no_upgrade_has_its_exit_code() {
    let echo = r#"{"requestid":"r-1","status":503,"type":"x","detail":"canary-abcdefgh is down"}"#;
    let cookie = "Set-Cookie: session=canary-cookie";
    for (answer, code, words) in [
        (Answer::http("503 Service Unavailable", &[cookie], echo), 9, "request r-1"),
        (Answer::http("429 Too Many Requests", &[], "{}"), 9, "hint: wait a moment, then run it again\n"),
        (
            Answer::http("429 Too Many Requests", &[], r#"{"type":"A0021","detail":"Insufficient balance"}"#),
            9,
            "hint: check the balance in the Corti Console; trying again does not help\n",
        ),
        (Answer::http("403 Forbidden", &[], "{}"), 5, "tenant-name must be"),
        (Answer::http("302 Found", &["Location: https://x/?t=canary-abcdefgh"], ""), 8, "redirects"),
        (
            Answer::http("200 OK", &[], "<html>x\u{1b}[2J</html>"),
            8,
            "did not open a WebSocket: 200 with an HTML page",
        ),
        (Answer::Bytes("SSH-2.0-OpenSSH_9.2\r\n".into()), 8, "no complete answer from `"),
        (
            Answer::Bytes(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
                    .into(),
            ),
            8,
            "Sec-WebSocket-Accept",
        ),
    ] {
        // The first connection only tests TCP.
        let server = FakeServer::start(vec![answer]);
        let said = assert_fails(
            &with_token(&server.environment, "canary-abcdefgh"),
            "probe transcribe",
            code,
            &[words],
        );
        for text in [&said.stdout, &said.stderr] {
            assert!(!text.contains("canary"), "{text}");
            assert!(!text.contains('\u{1b}'), "{text}");
        }
    }
    let server = FakeServer::start(vec![Answer::Silence]);
    let silent = with_token(&server.environment, "abc");
    assert_fails(&silent, "probe transcribe --timeout 2s", 8, &["FAILED   upgrade"]);
}

//! `doctor` finds what is wrong between here and a token: the network, the realm, the clock, the client, the tenant.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::common::diagnosis::{CANARY, assert_verdict, diagnose, verdict, world_of};
use crate::common::fake_server::{Answer, FakeServer};
use crate::common::{Said, Sandbox, World};

fn discovery(environment: &str, issuer: &str) -> Answer {
    let endpoint = format!("{environment}/realms/base/protocol/openid-connect/token");
    Answer::json(&json!({ "issuer": issuer, "token_endpoint": endpoint }).to_string())
}

fn empty_answer() -> Answer {
    Answer::Bytes(String::new())
}

#[test]
fn a_wrong_clock_is_reported_with_its_direction() {
    for (skew, code, expected, words) in [
        ("120", 3, "failed", "120 s behind the server's"),
        ("-7", 0, "warning", "7 s ahead of the server's"),
        ("-120", 3, "failed", "120 s ahead of the server's"),
        ("2", 0, "ok", ""),
    ] {
        let sandbox = Sandbox::start_with(&["--clock-skew", skew]);
        let world = World::of(&sandbox);
        let (exit, outcome) = diagnose(&world, "");
        assert_eq!(exit, code, "{skew}: {outcome:#}");
        assert_verdict(&outcome, "clock", expected, words);
        assert_verdict(&outcome, "token", "ok", "");
    }
}

#[test]
fn a_host_that_is_not_found_fails_dns() {
    let (code, outcome) = diagnose(&world_of("no-such-label"), "--timeout 10s");
    assert_eq!(code, 8, "{outcome:#}");
    assert_verdict(
        &outcome,
        "configuration",
        "warning",
        "Corti does not document the environment `no-such-label`",
    );
    assert_verdict(&outcome, "dns", "failed failed", "auth.no-such-label.corti.app (auth)");
    assert_verdict(&outcome, "dns", "failed failed", "api.no-such-label.corti.app (api, sockets)");
    for name in ["discovery", "clock", "token", "tenant"] {
        assert_verdict(&outcome, name, "skipped", "");
    }
}

#[test]
fn a_closed_port_fails_tcp() {
    let (code, outcome) = diagnose(&world_of("http://127.0.0.1:1"), "");
    assert_eq!(code, 8);
    assert_verdict(&outcome, "tcp", "failed", "port 1: ");
    assert_verdict(&outcome, "token", "skipped", "cannot reach the authorization server");
}

#[test]
fn a_silent_server_fails_discovery_at_the_timeout() {
    let server = FakeServer::start(vec![Answer::Silence]);
    let started = Instant::now();
    let (code, outcome) = diagnose(&world_of(&server.environment), "--timeout 300ms");
    assert_eq!(code, 8);
    assert_verdict(&outcome, "discovery", "failed", "did not answer within 0.3 s");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_wrong_secret_or_tenant_is_reported() {
    let sandbox = Sandbox::start();
    let mut world = World::of(&sandbox);
    world.set("CORTI_CLIENT_SECRET", CANARY);
    let (code, outcome) = diagnose(&world, "");
    assert_eq!(code, 5);
    assert_verdict(&outcome, "token", "failed", "Corti rejected the secret of client");
    assert_verdict(&outcome, "tenant", "skipped", "there is no token");
    let (code, outcome) = diagnose(&world, "-t nope");
    assert_eq!(code, 3);
    assert_verdict(&outcome, "discovery", "failed", "has no tenant `nope`");
    assert_verdict(&outcome, "discovery", "failed", "--tenant base");
    assert_verdict(&outcome, "token", "skipped", "not sent");
}

#[test]
fn an_html_page_in_place_of_the_realm_fails_discovery() {
    let html = "<html><body>Sign in to the hotel's network</body></html>";
    let server = FakeServer::start(vec![Answer::http("200 OK", &["Content-Type: text/html"], html)]);
    let (code, outcome) = diagnose(&world_of(&server.environment), "");
    assert_eq!(code, 8);
    assert_verdict(&outcome, "discovery", "failed", "200 with an HTML page");
    assert_verdict(&outcome, "clock", "skipped", "the response has no Date header");
    assert_verdict(&outcome, "token", "skipped", "not sent");
    assert!(!server.requests().concat().contains(CANARY), "no secret for a page");
}

#[test]
fn a_realm_of_another_issuer_gets_no_secret() {
    let issuer = "https://auth.eu.corti.app/realms/base\u{1b}[2J";
    let server = FakeServer::start_by(|own| vec![empty_answer(), discovery(own, issuer)]);
    let said = Said::by(&mut world_of(&server.environment).run("doctor"));
    assert_eq!(said.code, 3, "{}", said.stdout);
    assert!(
        said.stdout.contains("its issuer is `https://auth.eu.corti.app/realms/base\\u{1b}"),
        "{}",
        said.stdout
    );
    assert!(!said.stdout.contains('\u{1b}'));
    let server = FakeServer::start_by(|own| {
        let body =
            json!({ "issuer": format!("{own}/realms/base"), "token_endpoint": "https://evil.example/token" });
        vec![empty_answer(), Answer::json(&body.to_string())]
    });
    let (code, outcome) = diagnose(&world_of(&server.environment), "");
    assert_eq!(code, 3);
    assert_verdict(&outcome, "discovery", "failed", "evil.example");
    assert!(!server.requests().concat().contains(CANARY));
}

#[test]
fn an_api_that_refuses_the_tenant_is_reported() {
    let token = r#"{"access_token":"abcdefghij","expires_in":300,"token_type":"Bearer","scope":"openid"}"#;
    let refusals = [
        (
            Answer::http(
                "403 Forbidden",
                &[],
                r#"{"requestid":"r-7","detail":"no abcdefghij for this tenant"}"#,
            ),
            5,
        ),
        (Answer::http("401 Unauthorized", &["WWW-Authenticate: Bearer error=\"invalid_token\""], ""), 5),
        (Answer::http("503 Service Unavailable", &["Retry-After: 3600"], ""), 9),
        (Answer::http("200 OK", &[], "<html></html>"), 8),
    ];
    for (refusal, code) in refusals {
        let server = FakeServer::start_by(|own| {
            vec![empty_answer(), discovery(own, &format!("{own}/realms/base")), Answer::json(token), refusal]
        });
        let (exit, outcome) = diagnose(&world_of(&server.environment), "");
        assert_eq!(exit, code, "{outcome:#}");
        assert_verdict(&outcome, "token", "ok", "");
        let (found, text) = verdict(&outcome, "tenant");
        assert_eq!(found, "failed");
        if text.contains("refuses the token for Tenant-Name") {
            assert!(text.contains("--tenant NAME") && text.contains("r-7"), "{text}");
            assert!(
                text.contains("no [redacted] for this tenant"),
                "a repeated token is not repeated: {text}"
            );
        }
        let asked = server.requests().pop().unwrap();
        assert!(
            asked.starts_with("GET /v2/languages/ ") && asked.to_lowercase().contains("tenant-name: base")
        );
    }
}

#[test]
fn a_proxy_is_named_without_its_password() {
    let proxy =
        FakeServer::start(vec![empty_answer(), Answer::http("407 Proxy Authentication Required", &[], "")]);
    let mut world = world_of("eu");
    let address = proxy.environment.strip_prefix("http://").unwrap();
    world.set("HTTPS_PROXY", &format!("http://user:{CANARY}@{address}"));
    let report = world.home().join("report.txt").display().to_string();
    let (code, outcome) = diagnose(&world, &format!("--report {report}"));
    assert_eq!(code, 8, "{outcome:#}");
    assert_verdict(&outcome, "tcp", "ok ok", &format!("through the proxy {address} of HTTPS_PROXY"));
    assert_verdict(&outcome, "tls", "failed failed", &format!("through the proxy {address} of HTTPS_PROXY"));
    assert_verdict(&outcome, "discovery", "skipped", "");
    let text = std::fs::read_to_string(report).unwrap();
    assert!(text.contains(&format!("through the proxy {address} of HTTPS_PROXY")), "{text}");
    assert!(!text.contains("user:") && !text.contains(CANARY) && !outcome.to_string().contains(CANARY));
}

//! `serve` decides for an engine (`/decide`): what the engine gets, and that nobody else gets anything.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::gateway::{BATCH, ENGINE_KEY, Gateway, HOST, ORIGIN, config_of};
use crate::common::idp::Idp;
use crate::common::recorder::Recorder;
use crate::common::{Said, Sandbox, World};

const TRANSCRIBE: &str = "/corti/audio-bridge/v2/transcribe";
const INTERACTION: &str = "7b1d1a52-5a4b-4c38-9c1e-0d6d6f1c2a3b";

const RULES: &str = "[limits]\nrate = \"1/h\"\nburst = 1000\n\
    [[rule]]\ngroups = [\"batch\"]\nallow = [\"transcribe\", \"streams\", \"session.*\", \"interactions.*\"]\n\
    [[rule]]\ngroups = [\"own\"]\nallow = [\"interactions.update\"]\nown = true\n\
    [[rule]]\ngroups = [\"slow\"]\nallow = [\"transcribe\"]\nlimits = { rate = \"1/h\", burst = 1 }\n";

/// A gateway with forward-auth, and what it needs.
struct Fixture {
    sandbox: Sandbox,
    idp: Idp,
    gateway: Gateway,
}

fn start(decide: &str) -> Fixture {
    let (sandbox, idp) = (Sandbox::start(), Idp::start());
    let world = World::of(&sandbox);
    let key = world.private_file("engine.key", format!("{ENGINE_KEY}\n"));
    let rules = format!("[decide]\nengine_key_file = \"{key}\"\n{decide}\n{RULES}");
    let config = config_of(&idp.url, &rules);
    let gateway = Gateway::start_in(world, &config);
    Fixture { sandbox, idp, gateway }
}

/// A request to decide about, as each engine describes it.
struct Asked<'a> {
    method: &'a str,
    target: &'a str,
    is_upgrade: bool,
    headers: &'a str,
}

const HANDSHAKE: &str = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

const UPGRADE: Asked<'_> = Asked { method: "GET", target: TRANSCRIBE, is_upgrade: true, headers: "" };

impl Asked<'_> {
    fn by(&self, dialect: &str) -> String {
        let Self { method, target, is_upgrade, headers } = self;
        let upgrade = |name: &str| {
            if *is_upgrade { format!("{name}: websocket\r\n{HANDSHAKE}") } else { String::new() }
        };
        let (line, described) = match dialect {
            "nginx" => (
                "GET /decide/nginx".to_owned(),
                format!(
                    "X-Corti-Method: {method}\r\nX-Corti-Uri: {target}\r\n{}",
                    upgrade("X-Corti-Upgrade")
                ),
            ),
            "caddy" => (
                "GET /decide/caddy".to_owned(),
                format!(
                    "X-Forwarded-Method: {method}\r\nX-Forwarded-Uri: {target}\r\n{}",
                    upgrade("Upgrade")
                ),
            ),
            _ => (format!("{method} /decide/envoy{target}"), upgrade("Upgrade")),
        };
        format!("{line} HTTP/1.1\r\nHost: {HOST}\r\n{described}{headers}Content-Length: 0\r\n\r\n")
    }
}

impl Fixture {
    /// What the gateway answers to an engine of this dialect.
    fn decide(&self, dialect: &str, asked: &Asked<'_>) -> (u16, String, String) {
        let headers = format!("X-Corti-Engine-Key: {ENGINE_KEY}\r\n{}", asked.headers);
        self.gateway.connect().ask(&Asked { headers: &headers, ..*asked }.by(dialect))
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// What a token of an answer may do.
fn reach(token: &str) -> Value {
    let mut inspect = World::new().run("inspect --json --field reach");
    Said::by(inspect.write_stdin(token)).json()["reach"].clone()
}

const DIALECTS: [&str; 3] = ["nginx", "caddy", "envoy"];

#[tokio::test]
async fn an_engine_gets_a_limited_token_and_the_target_of_a_websocket() {
    let fixture = start("");
    fixture.gateway.ready().await;
    let streams = format!("/corti/audio-bridge/v2/interactions/{INTERACTION}/streams");
    for dialect in DIALECTS {
        let jwt = fixture.idp.token("anna", "batch");
        for (target, headers) in [
            (format!("{TRANSCRIBE}?token=Bearer%20{jwt}&tenant-name=evil&x=1"), String::new()),
            (format!("{streams}?x=1"), format!("Sec-WebSocket-Protocol: Authorization, Bearer%20{jwt}\r\n")),
            (format!("{TRANSCRIBE}?x=1"), format!("Authorization: Bearer {BATCH}\r\n")),
        ] {
            let asked = Asked { target: &target, headers: &headers, ..UPGRADE };
            let (status, head, body) = fixture.decide(dialect, &asked);
            assert_eq!((status, body.as_str()), (200, ""), "{dialect} {target}: {head}{body}");
            let token = header(&head, "authorization").unwrap().strip_prefix("Bearer ").unwrap();
            assert_eq!(reach(token), "limited", "{dialect}");
            let path = target.strip_prefix("/corti").unwrap().split('?').next().unwrap();
            let expected = format!("{path}?x=1&tenant-name=base&token=Bearer%20{token}");
            assert_eq!(header(&head, "x-corti-target"), Some(expected.as_str()), "{dialect}");
            assert_eq!(header(&head, "tenant-name"), Some("base"));
            assert_eq!(header(&head, "cache-control"), Some("no-store"));
            let protocol = (!headers.is_empty() && target.starts_with(&streams)).then_some("Authorization");
            assert_eq!(header(&head, "x-corti-protocol"), protocol, "{dialect}");
        }
    }
    drop(fixture.sandbox);
}

#[tokio::test]
async fn a_full_token_leaves_only_if_the_operator_says_so() {
    for (decide, allowed) in [("", false), ("full = true", true)] {
        let fixture = start(decide);
        fixture.gateway.ready().await;
        let bearer = format!("Authorization: Bearer {BATCH}\r\n");
        let asked = Asked {
            method: "POST",
            target: "/corti/v2/interactions/?a=b&token=x",
            is_upgrade: false,
            headers: &bearer,
        };
        for dialect in DIALECTS {
            let (status, head, body) = fixture.decide(dialect, &asked);
            assert_eq!(
                (status, header(&head, "authorization").is_some()),
                (if allowed { 200 } else { 403 }, allowed)
            );
            if allowed {
                assert_eq!(header(&head, "x-corti-target"), Some("/v2/interactions/?a=b"));
            } else {
                assert!(
                    body.contains("operation_denied") && !format!("{head}{body}").contains("eyJ"),
                    "{body}"
                );
            }
        }
        // The body is not seen, so nobody can tell whom it assigns the interaction to.
        let own = format!("Authorization: Bearer {}\r\n", fixture.idp.token("anna", "own"));
        let target = format!("/corti/v2/interactions/{INTERACTION}");
        let update = Asked { method: "PATCH", target: &target, is_upgrade: false, headers: &own };
        assert_eq!(fixture.decide("envoy", &update).0, 403);
    }
}

#[tokio::test]
async fn without_the_engines_key_nobody_gets_anything() {
    let fixture = start("full = true");
    fixture.gateway.ready().await;
    let bearer = format!("Authorization: Bearer {BATCH}\r\n");
    for dialect in DIALECTS {
        for key in [
            String::new(),
            "X-Corti-Engine-Key: \r\n".to_owned(),
            format!("X-Corti-Engine-Key: {ENGINE_KEY}x\r\n"),
            format!("X-Corti-Engine-Key: {ENGINE_KEY}\r\nX-Corti-Engine-Key: {ENGINE_KEY}\r\n"),
        ] {
            let headers = format!("{key}{bearer}");
            let request = Asked { headers: &headers, ..UPGRADE }.by(dialect);
            let (status, head, body) = fixture.gateway.connect().ask(&request);
            assert_eq!((status, json_code(&body).as_str()), (401, "engine_key_invalid"), "{dialect} {key}");
            assert!(!format!("{head}{body}").contains("eyJ"), "{head}{body}");
        }
        let (_, head, body) = fixture.decide(dialect, &Asked { headers: &bearer, ..UPGRADE });
        assert!(head.contains("eyJ"), "{head}{body}");
        let preflight = format!("Origin: {ORIGIN}\r\nAccess-Control-Request-Method: GET\r\n");
        let asked = Asked { headers: &preflight, ..UPGRADE }.by(dialect).replacen("GET", "OPTIONS", 1);
        let (status, _, body) = fixture.gateway.connect().ask(&asked);
        assert_eq!((status, json_code(&body).as_str()), (401, "engine_key_invalid"), "{dialect}");
        let elsewhere =
            Asked { headers: &format!("X-Corti-Engine-Key: {ENGINE_KEY}\r\n{bearer}"), ..UPGRADE }
                .by(dialect);
        let (status, head, body) = fixture.gateway.connect().ask(&elsewhere.replace(HOST, "evil.example"));
        assert!(
            [403, 421].contains(&status) && json_code(&body) == "host_unknown",
            "{dialect}: {head}{body}"
        );
        assert!(!format!("{head}{body}").contains("eyJ"), "{head}{body}");
    }
    let closed = Gateway::start(&fixture.sandbox, &config_of(&fixture.idp.url, RULES));
    let (status, _, body) = closed.connect().ask(&Asked { headers: &bearer, ..UPGRADE }.by("caddy"));
    assert_eq!((status, json_code(&body).as_str()), (404, "route_unknown"));
}

fn json_code(body: &str) -> String {
    let problem: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    problem["code"].as_str().unwrap_or_default().to_owned()
}

/// nginx makes 500 of every other refusal.
#[tokio::test]
async fn nginx_gets_401_or_403_and_the_real_answer_in_headers() {
    let fixture = start("");
    fixture.gateway.ready().await;
    let slow = format!("Authorization: Bearer {}\r\n", fixture.idp.token("berta", "slow"));
    let batch = format!("Authorization: Bearer {BATCH}\r\n");
    let origin = format!("Origin: https://evil.example\r\n{batch}");
    let allowed = format!("Origin: {ORIGIN}\r\n{batch}");
    let two_keys = format!("{batch}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n");
    let other_version = format!("{batch}Sec-WebSocket-Version: 8\r\n");
    assert_eq!(fixture.decide("nginx", &Asked { headers: &slow, ..UPGRADE }).0, 200);
    assert_eq!(fixture.decide("nginx", &Asked { headers: &allowed, ..UPGRADE }).0, 200);
    for (asked, status, code) in [
        (Asked { ..UPGRADE }, 401, "credential_missing"),
        (Asked { headers: &slow, ..UPGRADE }, 429, "rate_limited"),
        (
            Asked { headers: &batch, target: "/corti/v2/nothing", is_upgrade: false, ..UPGRADE },
            404,
            "route_unknown",
        ),
        (Asked { headers: &batch, target: "/corti/v2/interactions/..%2fx", ..UPGRADE }, 400, "path_invalid"),
        (Asked { headers: &batch, is_upgrade: false, ..UPGRADE }, 400, "request_invalid"),
        (Asked { headers: &two_keys, ..UPGRADE }, 400, "request_invalid"),
        (Asked { headers: &other_version, ..UPGRADE }, 400, "request_invalid"),
        (Asked { headers: &origin, ..UPGRADE }, 403, "origin_denied"),
        (
            Asked { headers: &batch, target: "/broker/v1/me", is_upgrade: false, ..UPGRADE },
            404,
            "route_unknown",
        ),
    ] {
        let (said, head, body) = fixture.decide("nginx", &asked);
        assert_eq!(said, if status == 401 { 401 } else { 403 }, "{code}: {head}{body}");
        assert_eq!(header(&head, "x-corti-status"), Some(status.to_string().as_str()), "{code}");
        assert_eq!(header(&head, "x-corti-problem"), Some(body.as_str()), "{code}");
        assert_eq!(json_code(&body), code);
        assert_eq!(header(&head, "retry-after").is_some(), status == 429, "{code}");
        assert!(!head.contains("eyJ"), "{head}");
        for dialect in ["caddy", "envoy"] {
            if status != 429 {
                let (said, _, body) = fixture.decide(dialect, &asked);
                assert_eq!((said, json_code(&body).as_str()), (status, code), "{dialect}");
            }
        }
    }
}

/// An engine waits 4 s, so that its client gets this answer and not the engine's own.
#[tokio::test]
async fn a_decision_that_waits_for_corti_is_answered_in_time() {
    let idp = Idp::start();
    let corti = Recorder::answering(|_, _| std::thread::sleep(Duration::from_secs(20)));
    let world = corti.world();
    let key = world.private_file("engine.key", format!("{ENGINE_KEY}\n"));
    let config = config_of(&idp.url, &format!("[decide]\nengine_key_file = \"{key}\"\nfull = true\n{RULES}"));
    let gateway = Gateway::start_in(world, &config);
    gateway.ready().await;
    let headers =
        format!("X-Corti-Engine-Key: {ENGINE_KEY}\r\nAuthorization: Bearer {}\r\n", idp.token("anna", "own"));
    let target = format!("/corti/v2/interactions/{INTERACTION}");
    for dialect in DIALECTS {
        let asked = Asked { method: "PATCH", target: &target, is_upgrade: false, headers: &headers };
        let started = Instant::now();
        let (status, head, body) = gateway.connect().ask(&asked.by(dialect));
        let expected = if dialect == "nginx" { 403 } else { 502 };
        assert_eq!((status, json_code(&body).as_str()), (expected, "upstream_unreachable"), "{head}{body}");
        assert!(header(&head, "retry-after").is_some(), "{head}");
        assert!(started.elapsed() < Duration::from_secs(6), "{dialect}: {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_ticket_is_decided_on_as_inline() {
    let fixture = start("");
    fixture.gateway.ready().await;
    let answer = fixture.gateway.post("/broker/v1/sessions", BATCH, &json!({ "kind": "streams" })).await;
    let session = answer.json();
    let url = session["websocketUrl"].as_str().unwrap();
    let path = url.strip_prefix(&format!("ws://{HOST}")).unwrap();
    let ticket = session["protocols"]["corti-ticket"].as_str().unwrap();
    let protocols = format!("Sec-WebSocket-Protocol: corti-ticket, {ticket}\r\n");
    for dialect in DIALECTS {
        let (status, head, _) =
            fixture.decide(dialect, &Asked { target: path, headers: &protocols, ..UPGRADE });
        assert_eq!((status, header(&head, "x-corti-protocol")), (200, Some("corti-ticket")), "{dialect}");
        let (status, head, _) = fixture.decide(dialect, &Asked { headers: &protocols, ..UPGRADE });
        assert!(status == 403 && !head.contains("eyJ"), "{dialect}: {head}");
    }
}

/// A caller who has the key gets Corti's tokens: it must be there, and only its owner may read it.
#[test]
fn an_engine_key_that_strangers_may_read_is_refused() {
    let world = World::new();
    let short = world.private_file("short.key", "short");
    let open = world.file("open.key", ENGINE_KEY);
    crate::common::chmod(&open, 0o644);
    let blank = world.private_file("blank.key", "\n".repeat(40));
    let binary = world.private_file("binary.key", [7_u8; 40]);
    for (file, said) in [
        ("/no/such", "make one"),
        (short.as_str(), "fewer than"),
        (blank.as_str(), "fewer than"),
        (binary.as_str(), "printable ASCII"),
        (open.as_str(), "chmod 600"),
    ] {
        let config =
            config_of("https://idp.example.org", &format!("[decide]\nengine_key_file = \"{file}\"\n{RULES}"));
        let config = world.private_file("serve.toml", config);
        let mut serve = world.run(&format!("serve --config {config}"));
        serve.env("CORTI_ENVIRONMENT", "eu").env("CORTI_TENANT_NAME", "base");
        serve.env("CORTI_CLIENT_ID", "x").env("CORTI_CLIENT_SECRET", "x");
        let refused = Said::by(&mut serve);
        assert!(
            refused.code == 3 && refused.stderr.contains(said),
            "{file}: {} {}",
            refused.code,
            refused.stderr
        );
    }
}

/// Compose and Kubernetes have engines on other hosts, so this is not refused.
#[test]
fn check_says_that_tokens_cross_the_network_without_tls() {
    let with_decide =
        config_of("https://idp.example.org", &format!("[decide]\nengine_key_file = \"/no/such\"\n{RULES}"));
    let network =
        |config: &str| format!("trust_network = true\n{}", config.replace("127.0.0.1:0", "0.0.0.0:0"));
    let without = config_of("https://idp.example.org", RULES);
    for (config, warns) in [(network(&with_decide), true), (with_decide, false), (network(&without), false)] {
        let world = World::new();
        let file = world.private_file("serve.toml", &config);
        let said = Said::by(&mut world.run(&format!("serve --check --config {file}")));
        assert_eq!(
            (said.code, said.stdout.contains("without TLS")),
            (0, warns),
            "{config}: {}{}",
            said.stdout,
            said.stderr
        );
    }
}

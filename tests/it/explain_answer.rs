//! `explain` of requests that the API refuses, of failing servers, and of messages and close codes of the WebSockets.

use serde_json::json;

use crate::common::control::Control;
use crate::common::ready::mint;
use crate::common::saved::{
    Explained, Id, Saved, assert_among, assert_first, converse, converse_until, exchange, explain,
    explain_code, log, names, protocol_error, read,
};
use crate::common::{self, Said, Sandbox, World};

const TRANSCRIBE: &str = r#"{"type":"config","configuration":{"primaryLanguage":"en"}}"#;

struct Corti {
    sandbox: Sandbox,
    world: World,
    full: String,
}

impl Corti {
    fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(flags: &[&str]) -> Self {
        let sandbox = Sandbox::start_with(flags);
        let world = World::of(&sandbox);
        let full = mint(&world, "--full");
        Self { sandbox, world, full }
    }

    fn send(&self, request: &str, body: &str) -> Explained {
        let bearer = format!("Authorization: Bearer {}", self.full);
        let saved = exchange(&self.sandbox, request, &[&bearer, "Tenant-Name: base"], body);
        explain(&self.world, &saved, "")
    }

    /// What `explain` says of one WebSocket message.
    fn frame(&self, text: &Saved) -> Explained {
        explain(&self.world, text, "")
    }
}

#[test]
fn a_request_that_the_api_refuses_has_a_cause() {
    let corti = Corti::start();
    let create = "POST /v2/interactions/";
    let body = r#"{"encounter":{"identifier":"visit-1","status":"planned","type":"first_consultation"}}"#;
    let fine = corti.send(create, body);
    assert_eq!((names(&fine), &fine["status"]), (vec!["no-failure"], &json!(201)));
    assert_among(&fine, Id("no-failure"));
    assert_first(&corti.send(create, body), Id("duplicate-identifier"), "already exists");
    let table = [
        (create, "{", Id("invalid-request"), "not valid JSON"),
        (create, r#"{"encounter":{}}"#, Id("invalid-request"), "encounter.identifier"),
        ("GET /v2/interactions/?pageSize=x", "", Id("invalid-request"), "pageSize"),
        ("GET /v2/interactions/visit-1", "", Id("invalid-request"), "Invalid UUID"),
        (
            "GET /v2/interactions/00000000-0000-4000-8000-000000000000",
            "",
            Id("no-such-interaction"),
            "not found",
        ),
        ("GET /v2/interaction/", "", Id("unknown-path"), "does not serve this path"),
        ("GET /v2/agentic/agents/x", "", Id("agents-refusal"), "NOT_FOUND: the sandbox has no agents"),
    ];
    for (request, body, id, words) in table {
        let explained = corti.send(request, body);
        assert_first(&explained, id, words);
        assert_eq!(names(&explained).len(), 1, "{explained:#}");
    }
    let agents = corti.send("GET /v2/agentic/agents/x", "");
    assert_eq!(agents["request_id"].as_str().unwrap().len(), 36, "a UUID: {agents:#}");
    assert_eq!(agents["shape"], "an error of the agents API");
    assert!(agents["causes"][0]["remedy"].as_str().unwrap().contains("Ask Corti itself"), "{agents:#}");
}

#[tokio::test]
async fn a_failing_api_has_a_cause() {
    let corti = Corti::start_with(&["--api-fail-count", "1", "--api-fault", "breakdown"]);
    assert_first(&corti.send("GET /v2/languages/", ""), Id("server-trouble"), "Error processing");
    let control = Control::of(&corti.sandbox);
    let table = [
        ("gateway", 502, Id("gateway"), "HTML", "an HTML page"),
        ("rate-limit", 429, Id("rate-limit"), "Too many requests", "an error of the v2 API"),
        ("quota", 429, Id("quota"), "Insufficient balance", "an error of the v2 API"),
        ("breakdown", 500, Id("server-trouble"), "Error processing", "an error of the v2 API"),
        ("timeout", 504, Id("server-trouble"), "Request timeout", "an error of the v2 API"),
    ];
    for (fault, status, id, words, shape) in table {
        control.set(json!({ "api_fault": fault, "api_fail_count": 1, "retry_after": null })).await;
        let explained = corti.send("GET /v2/languages/", "");
        assert_first(&explained, id, words);
        assert_eq!((&explained["status"], &explained["shape"]), (&json!(status), &json!(shape)));
        assert_eq!(names(&explained).len(), 1, "{explained:#}");
    }
    control.set(json!({ "api_fault": "rate-limit", "api_fail_count": 1, "retry_after": 30 })).await;
    let explained = corti.send("GET /v2/languages/", "");
    assert_first(&explained, Id("rate-limit"), "Retry-After is 30");
    assert!(explained["causes"][0]["remedy"].as_str().unwrap().starts_with("wait 30 s"), "{explained:#}");
    // The fault also hits a handshake, and only once.
    control.set(json!({ "api_fault": "gateway", "api_fail_count": 1, "retry_after": null })).await;
    let path = "GET /audio-bridge/v2/transcribe?tenant-name=base&token=Bearer%20x";
    assert_first(&corti.send(path, ""), Id("gateway"), "HTML");
    assert_first(&corti.send(path, ""), Id("malformed-token"), "malformed");
}

#[tokio::test]
async fn a_websocket_message_has_a_cause() {
    let corti = Corti::start();
    let talk = |messages: &'static [&'static str]| {
        let (sandbox, full) = (&corti.sandbox, &corti.full);
        async move { converse(sandbox, "/transcribe", full, messages).await }
    };
    let (denied, code) = talk(&[r#"{"type":"config","configuration":{"primaryLanguage":"xx"}}"#]).await;
    assert_first(&corti.frame(&denied[0]), Id("configuration-denied"), "primaryLanguage");
    let (missing, _) = talk(&["{}"]).await;
    assert_first(&corti.frame(&missing[0]), Id("configuration-not-first"), "CONFIG_MISSING");
    let (all, _) = talk(&[TRANSCRIBE, TRANSCRIBE, r#"{"type":"nonsense"}"#, r#"{"type":"end"}"#]).await;
    assert_first(&corti.frame(&all[0]), Id("session-as-it-should-be"), "CONFIG_ACCEPTED");
    assert_first(&corti.frame(&all[1]), Id("configured-twice"), "CONFIG_ALREADY_RECEIVED");
    assert_first(&corti.frame(&all[2]), Id("socket-error"), "Bad request: the message has no known type");
    assert_first(&corti.frame(all.last().unwrap()), Id("session-as-it-should-be"), "ENDED");
    // In a log, the last message counts, and the client's marks are ignored.
    assert_first(&corti.frame(&log(&all[..3])), Id("socket-error"), "no known type");
    assert_among(&explain_code(&corti.world, code), Id("closed"));
}

#[tokio::test]
async fn a_missing_configuration_has_a_cause() {
    let corti = Corti::start();
    let streams = Said::by(&mut corti.world.run("interaction create --json")).json();
    let path = format!("/interactions/{}/streams", streams["interaction_id"].as_str().unwrap());
    let full = &corti.full;
    let (dictation, consultation) = tokio::join!(
        converse(&corti.sandbox, "/transcribe", full, &[]),
        converse(&corti.sandbox, &path, full, &[])
    );
    assert_first(&corti.frame(&dictation.0[0]), Id("configuration-late"), "CONFIG_TIMEOUT");
    assert_first(&corti.frame(&consultation.0[0]), Id("configuration-late"), "CONFIG_NOT_PROVIDED");
}

#[tokio::test]
async fn a_close_code_has_a_meaning() {
    let corti = Corti::start();
    let assert_closed = |code: u16, words: &str| {
        let explained = explain_code(&corti.world, code);
        let first = &explained["causes"][0];
        assert!(first["evidence"][0].as_str().unwrap().starts_with(words), "{explained:#}");
    };
    let (_, agreed) = converse(&corti.sandbox, "/transcribe", &corti.full, &["{}"]).await;
    assert_eq!(agreed, 1000);
    assert_closed(agreed, "1000: normal closure");
    let long = "x".repeat(1024 * 1024 + 1);
    let (_, too_big) = converse(&corti.sandbox, "/transcribe", &corti.full, &[&long]).await;
    assert_eq!(too_big, 1009);
    assert_closed(too_big, "1009: a message was too big");
    for (signal, code, words) in
        [("TERM", 1001, "1001: the server is going away"), ("KILL", 1006, "1006: no close frame came")]
    {
        let other = Corti::start();
        let (sandbox, full) = (&other.sandbox, &other.full);
        let happens = || assert!(common::signal(sandbox.id(), signal));
        let (_, seen) = converse_until(sandbox, "/transcribe", full, &[TRANSCRIBE], happens).await;
        assert_eq!(seen, code, "{signal}");
        assert_closed(code, words);
    }
    let (head, code) = protocol_error(&corti.sandbox, &corti.full);
    assert_eq!(code, 1002);
    // The handshake succeeded.
    assert_eq!(names(&explain(&corti.world, &head, "")), ["no-failure"]);
    assert_closed(1002, "1002: a WebSocket protocol error");
    // A code that says nothing about Corti explains nothing.
    let said = Said::by(&mut corti.world.run("explain --status 4711"));
    assert_eq!(said.code, 1, "{}", said.stdout);
}

#[test]
fn secrets_in_the_answer_are_not_printed() {
    let corti = Corti::start();
    let secret = &corti.sandbox.client_secret;
    let bodies = [
        json!({ "error": "invalid_request", "error_description": format!("bad: {}", corti.full) }),
        json!({ "error": "invalid_request", "error_description": format!("x client_secret=hunter2&y {secret}") }),
        json!({ "requestid": "r", "status": 400, "type": "A0003", "detail": format!("{} {secret}", corti.full) }),
        json!({ "type": "error", "error": { "title": corti.full, "details": secret } }),
        json!({ "error": "invalid_request", "error_description": "got Authorization: Bearer hunter2, no" }),
        json!({ "error": "invalid_request", "error_description": "x client_secret: hunter2" }),
        json!({ "error": "x", "error_description": json!({ "client_secret": "hunter2 or so" }).to_string() }),
        json!({ "error": { "code": "X", "message": "m", "howToFix": "no `Bearer hunter2`" } }),
    ];
    let signature = corti.full.rsplit('.').next().unwrap();
    for body in bodies {
        // The head of a real answer, with a body that a worse server might send.
        let head = read(&corti.sandbox, "/v2/interactions/x", &corti.full);
        let saved = format!("{}\r\n\r\n{body}", head.split("\r\n\r\n").next().unwrap());
        let file = corti.world.file("saved.txt", &saved);
        for style in ["", "--json"] {
            let said = Said::by(&mut corti.world.run(&format!("explain -vv --response {file} {style}")));
            for hidden in [signature, secret.as_str(), "hunter2"] {
                assert!(!said.stdout.contains(hidden) && !said.stderr.contains(hidden), "{}", said.stdout);
            }
        }
    }
    let file = corti.world.file("saved.txt", "{\"error\":\"x\\u001b[2J\",\"error_description\":\"\\u202e\"}");
    let said = Said::by(&mut corti.world.run(&format!("explain --response {file}")));
    assert!(said.stdout.contains("x\\u{1b}[2J: \\u{202e}"), "{}", said.stdout);
}

#[test]
fn secrets_in_the_request_are_not_printed() {
    let corti = Corti::start();
    let signature = corti.full.rsplit('.').next().unwrap();
    let saved = format!(
        "> GET /x/{0}/stream HTTP/1.1\n> tenant-name: {0}\n> authorization: Bearer {0}\n> \n< HTTP/1.1 404 Not Found\n< \n",
        corti.full
    );
    let (file, used) = (corti.world.file("asked.txt", &saved), corti.world.file("used.txt", &corti.full));
    for style in ["", "--json", "--status 403"] {
        for token in [String::new(), format!("--token-file {used}")] {
            let said =
                Said::by(&mut corti.world.run(&format!("explain -vv --response {file} {token} {style}")));
            assert!(!said.stdout.contains(signature) && !said.stderr.contains(signature), "{}", said.stdout);
        }
    }
    // A token of unknown form is recognised by the saved request.
    for (target, header) in
        [("/x", "authorization: Bearer opaque-credential"), ("/x?token=opaque-credential", "a: b")]
    {
        let saved = format!(
            "> GET {target} HTTP/1.1\n> {header}\n> \n< HTTP/1.1 400 Bad Request\n< \n\
             {{\"error\":\"invalid_request\",\"error_description\":\"not `opaque-credential`\"}}\n"
        );
        let file = corti.world.file("refused.txt", &saved);
        let said = Said::by(&mut corti.world.run(&format!("explain --response {file}")));
        assert!(said.stdout.contains("not `[redacted]`"), "{}", said.stdout);
        assert!(!said.stdout.contains("opaque-credential"), "{}", said.stdout);
    }
}

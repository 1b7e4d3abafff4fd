//! `serve` repeats no secret, token, path, query or body in a log line, a metric, a message or a refusal, and leaves no core
//! dump (A14). Every value is a canary, in a run that meets every kind of refusal.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::process::Command;

use serde_json::{Value, json};

use crate::common::control::Control;
use crate::common::gateway::{BATCH, Gateway, HOST, ORIGIN, UPGRADE, config_of, get};
use crate::common::idp::Idp;
use crate::common::recorder::{Recorder, answer_well, answer_with, open, target, values};
use crate::common::{self, Sandbox, binary, wait_until};

const SECRET: &str = "canary-client-secret-0123456789";
const PATIENT: &str = "canary-patient";
const QUERY: &str = "canary-query";
const HEADER: &str = "canary-header";
const FACT: &str = "canary-fact-id";
const CORTIS: &str = "canary-of-corti";
const SUBJECT: &str = "ca9a5900-aaaa-4000-8000-00000000c0de";
const INTERACTION: &str = "ca9a5900-bbbb-4000-8000-00000000c0de";

/// The codes that [`refusals`] meets in the end: all that there are but `token_unavailable`, which is another test's.
const CODES: [&str; 17] = [
    "body_too_large",
    "credential_invalid",
    "credential_missing",
    "credential_repeated",
    "host_unknown",
    "not_owner",
    "operation_denied",
    "origin_denied",
    "path_invalid",
    "rate_limited",
    "request_invalid",
    "route_unknown",
    "too_many_sockets",
    "upstream_invalid",
    "upstream_refused",
    "upstream_rejected_us",
    "upstream_unreachable",
];

const RULES: &str = "[log]\nhash_callers = true\n[limits]\nrate = \"10000/s\"\nburst = 10000\nsockets = 1\n\
    tokens = \"2/h\"\nbody = \"1KiB\"\n\
    [[rule]]\ngroups = [\"clinician\"]\n\
    allow = [\"facts.*\", \"interactions.read\", \"interactions.update\", \"languages.list\"]\nown = true\n\
    [[rule]]\ngroups = [\"batch\"]\nallow = [\"languages.list\", \"facts.*\", \"transcribe\", \"token.transcribe\", \"session.transcribe\"]\n";

/// Fails as the query says, and repeats what it was sent.
fn corti(request: &str, stream: &mut TcpStream) {
    let repeated = format!("{CORTIS} {}", values(request, "authorization").join(""));
    let headers = format!("content-type: application/json\r\nx-repeated: {repeated}\r\n");
    let target = target(request);
    if target.contains("fail=close") {
        return;
    }
    if target.contains("fail=401") {
        return answer_with("401 Unauthorized", &headers, &repeated, stream);
    }
    if target.contains("fail=403") {
        return answer_with("403 Forbidden", &headers, &repeated, stream);
    }
    if target.ends_with(INTERACTION) {
        return answer_with("200 OK", &headers, &json!({ "assignedUserId": SUBJECT }).to_string(), stream);
    }
    if target.ends_with("00000000dead") {
        return answer_with("500 Internal Server Error", &headers, &repeated, stream);
    }
    if target.ends_with("00000000beef") {
        return answer_with("404 Not Found", &headers, &repeated, stream);
    }
    if open(request, stream) {
        let _ = std::io::copy(stream, &mut std::io::sink());
        return;
    }
    answer_well(request, stream);
}

fn post(path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nX-Canary: {HEADER}\r\n\
         Content-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// Requests that are refused, one way each.
fn refusals(jwt: &str, ticket: &str) -> Vec<String> {
    let key = format!("Authorization: Bearer {BATCH}\r\n");
    let user = format!("Authorization: Bearer {jwt}\r\n");
    let facts = format!("/corti/v2/interactions/{INTERACTION}/facts/");
    let of = |tail: &str| format!("/corti/v2/interactions/ca9a5900-cccc-4000-8000-0000{tail}/facts/");
    let languages = |query: &str| get(&format!("/corti/v2/languages/?{query}={QUERY}"), &key);
    let transcribe = "/corti/audio-bridge/v2/transcribe";
    let patient = json!({ "facts": [{ "text": PATIENT, "group": "x" }] }).to_string();
    vec![
        get(&format!("{facts}?{QUERY}=1"), &format!("X-Canary: {HEADER}\r\n")),
        get(&facts, &format!("Authorization: Bearer {jwt}x\r\n")),
        get(&facts, &format!("Authorization: Bearer {BATCH}x\r\n")),
        get(&facts, &format!("Authorization: Bearer {ticket}\r\n")),
        get(&facts, &format!("Authorization: Basic {HEADER}\r\n")),
        get(&facts, &format!("{key}{user}")),
        get(&facts, &key).replace(HOST, HEADER),
        get(&facts, &format!("{key}Origin: https://{HEADER}\r\n")),
        get(&format!("{facts}%2e%2e/{FACT}"), &key),
        get(&format!("/corti/v2/{FACT}/?{QUERY}"), &key),
        get(&format!("/broker/v1/{FACT}?{QUERY}"), &key),
        get(&format!("/{FACT}?{QUERY}"), &key),
        get(&format!("/corti/v2/interactions/{FACT}"), &key),
        post("/broker/v1/token", &key, &format!("{{\"{PATIENT}\":\"{PATIENT}\"")),
        post("/broker/v1/token", &key, &format!("{{\"{PATIENT}\":\"{PATIENT}\"}}")),
        post("/broker/v1/token", &key, &format!("{{\"scopes\":[\"{PATIENT}\"]}}")),
        post("/broker/v1/sessions", &key, &format!("{{\"kind\":\"{PATIENT}\"}}")),
        post("/broker/v1/sessions", &user, "{\"kind\":\"transcribe\"}"),
        get("/corti/v2/interactions/", &user),
        get(&of("0000beef"), &user),
        get(&of("0000dead"), &user),
        post(&facts, &user, &patient.repeat(40)),
        get(&facts, &format!("{key}{UPGRADE}")),
        languages("fail=close&x"),
        languages("fail=401&x"),
        get(&format!("{transcribe}?fail=403&{QUERY}"), &format!("{key}{UPGRADE}")),
        get(&format!("{transcribe}?fail=close&{QUERY}"), &format!("{key}{UPGRADE}")),
        get(&format!("{transcribe}?{QUERY}"), &key),
        get(&format!("{transcribe}?corti-ticket={ticket}x"), UPGRADE),
        get(&format!("{transcribe}?token={HEADER}"), UPGRADE),
    ]
}

fn assert_none(needles: &[&str], where_: &str, text: &str) {
    for needle in needles {
        assert!(!text.contains(needle), "{needle} in {where_}: {text}");
    }
}

#[tokio::test]
async fn nothing_that_is_sent_is_repeated_where_others_read() {
    let (corti, idp) = (Recorder::of(Sandbox::with_secret(SECRET), corti), Idp::start());
    let text = format!("metrics = \"127.0.0.1:0\"\n{}", config_of(&idp.url, RULES));
    let mut command = Command::new(binary());
    command.arg("-vv");
    let mut gateway = Gateway::start_by(command, corti.world(), &text);
    gateway.ready().await;
    let jwt = idp.token(SUBJECT, "clinician");
    let key = format!("Authorization: Bearer {BATCH}\r\n");
    let user = format!("Authorization: Bearer {jwt}\r\nX-Canary: {HEADER}\r\n");
    let facts = format!("/corti/v2/interactions/{INTERACTION}/facts/");
    // What is allowed, with a patient in it.
    let patient = json!({ "facts": [{ "text": PATIENT, "group": "x" }] }).to_string();
    let mut answers = Vec::new();
    let mut connection = gateway.connect();
    let page = format!("{user}Origin: {ORIGIN}\r\n");
    for request in [
        get(&format!("{facts}?{QUERY}=1"), &page),
        post(&facts, &user, &patient),
        post(&facts, &key, &patient),
        get("/broker/v1/me", &key),
    ] {
        let (status, head, body) = connection.ask(&request);
        assert_eq!(status, 200, "{request}: {body}");
        answers.push(format!("{head}{body}"));
    }
    let token = connection.ask(&post("/broker/v1/token", &key, "{\"scopes\":[\"transcribe\"]}")).2;
    let token = serde_json::from_str::<Value>(&token).unwrap()["accessToken"].as_str().unwrap().to_owned();
    let session = connection.ask(&post("/broker/v1/sessions", &key, "{\"kind\":\"transcribe\"}")).2;
    let session: Value = serde_json::from_str(&session).unwrap();
    let ticket = session["protocols"]["corti-ticket"].as_str().unwrap().to_owned();
    let socket = get(
        "/corti/audio-bridge/v2/transcribe",
        &format!("Sec-WebSocket-Protocol: corti-ticket, {ticket}\r\n{UPGRADE}"),
    );
    // The refusals, while no WebSocket is open, and then two that need one.
    let mut codes = BTreeSet::new();
    let mut refuse = |request: &str| {
        let (_, head, body) = gateway.connect().ask(request);
        let problem: Value = serde_json::from_str(&body).unwrap();
        codes.insert(problem["code"].as_str().unwrap().to_owned());
        answers.push(format!("{head}{body}"));
    };
    for request in refusals(&jwt, &ticket) {
        refuse(&request);
    }
    assert_eq!(connection.ask(&socket).0, 101);
    refuse(&socket);
    refuse(&post("/broker/v1/token", &key, "{\"scopes\":[\"transcribe\"]}"));
    drop(connection);
    assert_eq!(codes.iter().map(String::as_str).collect::<Vec<_>>(), CODES);
    let metrics = gateway.metrics.clone().unwrap();
    let metrics = common::control::client().get(format!("http://{metrics}/metrics")).header("host", metrics);
    let metrics = common::control::Answer::to(metrics).await;
    assert_eq!(metrics.status, 200);
    common::signal(gateway.process.0.id(), "TERM");
    assert_eq!(gateway.process.wait(), Some(0));
    let log: Vec<String> = gateway.log.iter().collect();
    assert!(log.len() > refusals(&jwt, &ticket).len(), "{log:?}");
    let errors = gateway.errors.lock().unwrap().clone();

    // The tokens that Corti saw, of both kinds.
    let seen = corti.take().join("\n");
    let upstream: BTreeSet<&str> = seen
        .split(|it: char| it.is_whitespace() || "&=".contains(it))
        .map(|word| word.strip_prefix("Bearer%20").unwrap_or(word))
        .filter(|word| word.starts_with("eyJ"))
        .collect();
    assert!(upstream.len() >= 3, "{upstream:?}");
    assert!(
        !seen.contains(BATCH) && !seen.contains(&jwt) && !seen.contains(&ticket) && !seen.contains(SECRET)
    );
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    let mut secrets = vec![SECRET.to_owned(), BATCH.to_owned()];
    secrets.extend([&token, &jwt, &ticket].map(|it| signature(it)));
    secrets.extend(upstream.iter().map(|it| signature(it)));
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let data = [
        "canary",
        PATIENT,
        QUERY,
        HEADER,
        FACT,
        CORTIS,
        SUBJECT,
        INTERACTION,
        "eyJ",
        "ck_",
        "0000beef",
        "%2e",
    ];
    for (name, text) in [("the log", log.join("\n")), ("stderr", errors), ("metrics", metrics.body)] {
        assert_none(&secrets, name, &text);
        assert_none(&data, name, &text);
    }
    for answer in answers {
        assert_none(&secrets, "an answer", &answer);
        assert_none(&data, "an answer", &answer);
    }
    // The id of a token that was handed out is in the log, beside who got it.
    let claims: Value = serde_json::from_slice(&decoded(&token)).unwrap();
    assert!(log.join("\n").contains(claims["jti"].as_str().unwrap()), "{log:?}");
}

fn decoded(token: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()
}

/// While the realm is away, the words about it are the gateway's own.
#[tokio::test]
async fn a_realm_that_repeats_the_secret_is_not_repeated() {
    let idp = Sandbox::start();
    let corti = Recorder::of(Sandbox::with_secret(SECRET), corti);
    Control::of(&corti.realm).set(json!({ "drop_connections": 1_000_000 })).await;
    let rules = "[[rule]]\ngroups = [\"batch\"]\nallow = [\"languages.list\", \"token.transcribe\"]\n";
    let text = config_of(&format!("{}/realms/base", idp.environment), rules);
    let gateway = Gateway::start_in(corti.world(), &text);
    let key = format!("Authorization: Bearer {BATCH}\r\n");
    let mut connection = gateway.connect();
    for request in [
        get("/corti/v2/languages/", &key),
        post("/broker/v1/token", &key, "{\"scopes\":[\"transcribe\"]}"),
        get("/readyz", ""),
    ] {
        let (status, head, body) = connection.ask(&request);
        assert_eq!(status, 503, "{head}{body}");
        assert_none(&["canary", BATCH], "an answer", &format!("{head}{body}"));
    }
    wait_until("stderr says so", || gateway.errors.lock().unwrap().contains("no full token"));
    assert_none(&["canary", BATCH], "stderr", &gateway.errors.lock().unwrap());
}

/// A core would have every token and every body of the moment.
#[cfg(unix)]
#[test]
fn a_crash_of_the_server_leaves_no_core() {
    use std::process::Stdio;

    use crate::common::{Running, World};
    let folder = tempfile::tempdir().unwrap();
    let world = World::new();
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -c unlimited; exec \"$0\" serve --dev --sandbox --port 0"]).arg(binary());
    shell.current_dir(folder.path()).env_clear().envs(world.variables());
    let child = shell.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut server = Running(child);
    let mut line = String::new();
    let stdout = server.0.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
    assert!(common::signal(server.0.id(), "ABRT"));
    assert_eq!(server.wait(), None, "{line}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

//! `serve` while the realm is away or refuses it, and while Corti refuses its token: callers are told when to come back, and the
//! realm is not asked more often because many ask (abuse case 9).

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::common::control::Control;
use crate::common::fake_server::{Answer, FakeServer};
use crate::common::gateway::{BATCH, Connection, Gateway, HOST, UPGRADE, config, get};
use crate::common::recorder::{Recorder, answer_well, answer_with, values};
use crate::common::{Sandbox, World, now, wait_until};

const RULES: &str = "[limits]\nrate = \"100000/s\"\nburst = 100000\nrequests = 1000\nsockets = 1000\ntokens = \"100000/s\"\n\
    [[rule]]\ngroups = [\"batch\"]\nallow = [\"languages.list\", \"token.transcribe\"]\n";

/// How many ask at once.
const WAITERS: usize = 200;

fn languages() -> String {
    get("/corti/v2/languages/", &format!("Authorization: Bearer {BATCH}\r\n"))
}

fn transcribe() -> String {
    get("/corti/audio-bridge/v2/transcribe", &format!("Authorization: Bearer {BATCH}\r\n{UPGRADE}"))
}

fn with_sockets() -> String {
    RULES.replace("\"token.", "\"transcribe\", \"token.")
}

/// The answers to many requests that are under way at once.
fn at_once(gateway: &Gateway, request: &str) -> Vec<(u16, String, String)> {
    let mut all: Vec<Connection> = (0..WAITERS).map(|_| gateway.connect()).collect();
    for connection in &mut all {
        connection.send(request);
    }
    all.iter_mut().map(Connection::answer).collect()
}

/// Asks until all get their answer. Until then, some are told to come back.
fn ask_until_all_are_served(gateway: &Gateway) {
    loop {
        let answers = at_once(gateway, &languages());
        if answers.iter().all(|(status, ..)| *status == 200) {
            return;
        }
        answers.iter().filter(|(status, ..)| *status != 200).for_each(assert_told_to_come_back);
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

fn assert_told_to_come_back((status, head, body): &(u16, String, String)) {
    assert_eq!(*status, 503, "{head}{body}");
    let problem: Value = serde_json::from_str(body).unwrap();
    assert_eq!(problem["code"], "token_unavailable", "{body}");
    let wait = head.lines().find_map(|line| line.strip_prefix("retry-after: "));
    let wait: u32 = wait.unwrap_or_else(|| panic!("{head}")).parse().unwrap();
    assert!((1..=30).contains(&wait), "{head}");
}

/// Counts the requests to Corti with a token that has expired.
fn counting_expired(count: &AtomicUsize, request: &str, stream: &mut TcpStream) {
    // In a header, or in a WebSocket's query.
    let payload = request.split("Bearer").nth(1).unwrap().split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    if claims["exp"].as_i64().unwrap() <= now().as_second() {
        count.fetch_add(1, Ordering::SeqCst);
    }
    answer_well(request, stream);
}

#[tokio::test]
async fn a_token_is_used_to_its_end_and_never_after_it() {
    let expired = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&expired);
    let realm = Sandbox::start_with(&["--token-lifetime", "8"]);
    let corti = Recorder::of(realm, move |request, stream| counting_expired(&count, request, stream));
    let (control, idp) = (Control::of(&corti.realm), Sandbox::start());
    let gateway = Gateway::start_in(corti.world(), &config(&idp, &with_sockets()));
    gateway.ready().await;
    // The realm is gone, and the token is still good.
    control.set(json!({ "drop_connections": 1_000_000 })).await;
    let mut connection = gateway.connect();
    let mut served = 0;
    let last = loop {
        let answer = connection.ask(&languages());
        if answer.0 != 200 {
            break answer;
        }
        served += 1;
    };
    assert!(served > 0);
    assert_told_to_come_back(&last);
    corti.take();
    at_once(&gateway, &languages()).iter().for_each(assert_told_to_come_back);
    at_once(&gateway, &transcribe()).iter().for_each(assert_told_to_come_back);
    assert_eq!(corti.take(), Vec::<String>::new());
    // It comes back, and everybody is served by one new token.
    let before = control.token_requests().await;
    control.set(json!({ "drop_connections": 0, "token_lifetime": 300 })).await;
    ask_until_all_are_served(&gateway);
    wait_until("the WebSockets' token is there, too", || gateway.connect().ask(&transcribe()).0 == 101);
    assert_eq!(control.token_requests().await, before + 2, "one for each kind");
    assert_eq!(expired.load(Ordering::SeqCst), 0, "an expired token went to Corti");
    let seen = corti.take();
    let tokens: Vec<&str> = seen.iter().flat_map(|it| values(it, "authorization")).collect();
    assert!(tokens.len() >= WAITERS && tokens.iter().all(|it| *it == tokens[0]));
}

#[tokio::test]
async fn many_that_wait_for_the_first_token_cause_one_mint() {
    let corti = Recorder::of(Sandbox::start_with(&["--latency", "1s"]), answer_well);
    let idp = Sandbox::start();
    let gateway = Gateway::start_in(corti.world(), &config(&idp, RULES));
    ask_until_all_are_served(&gateway);
    assert_eq!(Control::of(&corti.realm).token_requests().await, 1);
}

/// A client that was revoked, or whose tenant is wrong, must not ask for a token with every request.
#[tokio::test]
async fn a_corti_that_always_refuses_causes_one_mint_in_30_seconds() {
    let corti = Recorder::answering(|_, stream| {
        answer_with("401 Unauthorized", "www-authenticate: Bearer error=\"canary\"\r\n", "canary", stream);
    });
    let (control, idp) = (Control::of(&corti.realm), Sandbox::start());
    let gateway = Gateway::start_in(corti.world(), &config(&idp, &with_sockets()));
    gateway.ready().await;
    let before = control.token_requests().await;
    let started = Instant::now();
    for request in [languages(), transcribe()] {
        let mut answers = at_once(&gateway, &request);
        let mut connection = gateway.connect();
        answers.extend((0..50).map(|_| connection.ask(&request)));
        for (status, head, body) in answers {
            assert_eq!(status, 502, "{head}{body}");
            assert!(body.contains("upstream_rejected_us"), "{body}");
            // It is not the caller's fault, so the caller is not asked for a credential.
            assert!(
                !head.contains("www-authenticate") && !format!("{head}{body}").contains("canary"),
                "{head}"
            );
        }
    }
    // One for each of the two tokens.
    let most = 2 * (1 + started.elapsed().as_secs() / 30);
    let minted = control.token_requests().await - before;
    assert!(minted <= most, "{minted} in {:?}", started.elapsed());
}

/// Keycloak may lock out a client that tries a wrong secret again and again.
#[tokio::test]
async fn a_realm_that_refuses_the_secret_is_left_alone() {
    let refused = json!({ "error": "unauthorized_client", "error_description": "Invalid client secret" });
    let realm = FakeServer::start(vec![Answer::http("401 Unauthorized", &[], &refused.to_string())]);
    let idp = Sandbox::start();
    let started = Instant::now();
    let gateway = Gateway::start_in(World::client_of(&realm.environment), &config(&idp, RULES));
    let body = r#"{"scopes":["transcribe"]}"#;
    let request = format!(
        "POST /broker/v1/token HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {BATCH}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = gateway.connect();
    for _ in 0..50 {
        let (status, _, body) = connection.ask(&request);
        assert!([502, 503].contains(&status), "{body}");
        assert!(!body.contains("canary-7"), "{body}");
    }
    for answer in at_once(&gateway, &request) {
        assert!([502, 503].contains(&answer.0), "{}", answer.2);
    }
    // The token of its own and the first of a caller's may cross.
    let most = 2 + 2 * (started.elapsed().as_secs() / 30);
    let asked = realm.requests().len() as u64;
    assert!((1..=most).contains(&asked), "{asked} in {:?}", started.elapsed());
}

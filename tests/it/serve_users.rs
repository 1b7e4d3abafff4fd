//! `serve` and two users: neither reaches what is the other's, and a ticket opens its own WebSocket and nothing else (abuse
//! case 4).

use std::io::{copy, sink};
use std::net::TcpStream;

use corti_auth::domain::gateway::operation::{Data, Operation, TABLE};
use serde_json::{Value, json};

use crate::common::gateway::{Gateway, HOST, ORIGIN, UPGRADE, config_of, get};
use crate::common::idp::Idp;
use crate::common::recorder::{Recorder, answer_with, open, target, values};
use crate::common::{Said, World, wait_until};

/// Two users by their `sub`, which is their `assignedUserId`.
const ANNA: &str = "aaaaaaaa-1111-4111-8111-111111111111";
const BERTA: &str = "bbbbbbbb-2222-4222-8222-222222222222";

/// An interaction of Anna's, and one of nobody's.
const ANNAS: &str = "7b1d1a52-5a4b-4c38-9c1e-0d6d6f1c2a3b";
const NOBODYS: &str = "7b1d1a52-5a4b-4c38-9c1e-0d6d6f1c2a3c";

fn rules(session: &str) -> String {
    let mut names: Vec<&str> = TABLE.iter().map(|operation| operation.name).collect();
    names.extend(["session.streams", "session.transcribe", "token.transcribe"]);
    format!(
        "[limits]\nrate = \"10000/s\"\nburst = 10000\nsockets = 100\ntokens = \"100/s\"\nsession = \"{session}\"\n\
         [[rule]]\ngroups = [\"clinician\"]\nallow = {names:?}\nown = true\n\
         [[rule]]\ngroups = [\"batch\"]\nallow = [\"languages.list\"]\n"
    )
}

/// Corti, where one interaction is Anna's and all others are nobody's.
fn corti(request: &str, stream: &mut TcpStream) {
    if open(request, stream) {
        let _ = copy(stream, &mut sink());
        return;
    }
    let host = values(request, "host")[0];
    let (status, body) = if request.starts_with("POST /v2/interactions/ ") {
        let url = format!("ws://{host}/audio-bridge/v2/interactions/{ANNAS}/streams?tenant-name=base");
        ("201 Created", json!({ "interactionId": ANNAS, "websocketUrl": url }))
    } else {
        let owner = if target(request).contains(ANNAS) { json!(ANNA) } else { Value::Null };
        ("200 OK", json!({ "assignedUserId": owner }))
    };
    answer_with(status, "content-type: application/json\r\n", &body.to_string(), stream);
}

fn start() -> (Recorder, Idp, Gateway) {
    let (corti, idp) = (Recorder::answering(corti), Idp::start());
    let gateway = Gateway::start_in(corti.world(), &config_of(&idp.url, &rules("2h")));
    (corti, idp, gateway)
}

/// The path of an operation, with this interaction.
fn path(operation: &Operation, interaction: &str) -> String {
    let filled = operation.template.replace("{interaction}", interaction);
    let parts: Vec<String> = filled
        .split('/')
        .map(|part| part.split_once('}').map_or_else(|| part.to_owned(), |(_, verb)| format!("x-1{verb}")))
        .collect();
    format!("/corti{}", parts.join("/"))
}

/// A request of an operation, with an empty object where it may have a body.
fn request(operation: &Operation, interaction: &str, headers: &str) -> String {
    let path = path(operation, interaction);
    let (body, length) = if operation.method == "GET" { ("", "") } else { ("{}", "Content-Length: 2\r\n") };
    format!(
        "{} {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n{length}{headers}\r\n{body}",
        operation.method
    )
}

fn ask(gateway: &Gateway, request: &str) -> (u16, String) {
    let (status, _, body) = gateway.connect().ask(request);
    let problem: Value = serde_json::from_str(&body).unwrap_or_default();
    (status, problem["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn what_is_another_users_or_everybodys_is_refused() {
    let (corti, idp, gateway) = start();
    gateway.ready().await;
    let (anna, berta) = (idp.token(ANNA, "clinician"), idp.token(BERTA, "clinician"));
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    for operation in TABLE.iter() {
        let upgrade = if operation.is_socket() { UPGRADE } else { "" };
        let headers = |token| format!("{}{upgrade}", bearer(token));
        let (berta, anna) = (
            ask(&gateway, &request(operation, ANNAS, &headers(&berta))),
            ask(&gateway, &request(operation, ANNAS, &headers(&anna))),
        );
        let asked = corti.take();
        match operation.data {
            Data::Interaction => {
                assert_eq!(berta, (403, "not_owner".to_owned()), "{operation:?}");
                let allowed = if operation.is_socket() { 101 } else { 200 };
                assert_eq!(anna.0, allowed, "{operation:?}");
                let others =
                    ask(&gateway, &request(operation, NOBODYS, &headers(&idp.token(ANNA, "clinician"))));
                assert_eq!(others, (403, "not_owner".to_owned()), "{operation:?}");
                corti.take();
                // The owner is asked for, and one call is passed on: Anna's.
                let owner = format!("/v2/interactions/{ANNAS}");
                let passed = asked.iter().filter(|it| target(it) != owner).count();
                assert!(passed <= 1, "{operation:?}: {asked:?}");
            }
            Data::AllUsers => {
                let denied = (403, "operation_denied".to_owned());
                assert_eq!((&berta, &anna, asked.len()), (&denied, &denied, 0), "{operation:?}");
            }
            Data::Shared => assert!([200, 101].contains(&berta.0), "{operation:?}: {berta:?}"),
        }
    }
    // The three other places of a WebSocket's credential.
    let streams = format!("/corti/audio-bridge/v2/interactions/{ANNAS}/streams");
    let protocol = format!("Sec-WebSocket-Protocol: Authorization, Bearer%20{berta}\r\n{UPGRADE}");
    for request in [
        get(&format!("{streams}?token=Bearer%20{berta}"), UPGRADE),
        get(&streams, &protocol),
        get(
            &format!("{streams}?token=Bearer%20{berta}&tenant-name=base"),
            &format!("Origin: {ORIGIN}\r\n{UPGRADE}"),
        ),
    ] {
        assert_eq!(ask(&gateway, &request), (403, "not_owner".to_owned()), "{request}");
    }
    // A session cannot be made for somebody else.
    let body = json!({ "kind": "streams", "interaction": { "assignedUserId": ANNA, "encounter": {
        "identifier": "1", "status": "planned", "type": "first_consultation" } } })
    .to_string();
    let (status, _) = session(&gateway, &berta, None, &body);
    let made = corti.take().pop().unwrap();
    assert_eq!(status, 201);
    assert!(made.contains(BERTA) && !made.contains(ANNA), "{made}");
}

/// Asks for a session. Returns the status and the answer.
fn session(gateway: &Gateway, token: &str, origin: Option<&str>, body: &str) -> (u16, Value) {
    let origin = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
    let (status, _, answer) = gateway.connect().ask(&format!(
        "POST /broker/v1/sessions HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}\r\n{origin}\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    (status, serde_json::from_str(&answer).unwrap())
}

fn ticket(gateway: &Gateway, token: &str, kind: &str, origin: Option<&str>) -> String {
    let (status, answer) = session(gateway, token, origin, &json!({ "kind": kind }).to_string());
    assert_eq!(status, 201, "{answer}");
    answer["protocols"]["corti-ticket"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_ticket_opens_no_other_operation_of_the_table() {
    let (corti, idp, gateway) = start();
    gateway.ready().await;
    let anna = idp.token(ANNA, "clinician");
    for kind in ["streams", "transcribe"] {
        let text = ticket(&gateway, &anna, kind, Some(ORIGIN));
        corti.take();
        let origin = format!("Origin: {ORIGIN}\r\n");
        let protocol = format!("{origin}Sec-WebSocket-Protocol: corti-ticket, {text}\r\n");
        let bearer = format!("{origin}Authorization: Bearer {text}\r\n");
        for operation in TABLE.iter() {
            let in_query = |upgrade: &str| {
                let headers = format!("{origin}{upgrade}");
                request(operation, ANNAS, &headers).replacen(
                    " HTTP",
                    &format!("?corti-ticket={text} HTTP"),
                    1,
                )
            };
            for (place, sent) in [
                ("the query", in_query("")),
                ("the query of an upgrade", in_query(UPGRADE)),
                ("a protocol", request(operation, ANNAS, &protocol)),
                ("a protocol of an upgrade", request(operation, ANNAS, &format!("{protocol}{UPGRADE}"))),
                ("a bearer", request(operation, ANNAS, &bearer)),
                ("a bearer of an upgrade", request(operation, ANNAS, &format!("{bearer}{UPGRADE}"))),
            ] {
                let (status, _) = ask(&gateway, &sent);
                let is_own = operation.name == kind && sent.contains(UPGRADE) && !place.contains("bearer");
                let is_good = if is_own { status == 101 } else { [400, 401, 403].contains(&status) };
                assert!(is_good, "{kind} by {place}: {operation:?}: {status}");
                let seen = corti.take();
                assert_eq!(seen.len(), usize::from(is_own), "{kind} by {place}: {operation:?}");
                assert!(seen.iter().all(|it| !it.contains(&text)), "Corti got the ticket: {seen:?}");
            }
        }
        for (method, path) in [("GET", "me"), ("POST", "token"), ("POST", "sessions")] {
            for headers in [&bearer, &protocol] {
                let sent = format!(
                    "{method} /broker/v1/{path}?corti-ticket={text} HTTP/1.1\r\nHost: {HOST}\r\n{headers}{UPGRADE}\r\n"
                );
                assert_eq!(ask(&gateway, &sent).0, 401, "{path}");
            }
        }
    }
    assert_eq!(corti.take(), Vec::<String>::new());
}

#[tokio::test]
async fn a_ticket_is_of_one_page_one_interaction_one_gateway_and_one_time() {
    let (corti, idp, gateway) = start();
    gateway.ready().await;
    let anna = idp.token(ANNA, "clinician");
    let open = |gateway: &Gateway, ticket: &str, interaction: &str, origin: &str| {
        let headers = format!("{origin}Sec-WebSocket-Protocol: corti-ticket, {ticket}\r\n{UPGRADE}");
        let path = format!("/corti/audio-bridge/v2/interactions/{interaction}/streams");
        ask(gateway, &get(&path, &headers))
    };
    let page = format!("Origin: {ORIGIN}\r\n");
    let of_page = ticket(&gateway, &anna, "streams", Some(ORIGIN));
    // By a program, which has no page.
    let of_none = ticket(&gateway, &anna, "streams", None);
    let denied = |code: &str| (403, code.to_owned());
    for (ticket, interaction, origin, answer) in [
        (&of_page, ANNAS, page.as_str(), (101, String::new())),
        (&of_page, NOBODYS, page.as_str(), denied("operation_denied")),
        (&of_page, ANNAS, "", denied("origin_denied")),
        (&of_page, ANNAS, "Origin: https://evil.example\r\n", denied("origin_denied")),
        (&of_page, ANNAS, "Origin: null\r\n", denied("origin_denied")),
        (&of_none, ANNAS, "", (101, String::new())),
        (&of_none, ANNAS, page.as_str(), denied("origin_denied")),
    ] {
        assert_eq!(open(&gateway, ticket, interaction, origin), answer, "{interaction} {origin}");
    }
    // Each gateway without a key file has a key of its own.
    let other = Gateway::start_in(corti.world(), &config_of(&idp.url, &rules("1s")));
    other.ready().await;
    let refused = (401, "credential_invalid".to_owned());
    assert_eq!(open(&other, &of_page, ANNAS, &page), refused);
    let short = ticket(&other, &anna, "streams", Some(ORIGIN));
    wait_until("the ticket has expired", || open(&other, &short, ANNAS, &page) == refused);
}

/// A WebSocket lasts no longer than its session, and its ticket is of no use afterwards.
#[tokio::test]
async fn a_session_ends() {
    let (corti, idp) = (Recorder::answering(corti), Idp::start());
    let gateway = Gateway::start_in(corti.world(), &config_of(&idp.url, &rules("1s")));
    gateway.ready().await;
    let token = idp.token(ANNA, "clinician");
    let sent =
        get("/corti/audio-bridge/v2/transcribe", &format!("Authorization: Bearer {token}\r\n{UPGRADE}"));
    // Returns when the connection ends.
    let answer = gateway.raw(sent.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    let [opened, ended] = [gateway.line(), gateway.line()];
    assert_eq!((&opened["outcome"], &ended["outcome"]), (&json!("opened"), &json!("session_over")));
    for same in ["request", "caller", "operation", "status"] {
        assert_eq!(opened[same], ended[same], "{same}");
    }
    assert_eq!((&opened["bytes_in"], &opened["bytes_out"]), (&json!(0), &json!(0)));
}

/// Such a token belongs to the client, so it opens everybody's interaction.
#[test]
fn a_token_for_every_interaction_is_not_allowed_beside_own() {
    let world = World::new();
    let text =
        config_of("https://idp.example", &rules("2h")).replace("\"token.transcribe\"", "\"token.streams\"");
    let file = world.file("serve.toml", text);
    let said = Said::by(&mut world.run(&format!("serve --config {file}")));
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(said.stderr.contains("every user's interaction"), "{}", said.stderr);
}

/// Replicas share a key and a URL. Two gateways that share only the key have different rules, and perhaps different users.
#[tokio::test]
async fn a_ticket_of_a_gateway_with_the_same_key_is_for_its_replicas_only() {
    let (corti, idp, world) = (Recorder::answering(corti), Idp::start(), World::new());
    let key = world.private_file("ticket.key", [7; 32]);
    let text = format!("{}[ticket]\nkey_file = '{key}'\n", config_of(&idp.url, &rules("2h")));
    let one = Gateway::start_in(corti.world(), &text);
    let replica = Gateway::start_in(corti.world(), &text);
    let other = text.replace(&format!("http://{HOST}"), "http://localhost:2");
    let other = Gateway::start_in(corti.world(), &other);
    for gateway in [&one, &replica] {
        gateway.ready().await;
    }
    let ticket = ticket(&one, &idp.token(ANNA, "clinician"), "transcribe", Some(ORIGIN));
    let headers = format!("Origin: {ORIGIN}\r\nSec-WebSocket-Protocol: corti-ticket, {ticket}\r\n{UPGRADE}");
    let sent = get("/corti/audio-bridge/v2/transcribe", &headers);
    assert_eq!(ask(&replica, &sent).0, 101);
    let refused = ask(&other, &sent.replace(HOST, "localhost:2"));
    assert_eq!(refused, (401, "credential_invalid".to_owned()));
}

//! `serve` and upgrades that fail: no tunnel is left behind, and the next request on the connection gets the gateway's own
//! checks (abuse case 7).

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::gateway::{BATCH, HOST, UPGRADE, get};
use crate::common::recorder::{Recorder, answer_with, target, values};

const RULES: &str = "[limits]\nrate = \"10000/s\"\nburst = 10000\nsockets = 1000\n\
    [[rule]]\ngroups = [\"batch\"]\nallow = [\"languages.list\", \"transcribe\"]\n";
const TRANSCRIBE: &str = "/corti/audio-bridge/v2/transcribe";

/// What Corti answers to an upgrade: a status and headers. None of it opens a WebSocket.
const ANSWERS: [(&str, &str); 16] = [
    ("200 OK", ""),
    ("204 No Content", ""),
    ("301 Moved Permanently", "location: https://evil.example/canary\r\n"),
    ("307 Temporary Redirect", "location: /canary\r\n"),
    ("400 Bad Request", ""),
    ("401 Unauthorized", "www-authenticate: Bearer realm=\"canary\"\r\n"),
    ("403 Forbidden", ""),
    ("404 Not Found", ""),
    ("426 Upgrade Required", "upgrade: websocket\r\n"),
    ("500 Internal Server Error", ""),
    ("503 Service Unavailable", "retry-after: 5\r\n"),
    ("101 Switching Protocols", ""),
    ("101 Switching Protocols", "upgrade: websocket\r\nconnection: upgrade\r\n"),
    (
        "101 Switching Protocols",
        "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n",
    ),
    ("101 Switching Protocols", "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: \r\n"),
    ("101 Switching Protocols", "upgrade: h2c\r\nconnection: upgrade\r\n"),
];

#[tokio::test]
async fn after_a_refused_upgrade_the_next_request_is_checked_like_any_other() {
    let number = Arc::<AtomicUsize>::default();
    let current = Arc::clone(&number);
    let (corti, _idp, gateway) = Recorder::answering(move |request, stream| {
        let (status, headers) = ANSWERS[current.load(Ordering::SeqCst)];
        if values(request, "upgrade").is_empty() {
            answer_with("200 OK", "", "rest", stream);
        } else {
            answer_with(status, &format!("x-canary: 1\r\n{headers}"), "canary", stream);
            // Bytes that a tunnel would carry.
            let _ = stream.write_all(b"canary");
        }
    })
    .behind_gateway(RULES)
    .await;
    let bearer = format!("Authorization: Bearer {BATCH}\r\n");
    let upgrade = get(TRANSCRIBE, &format!("{bearer}{UPGRADE}"));
    let more = [
        // What a tunnel to Corti would be used for.
        get("/v2/interactions/", ""),
        get("/v2/interactions/", &bearer),
        get("/corti/v2/languages/", ""),
        get("/corti/v2/languages/", "Authorization: Bearer ck_wrong\r\n"),
        get("/corti/v2/interactions/", &bearer),
        get("/corti/v2/languages/", &bearer),
    ];
    for (index, (status, _)) in ANSWERS.iter().enumerate() {
        number.store(index, Ordering::SeqCst);
        let mut connection = gateway.connect();
        let (refused, head, body) = connection.ask(&format!("{upgrade}{}", more.concat()));
        assert_eq!(refused, 502, "{status}: {head}");
        assert!(!format!("{head}{body}").contains("canary"), "{status}: {head}{body}");
        let answers = more.each_ref().map(|_| {
            let (status, head, body) = connection.answer();
            assert!(!format!("{head}{body}").contains("canary"), "{head}{body}");
            status
        });
        assert_eq!(answers, [401, 404, 401, 401, 403, 200], "{status}");
        let seen = corti.take();
        let rest: Vec<&String> = seen.iter().filter(|it| values(it, "upgrade").is_empty()).collect();
        // A refused token is tried again once.
        let upgrades = if status.starts_with("401") { 2 } else { 1 };
        assert_eq!((seen.len() - rest.len(), rest.len()), (upgrades, 1), "{status}: {seen:?}");
        assert_eq!(target(rest[0]), "/v2/languages/");
        assert!(values(rest[0], "authorization")[0].starts_with("Bearer eyJ"), "{seen:?}");
    }
}

/// What is no handshake never gets to Corti.
#[tokio::test]
async fn an_unusual_handshake_is_refused() {
    let (corti, _idp, gateway) = Recorder::start().behind_gateway(RULES).await;
    let bearer = format!("Authorization: Bearer {BATCH}\r\n");
    let with = |from: &str, to: &str| {
        assert!(UPGRADE.contains(from), "{from}");
        format!("{bearer}{}", UPGRADE.replace(from, to))
    };
    let good = format!("{bearer}{UPGRADE}");
    for (name, request) in [
        ("a POST", get(TRANSCRIBE, &good).replacen("GET", "POST", 1)),
        ("a HEAD", get(TRANSCRIBE, &good).replacen("GET", "HEAD", 1)),
        ("a CONNECT", get(TRANSCRIBE, &good).replacen("GET", "CONNECT", 1)),
        ("HTTP/1.0", get(TRANSCRIBE, &good).replacen("HTTP/1.1", "HTTP/1.0", 1)),
        ("an old version", get(TRANSCRIBE, &with("Version: 13", "Version: 8"))),
        ("no version", get(TRANSCRIBE, &with("Sec-WebSocket-Version: 13\r\n", ""))),
        ("no key", get(TRANSCRIBE, &with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""))),
        ("an empty key", get(TRANSCRIBE, &with("dGhlIHNhbXBsZSBub25jZQ==", ""))),
        ("a short key", get(TRANSCRIBE, &with("dGhlIHNhbXBsZSBub25jZQ==", "dGhl"))),
        ("another protocol", get(TRANSCRIBE, &with("Upgrade: websocket", "Upgrade: h2c"))),
        ("no protocol", get(TRANSCRIBE, &with("Upgrade: websocket\r\n", ""))),
        ("not asked for", get(TRANSCRIBE, &with("Connection: Upgrade", "Connection: keep-alive"))),
        ("a body", format!("{}abc", get(TRANSCRIBE, &format!("{good}Content-Length: 3\r\n")))),
        ("a body in chunks", get(TRANSCRIBE, &format!("{good}Transfer-Encoding: chunked\r\n")) + "0\r\n\r\n"),
        ("a REST path", get("/corti/v2/languages/", &good)),
        ("the broker", get("/broker/v1/token", &good)),
    ] {
        let answer = gateway.raw_until_answer(request.as_bytes());
        let status = answer.get(9..12).unwrap_or_default();
        assert!(["400", "404", "405", "426"].contains(&status), "{name}: {answer}");
        assert_eq!(corti.take(), Vec::<String>::new(), "{name}");
    }
    // As Firefox asks.
    let firefox = get(TRANSCRIBE, &with("Connection: Upgrade", "Connection: keep-alive, Upgrade"));
    assert_eq!(gateway.connect().ask(&firefox).0, 101);
    assert_eq!(corti.take().len(), 1);
    // The host of a proxy's target is not ours to reach.
    for target in ["evil.example:443", "127.0.0.1:1"] {
        let connect = format!("CONNECT {target} HTTP/1.1\r\nHost: {HOST}\r\n{bearer}\r\n");
        let answer = gateway.raw_until_answer(connect.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
}

/// Two keys have two accepts, and a client and an engine in front may take different ones (RFC 6455, section 11.3.1).
#[tokio::test]
async fn two_keys_are_refused() {
    let (corti, _idp, gateway) = Recorder::start().behind_gateway(RULES).await;
    for more in ["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n", "Sec-WebSocket-Version: 8\r\n"] {
        let headers = format!("Authorization: Bearer {BATCH}\r\n{UPGRADE}{more}");
        assert_eq!(gateway.connect().ask(&get(TRANSCRIBE, &headers)).0, 400, "{more}");
        assert_eq!(corti.take(), Vec::<String>::new(), "{more}");
    }
}

//! `serve` and a Corti that is broken or taken over: its answers are bounded, its redirects are not followed, and the gateway
//! serves on (A10, A26, A28).

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::common::fake_server::{Answer, FakeServer};
use crate::common::gateway::{BATCH, Gateway, HOST, UPGRADE, config, get};
use crate::common::recorder::{Recorder, answer_with, open, values};
use crate::common::{Sandbox, wait_until};

const RULES: &str = "[limits]\nrate = \"10000/s\"\nburst = 10000\nsockets = 1000\n\
    [[rule]]\ngroups = [\"batch\"]\nallow = [\"languages.list\", \"transcribe\"]\n";
const LANGUAGES: &str = "/corti/v2/languages/";
const TRANSCRIBE: &str = "/corti/audio-bridge/v2/transcribe";

/// A gateway, and a Corti whose answer can be changed.
struct Broken {
    gateway: Gateway,
    corti: Recorder,
    answer: Arc<Mutex<Vec<u8>>>,
    _idp: Sandbox,
}

impl Broken {
    async fn start() -> Self {
        let answer = Arc::<Mutex<Vec<u8>>>::default();
        let current = Arc::clone(&answer);
        let corti = Recorder::answering(move |_, stream| {
            let answer = current.lock().unwrap().clone();
            let _ = stream.write_all(&answer);
        });
        let (corti, idp, gateway) = corti.behind_gateway(RULES).await;
        Self { gateway, corti, answer, _idp: idp }
    }

    /// All that a caller of REST gets if Corti answers with these bytes, and closes.
    fn rest(&self, answer: &[u8]) -> String {
        self.answer.lock().unwrap().clone_from(&answer.to_vec());
        let bearer = format!("Authorization: Bearer {BATCH}\r\nConnection: close\r\n");
        self.gateway.raw(get(LANGUAGES, &bearer).as_bytes())
    }

    fn socket(&self, answer: &[u8]) -> String {
        self.answer.lock().unwrap().clone_from(&answer.to_vec());
        let bearer = format!("Authorization: Bearer {BATCH}\r\n{UPGRADE}");
        self.gateway.connect().ask(&get(TRANSCRIBE, &bearer)).1
    }
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_a_502() {
    let broken = Broken::start().await;
    let many = (0..1000).map(|it| format!("x-{it}: y\r\n")).collect::<Vec<_>>().concat();
    for (name, answer) in [
        ("nothing", String::new()),
        ("no HTTP", "hello\r\n\r\n".to_owned()),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
        ("half a head", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n".to_owned()),
        ("no status", "HTTP/1.1 OK\r\n\r\n".to_owned()),
        ("a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n".to_owned()),
        ("a status of two", "HTTP/1.1 20 OK\r\n\r\n".to_owned()),
        ("a header of 1 MiB", format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(1 << 20))),
        ("1,000 headers", format!("HTTP/1.1 200 OK\r\n{many}\r\n")),
        ("a NUL in a header", "HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n".to_owned()),
        ("a line feed in a name", "HTTP/1.1 200 OK\r\nx\ny: a\r\n\r\n".to_owned()),
        ("a header without a colon", "HTTP/1.1 200 OK\r\nx\r\n\r\n".to_owned()),
        ("two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}".to_owned()),
        ("an odd length", "HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\n{}".to_owned()),
        ("an early hint and no more", "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".to_owned()),
        ("many early hints", "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(5000)),
    ] {
        let said = broken.rest(answer.as_bytes());
        assert!(said.starts_with("HTTP/1.1 502 ") && said.contains("upstream_unreachable"), "{name}: {said}");
        let said = broken.socket(answer.as_bytes());
        assert!(said.starts_with("HTTP/1.1 502 "), "{name}: {said}");
    }
    // It serves on, and an early hint before the answer is none of the caller's.
    let good = broken.rest(b"HTTP/1.1 103 Early Hints\r\nx-a: 1\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    assert!(good.starts_with("HTTP/1.1 200 ") && good.ends_with("{}") && !good.contains("x-a"), "{good}");
}

/// Whatever comes is passed on as one answer, or the connection ends before the answer does.
#[tokio::test]
async fn a_body_that_ends_too_early_is_no_whole_answer() {
    let broken = Broken::start().await;
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n";
    for (name, answer) in [
        ("half a body", format!("{head}content-length: 100\r\n\r\nhalf")),
        ("no last chunk", format!("{head}transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n")),
        ("half a chunk", format!("{head}transfer-encoding: chunked\r\n\r\n64\r\nhalf")),
        ("a bad chunk", format!("{head}transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nxyz\r\n")),
        ("a huge chunk", format!("{head}transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nhalf")),
    ] {
        let said = broken.rest(answer.as_bytes());
        let is_cut = said.starts_with("HTTP/1.1 200 ")
            && !said.ends_with("0\r\n\r\n")
            && (said.contains("content-length: 100") || said.contains("transfer-encoding: chunked"));
        // The connection may end before anything was sent.
        assert!(is_cut || said.is_empty() || said.starts_with("HTTP/1.1 502 "), "{name}: {said}");
    }
    // A second answer after the first is nobody's.
    let twice = format!("{head}content-length: 2\r\n\r\n{{}}{head}content-length: 6\r\n\r\ncanary");
    for _ in 0..3 {
        let said = broken.rest(twice.as_bytes());
        assert!(said.ends_with("{}") && !said.contains("canary"), "{said}");
    }
}

/// A redirect is an answer like any other: the gateway's token goes to no other host.
#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = FakeServer::start(vec![Answer::json("{}")]);
    let broken = Broken::start().await;
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent", "300 Choices"]
    {
        for location in [format!("{}/v2/languages/", elsewhere.environment), "/v2/interactions/".to_owned()] {
            let answer = format!(
                "HTTP/1.1 {status}\r\nlocation: {location}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            );
            let said = broken.rest(answer.as_bytes());
            assert!(said.starts_with(&format!("HTTP/1.1 {status}")), "{said}");
            // Nor is the caller led there, with its own credential.
            assert!(!said.contains("location: "), "{said}");
            assert!(broken.socket(answer.as_bytes()).starts_with("HTTP/1.1 502 "), "{status}");
        }
    }
    assert_eq!(broken.corti.take().len(), 24);
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
}

/// Where a call goes is the configuration's affair.
#[tokio::test]
async fn a_caller_names_no_host_and_no_other_method() {
    let elsewhere = FakeServer::start(vec![Answer::json("{}")]);
    let broken = Broken::start().await;
    let host = elsewhere.environment.trim_start_matches("http://").to_owned();
    let bearer = format!("Authorization: Bearer {BATCH}\r\nConnection: close\r\n");
    let environment = &broken.corti.environment;
    for (name, request) in [
        ("absolute form", get(&format!("{}/corti/v2/languages/", elsewhere.environment), &bearer)),
        ("absolute form of Corti", get(&format!("{environment}/v2/languages/"), &bearer)),
        ("absolute form of ours", get(&format!("http://{HOST}/corti/v2/languages/"), &bearer)),
        ("absolute form with TLS", get("https://evil.example/corti/v2/languages/", &bearer)),
        ("a user in front", get(&format!("http://{HOST}@{host}/corti/v2/languages/"), &bearer)),
        ("CONNECT", get(&host, &bearer).replacen("GET", "CONNECT", 1)),
        ("another Host", get(LANGUAGES, &bearer).replace(HOST, &host)),
        ("two Hosts", get(LANGUAGES, &format!("Host: {host}\r\n{bearer}"))),
        ("TRACE", get(LANGUAGES, &bearer).replacen("GET", "TRACE", 1)),
        ("TRACK", get(LANGUAGES, &bearer).replacen("GET", "TRACK", 1)),
        ("PUT", get(LANGUAGES, &bearer).replacen("GET", "PUT", 1)),
        ("HEAD", get(LANGUAGES, &bearer).replacen("GET", "HEAD", 1)),
        ("DELETE", get(LANGUAGES, &bearer).replacen("GET", "DELETE", 1)),
        ("lower case", get(LANGUAGES, &bearer).replacen("GET", "get", 1)),
        (
            "an overriding method",
            get("/corti/v2/interactions/", &format!("X-HTTP-Method-Override: POST\r\n{bearer}")),
        ),
    ] {
        let said = broken.gateway.raw(request.as_bytes());
        assert!(said.starts_with("HTTP/1.1 4") && !said.contains("200 OK"), "{name}: {said}");
    }
    assert_eq!(broken.corti.take(), Vec::<String>::new());
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
}

/// Interim answers without end keep a WebSocket's caller no longer than the handshake may take.
#[tokio::test]
async fn interim_answers_without_end_are_a_502() {
    let sent = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&sent);
    let corti = Recorder::answering(move |_, stream| endless(stream, &count));
    let idp = Sandbox::start();
    let gateway = Gateway::start_in(corti.world(), &config(&idp, RULES));
    gateway.ready().await;
    let bearer = format!("Authorization: Bearer {BATCH}\r\n{UPGRADE}");
    let (status, _, body) = gateway.connect().ask(&get(TRANSCRIBE, &bearer));
    assert_eq!(status, 502, "{body}");
    assert!(sent.load(Ordering::SeqCst) > 0);
    wait_until("the connection to Corti is closed", || sent.load(Ordering::SeqCst) == usize::MAX);
}

fn endless(stream: &mut TcpStream, count: &AtomicUsize) {
    while stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").is_ok() {
        count.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    count.store(usize::MAX, Ordering::SeqCst);
}

/// Corti's own words about a WebSocket may repeat its URL, which has our token.
#[tokio::test]
async fn a_websockets_answer_has_no_header_of_cortis() {
    let corti = Recorder::answering(|request, stream| {
        if open(request, stream) {
            return;
        }
        let all = values(request, "authorization").join(" ");
        answer_with("400 Bad Request", &format!("x-repeated: {all}\r\n"), &all, stream);
    });
    let idp = Sandbox::start();
    let gateway = Gateway::start_in(corti.world(), &config(&idp, RULES));
    gateway.ready().await;
    let bearer = format!("Authorization: Bearer {BATCH}\r\n{UPGRADE}");
    let (status, head, _) = gateway.connect().ask(&get(TRANSCRIBE, &bearer));
    assert_eq!(status, 101);
    let mut names: Vec<&str> = head.lines().skip(1).filter_map(|it| Some(it.split_once(':')?.0)).collect();
    names.sort_unstable();
    let own = ["connection", "date", "sec-websocket-accept", "upgrade", "vary", "x-request-id"];
    assert_eq!(names, [&["access-control-expose-headers"], &own[..]].concat());
}

/// Nobody asked for an upgrade, so nobody may get one (RFC 9110, section 15.2.2).
#[tokio::test]
async fn a_101_that_nobody_asked_for_is_a_502() {
    let broken = Broken::start().await;
    for headers in
        ["", "upgrade: websocket\r\nconnection: upgrade\r\n", "upgrade: h2c\r\nconnection: upgrade\r\n"]
    {
        let said = broken.rest(format!("HTTP/1.1 101 Switching Protocols\r\n{headers}\r\ncanary").as_bytes());
        assert!(said.starts_with("HTTP/1.1 502 ") && !said.contains("canary"), "{headers}: {said}");
    }
}

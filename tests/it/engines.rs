//! The gateway alone, behind an engine, and asked by an engine: one table of expectations for all of them.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::engine::Column::{self, ForwardAuth, InFront, Inline};
use crate::common::engine::Engine::{Caddy, Envoy, Haproxy, Nginx};
use crate::common::engine::{API, Engine, PUBLIC, Setup, get};
use crate::common::fake_corti::OWN;
use crate::common::fake_server::{Answer, listen, read_request, serve};
use crate::common::gateway::{BATCH, Connection, ORIGIN, UPGRADE};
use crate::common::recorder::{answer_with, target, values};
use crate::common::{Said, wait_until};
use crate::serve_headers::{CANARY, HEADERS, NAMED};
use crate::serve_paths::TRICKS;
use crate::serve_smuggling::twofold;

const LANGUAGES: &str = "/corti/v2/languages/";
const RECORDINGS: &str = "/corti/v2/interactions/7b1d1a52-5a4b-4c38-9c1e-0d6d6f1c2a3b/recordings/";
const EVENTS: &str = "/corti/v2/agentic/agents/a1/a2a/message:stream";
const TRANSCRIBE: &str = "/corti/audio-bridge/v2/transcribe";
const STREAMS: &str = "/corti/audio-bridge/v2/interactions/7b1d1a52-5a4b-4c38-9c1e-0d6d6f1c2a3b/streams";

/// What a full run uploads.
const UPLOAD: usize = 512 << 20;

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// The only request that Corti got: with the gateway's token and tenant, and nothing of the caller's credential.
fn only(setup: &Setup, credential: &str) -> String {
    let mut requests = setup.corti.take();
    assert_eq!(requests.len(), 1, "{:?}: {requests:?}", setup.column);
    let request = requests.remove(0);
    assert!(!request.contains(credential), "{:?}: {request}", setup.column);
    request
}

fn assert_rest(setup: &Setup, credential: &str, path: &str) {
    let request = only(setup, credential);
    assert_eq!(target(&request), path.strip_prefix("/corti").unwrap());
    let [authorization] = values(&request, "authorization")[..] else { panic!("{request}") };
    assert!(authorization.starts_with("Bearer eyJ"), "{request}");
    assert_eq!(values(&request, "tenant-name"), ["base"], "{request}");
}

/// Nothing of Corti's own server.
fn assert_clean(setup: &Setup, head: &str) {
    assert!(!head.contains(OWN), "{:?}: {head}", setup.column);
}

fn rest(setup: &Setup, credential: &str) {
    let (status, head, body) = setup.ask(&get(LANGUAGES, &bearer(credential)));
    assert_eq!((status, body.as_str()), (200, "{\"bytes\":0}"), "{:?}: {head}", setup.column);
    assert_clean(setup, &head);
    assert_rest(setup, credential, LANGUAGES);
    // Nothing is left of a query that only names a caller and a tenant.
    let (status, head, _) =
        setup.ask(&get(&format!("{LANGUAGES}?tenant-name=evil&token=x"), &bearer(credential)));
    assert_eq!(status, 200, "{:?}: {head}", setup.column);
    assert_rest(setup, credential, LANGUAGES);
}

/// Each event comes before the next one is sent.
fn events(setup: &Setup, credential: &str) {
    let mut connection = setup.connect();
    let body = "{}";
    connection.send(format!(
        "POST {EVENTS} HTTP/1.1\r\nHost: {PUBLIC}\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        bearer(credential),
        body.len()
    ));
    let head = connection.until("\r\n\r\n");
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.contains("text/event-stream"),
        "{:?}: {head}",
        setup.column
    );
    assert_clean(setup, &head);
    for number in ["one", "two", "three"] {
        setup.corti.events.send(number.to_owned()).unwrap();
        assert!(connection.until("\n\n").ends_with(&format!("data: {number}\n\n")), "{:?}", setup.column);
    }
    setup.corti.events.send(String::new()).unwrap();
    connection.until("0\r\n\r\n");
    assert_rest(setup, credential, EVENTS);
}

fn upload(setup: &Setup, credential: &str, size: usize) {
    let mut connection = setup.connect();
    connection.send(format!(
        "POST {RECORDINGS} HTTP/1.1\r\nHost: {PUBLIC}\r\n{}Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        bearer(credential)
    ));
    let chunk = [b"100000\r\n", &vec![b'x'; 1 << 20][..], b"\r\n"].concat();
    for _ in 0..size >> 20 {
        connection.send(&chunk);
    }
    let (status, head, body) = connection.ask("0\r\n\r\n");
    assert_eq!((status, body), (200, format!("{{\"bytes\":{size}}}")), "{:?}: {head}", setup.column);
    assert_rest(setup, credential, RECORDINGS);
}

/// Opens a WebSocket, and returns it with the head of its answer.
fn open(setup: &Setup, path: &str, headers: &str) -> (Connection, String) {
    let mut connection = setup.connect();
    connection.send(get(path, &format!("{headers}{UPGRADE}")));
    let head = connection.until("\r\n\r\n");
    (connection, head)
}

/// What is sent comes back, and Corti was asked by the gateway's token.
fn socket(setup: &Setup, path: &str, headers: &str, credential: &str) {
    let (mut connection, head) = open(setup, path, headers);
    assert!(head.starts_with("HTTP/1.1 101 "), "{:?} {path}: {head}", setup.column);
    let offered = headers.split_once("Sec-WebSocket-Protocol: ").and_then(|(_, rest)| rest.split(',').next());
    let lower = head.to_ascii_lowercase();
    let echoed: Vec<&str> =
        lower.lines().filter_map(|line| line.strip_prefix("sec-websocket-protocol: ")).collect();
    let offered: Vec<String> = offered.map(str::to_ascii_lowercase).into_iter().collect();
    assert_eq!(echoed, offered, "{:?}: {head}", setup.column);
    assert_clean(setup, &head);
    for text in ["first", "second"] {
        connection.send(text);
        assert_eq!(connection.bytes(text.len()), text.as_bytes());
    }
    drop(connection);
    let request = only(setup, credential);
    let plain = path.split('?').next().unwrap().strip_prefix("/corti").unwrap();
    let expected = format!("{plain}?tenant-name=base&token=Bearer%20eyJ");
    assert!(target(&request).starts_with(&expected), "{:?}: {request}", setup.column);
    assert!(values(&request, "sec-websocket-protocol").is_empty(), "{request}");
}

/// Every row of the table, with the upload of a full run.
fn check_all_rows(column: Column) {
    check_rows(column, UPLOAD);
}

/// Every row of the table, with each credential.
pub fn check_rows(column: Column, size: usize) {
    let setup = Setup::start(column);
    let jwt = setup.idp.token("anna", "batch");
    for credential in [&*jwt, BATCH] {
        rest(&setup, credential);
        events(&setup, credential);
        upload(&setup, credential, size);
        for path in [TRANSCRIBE, STREAMS] {
            socket(&setup, path, &bearer(credential), credential);
            socket(&setup, &format!("{path}?token=Bearer%20{credential}&tenant-name=evil"), "", credential);
            let protocol = format!("Sec-WebSocket-Protocol: Authorization, Bearer%20{credential}\r\n");
            socket(&setup, path, &protocol, credential);
        }
    }
    // As long as some identity providers make them.
    let mut claims = setup.idp.claims("anna", "batch");
    claims["long"] = "x".repeat(9000).into();
    rest(&setup, &setup.idp.sign(&setup.idp.header(), &claims.to_string()));
    let long = format!("{LANGUAGES}?x={}", "x".repeat(15 << 10));
    let (status, head, _) = setup.ask(&get(&long, &bearer(BATCH)));
    assert_eq!(status, 200, "{column:?}: {head}");
    assert_rest(&setup, BATCH, &long);
    for kind in ["transcribe", "streams"] {
        let (path, ticket) = setup.ticket(kind);
        setup.corti.take();
        socket(&setup, &path, &format!("Sec-WebSocket-Protocol: corti-ticket, {ticket}\r\n"), &ticket);
        socket(&setup, &format!("{path}?corti-ticket={ticket}"), "", &ticket);
    }
    let logs = setup.logs();
    assert!(!logs.contains("eyJ") && !logs.contains(BATCH), "{column:?}: {logs}");
}

/// White space that an engine drops, and a scheme without a host: the path is then the plain one, and so is what Corti gets.
const TIDIED: [(Engine, &str); 3] = [
    (Haproxy, "/corti/v2/languages/\t"),
    (Envoy, "/corti/v2/languages/\t"),
    (Caddy, "http:/corti/v2/languages/"),
];

/// Every other way to write a path is refused, by whoever sees it first.
fn check_paths(column: Column) {
    let setup = Setup::start(column);
    for path in TRICKS {
        // Each as a request and as a WebSocket's handshake, and the same below the path of a WebSocket.
        let below = path.replace("/v2/languages", "/audio-bridge/v2/transcribe");
        let below = if below == TRANSCRIBE { format!("{TRANSCRIBE}/") } else { below };
        for (path, more) in [(path, ""), (path, UPGRADE), (&below, UPGRADE)] {
            let closing = if more.is_empty() { "Connection: close\r\n" } else { "" };
            let mut connection = setup.connect();
            connection.send(get(path, &format!("{}{more}{closing}", bearer(BATCH))));
            let answer = connection.first();
            let status = answer.get(9..12).unwrap_or_default();
            let is_refused = ["400", "403", "404", "421"].contains(&status);
            let is_tidied = more.is_empty()
                && TIDIED.iter().any(|(engine, tidied)| column.engine() == Some(*engine) && *tidied == path);
            assert!(is_refused || is_tidied, "{column:?} {path}: {answer}");
            if is_tidied {
                setup
                    .corti
                    .take()
                    .iter()
                    .for_each(|seen| assert_eq!(target(seen), "/v2/languages/", "{path}"));
            }
        }
        assert_eq!(setup.corti.take(), Vec::<String>::new(), "{column:?} {path}");
    }
    // A server must accept the absolute form of its own host (RFC 9112, section 3.2.2). `serve` and HAProxy do not.
    let is_taken = [Nginx, Caddy, Envoy].map(Some).contains(&column.engine());
    for (host, status) in [(PUBLIC, if is_taken { 200 } else { 400 }), ("evil.example", 421)] {
        let (said, head, _) = setup.ask(&get(&format!("http://{host}{LANGUAGES}"), &bearer(BATCH)));
        assert!(said == status || (status > 200 && (400..500).contains(&said)), "{column:?} {host}: {head}");
        let seen = setup.corti.take();
        assert_eq!(seen.len(), usize::from(status == 200), "{column:?} {host}");
        assert!(seen.iter().all(|request| target(request) == "/v2/languages/"), "{column:?}: {seen:?}");
    }
}

/// What an engine that only drops the headers of a list passes on, and Corti does not know.
const HARMLESS: [&str; 8] = [
    "authorization-",
    "tenant.name",
    "sec-websocket-accept",
    "expect-ct",
    "max-forwards",
    "if-range",
    "corti-ticket",
    "token",
];

/// What engines and the gateway tell each other.
const ENGINES_OWN: [&str; 7] = [
    "x-corti-protocol",
    "x-corti-engine-key",
    "x-corti-uri",
    "x-corti-method",
    "x-corti-status",
    "x-forwarded-method",
    "x-accel-redirect",
];

/// Abuse case 1: whatever headers a caller adds, Corti gets one token and one tenant, which are the gateway's.
fn check_headers(column: Column) {
    let setup = Setup::start(column);
    let is_list = column != ForwardAuth(Caddy);
    let names = HEADERS.into_iter().chain(ENGINES_OWN);
    for (name, named) in names.flat_map(|name| NAMED.iter().map(move |named| (name, *named))) {
        let connection = format!("Connection: {named}\r\n");
        let value = if name == "x-corti-target" { "/v2/interactions/" } else { CANARY };
        for more in ["", UPGRADE] {
            let path = if more.is_empty() { LANGUAGES } else { TRANSCRIBE };
            let headers = format!("{}{name}: {value}\r\n{more}{connection}", bearer(BATCH));
            let mut client = setup.connect();
            client.send(get(path, &headers));
            let head = client.first();
            let status = head.get(9..12).unwrap_or_default().to_owned();
            let seen = setup.corti.take();
            // An engine may refuse the request, but then nobody gets it.
            if !["101", "200"].contains(&&*status) {
                assert!(status.starts_with('4') && seen.is_empty(), "{column:?} {headers}: {head} {seen:?}");
                continue;
            }
            let [request] = &seen[..] else { panic!("{column:?} {headers}: {head} {seen:?}") };
            let is_socket = path == TRANSCRIBE;
            let plain = if is_socket {
                "/audio-bridge/v2/transcribe?tenant-name=base&token=Bearer%20eyJ"
            } else {
                "/v2/languages/"
            };
            assert!(target(request).starts_with(plain), "{column:?} {headers}: {request}");
            assert!(
                values(request, "authorization").iter().all(|it| it.starts_with("Bearer eyJ")),
                "{request}"
            );
            assert_eq!(
                values(request, "authorization").len(),
                usize::from(!is_socket || column.is_forward_auth()),
                "{request}"
            );
            assert!(values(request, "tenant-name").iter().all(|it| *it == "base"), "{request}");
            let leaks = request.contains(CANARY) && (is_list || !HARMLESS.contains(&name));
            assert!(!leaks && !request.contains(BATCH), "{column:?} {headers}: {request}");
            let corti = request.lines().any(|line| line.to_ascii_lowercase().starts_with("x-corti"));
            assert!(!corti && !head.contains(CANARY), "{column:?}: {request} {head}");
        }
    }
}

/// Abuse case 2: each request that reaches Corti was decided on, with the gateway's token.
fn check_twofold(column: Column) {
    let setup = Setup::start(column);
    let post = format!("POST {RECORDINGS} HTTP/1.1\r\nHost: {PUBLIC}\r\n{}", bearer(BATCH));
    // It has no credential: Corti would get it only as a part of another request, or of its connection.
    let inner = get(LANGUAGES, "Connection: close\r\n");
    for (name, more) in twofold() {
        let mut connection = setup.connect();
        connection.send(format!("{post}{more}{inner}"));
        connection.finish();
        let answers = connection.rest();
        let good = answers.matches("HTTP/1.1 200 ").count();
        assert!(good <= 1, "{column:?} {name}: {answers}");
    }
    // Whatever was left on a connection to Corti would come with these.
    for _ in 0..8 {
        assert_eq!(setup.ask(&get(LANGUAGES, &bearer(BATCH))).0, 200);
    }
    let seen = setup.corti.take();
    let (gets, posts): (Vec<&String>, Vec<_>) = seen.iter().partition(|it| target(it) == "/v2/languages/");
    assert_eq!(gets.len(), 8, "{column:?}: {gets:?}");
    for request in &seen {
        let [authorization] = values(request, "authorization")[..] else { panic!("{column:?}: {request}") };
        assert!(authorization.starts_with("Bearer eyJ"), "{column:?}: {request}");
    }
    assert!(posts.iter().all(|it| it.starts_with("POST /v2/interactions/")), "{column:?}: {posts:?}");
}

/// Statuses and codes of refusals, which are the gateway's.
fn check_refusals(column: Column) {
    let setup = Setup::start(column);
    let (ours, slow) = (bearer(BATCH), bearer(&setup.idp.token("carl", "slow")));
    let page = |origin: &str| format!("{ours}Origin: {origin}\r\n");
    let two = format!("{ours}Authorization: Bearer x\r\n");
    let (_, ticket) = setup.ticket("transcribe");
    let by_protocol = format!("Sec-WebSocket-Protocol: corti-ticket, {ticket}\r\n");
    let handshake = |upgrade: &str| get(TRANSCRIBE, &format!("{ours}{upgrade}"));
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let rows: [(&str, String, u16, &str); 20] = [
        ("no credential", get(LANGUAGES, ""), 401, "credential_missing"),
        (
            "a wrong key",
            get(LANGUAGES, &bearer("ck_0123456789012345678901234567890123")),
            401,
            "credential_invalid",
        ),
        ("two credentials", get(LANGUAGES, &two), 400, "credential_invalid"),
        ("an unknown route", get("/corti/v2/nothing", &ours), 404, "route_unknown"),
        ("not allowed", get("/corti/v2/interactions/", &ours), 403, "operation_denied"),
        ("another page", get(LANGUAGES, &page("https://evil.example")), 403, "origin_denied"),
        ("no upgrade", get(TRANSCRIBE, &ours), 400, "request_invalid"),
        ("an upgrade of REST", get(LANGUAGES, &format!("{ours}{UPGRADE}")), 400, "request_invalid"),
        (
            "a query with a token",
            get(&format!("{LANGUAGES}?token=Bearer%20{BATCH}"), ""),
            401,
            "credential_missing",
        ),
        ("another host", get(LANGUAGES, &ours).replace(PUBLIC, "evil.example"), 421, "host_unknown"),
        ("one too many", get(LANGUAGES, &slow), 429, "rate_limited"),
        (
            "a spoofed upgrade",
            get(TRANSCRIBE, &format!("{ours}X-Corti-Upgrade: websocket\r\n")),
            400,
            "request_invalid",
        ),
        ("a ticket on REST", get(LANGUAGES, &by_protocol), 401, "credential_missing"),
        ("a ticket as a bearer", get(LANGUAGES, &bearer(&ticket)), 401, "credential_invalid"),
        (
            "a ticket in a query",
            get(&format!("{LANGUAGES}?corti-ticket={ticket}"), ""),
            401,
            "credential_missing",
        ),
        (
            "two keys",
            handshake(&format!("{UPGRADE}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n")),
            400,
            "request_invalid",
        ),
        ("no key", handshake(&UPGRADE.replace(&format!("{key}\r\n"), "")), 400, "request_invalid"),
        ("a bad key", handshake(&UPGRADE.replace(key, "Sec-WebSocket-Key: x")), 400, "request_invalid"),
        ("another version", handshake(&UPGRADE.replace("13", "8")), 400, "request_invalid"),
        (
            "two versions",
            handshake(&format!("{UPGRADE}Sec-WebSocket-Version: 13\r\n")),
            400,
            "request_invalid",
        ),
    ];
    assert_eq!(setup.ask(&get(LANGUAGES, &slow)).0, 200);
    setup.corti.take();
    for (name, request, status, code) in rows {
        let (said, head, body) = setup.ask(&request);
        let lower = head.to_ascii_lowercase();
        // An engine may refuse these itself.
        let is_engines = ["two credentials", "another host", "no key", "a bad key"].contains(&name);
        assert!(
            said == status || (is_engines && (400..500).contains(&said)),
            "{column:?} {name}: {head}{body}"
        );
        assert!(is_engines || body.contains(code), "{column:?} {name}: {head}{body}");
        assert_eq!(lower.contains("\r\nretry-after: "), status == 429, "{column:?} {name}: {head}");
        assert_eq!(lower.contains("\r\nwww-authenticate: bearer"), said == 401, "{column:?} {name}: {head}");
        assert!(!format!("{head}{body}").contains("eyJ"), "{column:?} {name}: {head}{body}");
        assert_eq!(setup.corti.take(), Vec::<String>::new(), "{column:?} {name}");
    }
}

/// Corti is asked for no other protocol. Two `Upgrade` headers mean the same to the engine and to Corti.
fn check_upgrades(column: Column) {
    let setup = Setup::start(column);
    for upgrade in [
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        "Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n",
    ] {
        let (status, head, _) = setup.ask(&get(LANGUAGES, &format!("{}{upgrade}", bearer(BATCH))));
        assert!(status == 200 || (400..500).contains(&status), "{column:?}: {head}");
        for request in setup.corti.take() {
            assert!(values(&request, "upgrade").is_empty(), "{column:?}: {request}");
            assert!(values(&request, "http2-settings").is_empty(), "{column:?}: {request}");
        }
    }
    // HTTP/1.0 has no upgrade. Caddy opens it: a WebSocket like any other.
    let handshake =
        get(TRANSCRIBE, &format!("{}{UPGRADE}", bearer(BATCH))).replacen("HTTP/1.1", "HTTP/1.0", 1);
    let head = {
        let mut connection = setup.connect();
        connection.send(handshake);
        connection.first()
    };
    let is_caddys = column.engine() == Some(Caddy) && head.contains(" 101 ");
    assert!(is_caddys || head.get(9..10) == Some("4"), "{column:?}: {head}");
    assert_eq!(setup.corti.take().len(), usize::from(is_caddys), "{column:?}");
}

/// What follows a refused handshake would be a request that nobody decided on.
fn check_handshake_bodies(column: Column) {
    let setup = Setup::start(column);
    let ours = bearer(BATCH);
    let inner = "GET /v2/agents/ HTTP/1.1\r\nHost: x\r\n\r\n";
    for framing in [
        format!("Content-Length: {}\r\n\r\n{inner}", inner.len()),
        format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len()),
    ] {
        let handshake = get(TRANSCRIBE, &format!("{ours}{UPGRADE}"));
        let handshake = handshake.strip_suffix("\r\n").unwrap().to_owned() + &framing;
        let (status, head, _) = setup.ask(&handshake);
        // Envoy knows no body of a handshake: what follows belongs to the WebSocket, and is no request.
        let is_tunnel = status == 101 && matches!(column, InFront(Envoy) | ForwardAuth(Envoy));
        assert!(is_tunnel || (400..500).contains(&status), "{column:?}: {head}");
        let requests = setup.corti.take();
        assert!(requests.len() <= usize::from(is_tunnel), "{column:?}: {requests:?}");
        assert!(requests.iter().all(|request| !request.contains("/v2/agents/")), "{column:?}: {requests:?}");
    }
}

/// The inline proxy answers a preflight itself. No engine takes that for a yes.
fn check_preflights(column: Column) {
    let setup = Setup::start(column);
    let preflight = format!("{}Origin: {ORIGIN}\r\nAccess-Control-Request-Method: GET\r\n", bearer(BATCH));
    let (status, head, _) = setup.ask(&get(LANGUAGES, &preflight).replacen("GET", "OPTIONS", 1));
    assert!(if column.is_forward_auth() { status >= 400 } else { status == 200 }, "{column:?}: {head}");
    assert_eq!(setup.corti.take(), Vec::<String>::new(), "{column:?}");
}

/// Limits that only the inline proxy can keep.
fn check_limits(column: Column) {
    let setup = Setup::start(column);
    let is_forward_auth = column.is_forward_auth();
    let one = bearer(&setup.idp.token("bert", "one"));
    let (_first, head) = open(&setup, TRANSCRIBE, &one);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let (_second, head) = open(&setup, TRANSCRIBE, &one);
    assert!(
        head.starts_with(if is_forward_auth { "HTTP/1.1 101 " } else { "HTTP/1.1 429 " }),
        "{column:?}: {head}"
    );
    let small = bearer(&setup.idp.token("dora", "small"));
    let body = "x".repeat((1 << 20) + 1);
    let (status, ..) = setup.ask(&format!(
        "POST {RECORDINGS} HTTP/1.1\r\nHost: {PUBLIC}\r\n{small}Content-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert_eq!(status, if is_forward_auth { 200 } else { 413 }, "{column:?}");
}

/// What Corti says about a WebSocket that it refuses may repeat the URL, which has a token.
fn check_refused_socket(column: Column) {
    let setup = Setup::start(column);
    setup.corti.refuse_sockets();
    let (status, head, body) = setup.ask(&get(TRANSCRIBE, &format!("{}{UPGRADE}", bearer(BATCH))));
    assert_eq!(status, if column.is_forward_auth() { 503 } else { 502 }, "{column:?}: {head}{body}");
    assert_clean(&setup, &head);
    assert!(!format!("{head}{body}").contains("eyJ") && !body.contains(OWN), "{column:?}: {head}{body}");
    let logs = setup.logs();
    assert!(!logs.contains("eyJ") && !logs.contains(BATCH), "{column:?}: {logs}");
}

/// Says that it is ready, and gives every question this answer. Returns its address, and how often it was asked.
fn authorizer(answer: Answer) -> (String, Arc<AtomicUsize>) {
    let (listener, environment) = listen();
    let asked = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&asked);
    serve(listener, move |_, mut stream| {
        if read_request(&mut stream).starts_with("GET /readyz ") {
            answer_with("200 OK", "", "", &mut stream);
            return;
        }
        count.fetch_add(1, Ordering::SeqCst);
        match &answer {
            Answer::Bytes(bytes) => drop(stream.write_all(bytes.as_bytes())),
            Answer::Silence => std::thread::sleep(Duration::from_secs(120)),
        }
    });
    (environment.trim_start_matches("http://").to_owned(), asked)
}

/// Without a gateway, or with something else in its place, nobody gets through, and a client may try again.
fn check_closed(column: Column) {
    let ours = bearer(BATCH);
    let requests = [
        get(LANGUAGES, &ours),
        get(TRANSCRIBE, &format!("{ours}{UPGRADE}")),
        get(&format!("{TRANSCRIBE}?token=Bearer%20{BATCH}"), UPGRADE),
    ];
    let assert_closed = |setup: &Setup, case: &str| {
        for request in &requests {
            let (status, head, body) = setup.ask(request);
            assert_eq!(status, 503, "{column:?} {case}: {head}{body}");
            assert!(head.to_ascii_lowercase().contains("\r\nretry-after: "), "{column:?} {case}: {head}");
            assert_eq!(setup.corti.take(), Vec::<String>::new(), "{column:?} {case}");
        }
    };
    let mut setup = Setup::start(column);
    setup.gateway.stop();
    assert_closed(&setup, "no gateway");
    let logs = setup.logs();
    assert!(!logs.contains("eyJ") && !logs.contains(BATCH), "{column:?}: {logs}");
    if column.is_forward_auth() {
        let answers = ["200 OK", "201 Created", "204 No Content", "302 Found", "500 Internal Server Error"];
        let answers = answers.map(|status| (status, Answer::http(status, &[], "")));
        let broken = [
            ("garbage", Answer::Bytes("garbage\r\n\r\n".to_owned())),
            ("a closed connection", Answer::Bytes(String::new())),
            ("silence", Answer::Silence),
        ];
        for (case, answer) in answers.into_iter().chain(broken) {
            let (authorizer, asked) = authorizer(answer);
            let setup = Setup::start_with(column, Some(&authorizer), API, "full = true");
            // An engine that does not take it for ready would answer 503 without a question.
            wait_until("the authorizer is asked", || {
                setup.ask(&requests[0]);
                asked.load(Ordering::SeqCst) > 0
            });
            let before = asked.load(Ordering::SeqCst);
            assert_closed(&setup, case);
            // After a failure, nginx does not ask for two seconds.
            let count = if column.engine() == Some(Nginx) { 0 } else { requests.len() };
            assert!(asked.load(Ordering::SeqCst) >= before + count, "{column:?} {case}");
        }
    }
}

/// Whoever takes Corti's address over gets no token.
fn check_certificate(column: Column) {
    let setup = Setup::start_with(column, None, "evil.example", "full = true");
    let ours = bearer(BATCH);
    for request in [get(LANGUAGES, &ours), get(TRANSCRIBE, &format!("{ours}{UPGRADE}"))] {
        let (status, head, body) = setup.ask(&request);
        assert_eq!(status, 503, "{column:?}: {head}{body}");
        assert!(!format!("{head}{body}").contains("eyJ"), "{column:?}: {head}{body}");
    }
    assert_eq!(setup.corti.take(), Vec::<String>::new(), "{column:?}");
    let logs = setup.logs();
    assert!(!logs.contains("eyJ") && !logs.contains(BATCH), "{column:?}: {logs}");
}

/// Without `full = true`.
fn check_limited(column: Column) {
    let setup = Setup::start_with(column, None, API, "");
    let ours = bearer(BATCH);
    wait_until("Corti can be reached", || open(&setup, TRANSCRIBE, &ours).1.starts_with("HTTP/1.1 101 "));
    setup.corti.take();
    let (status, head, body) = setup.ask(&get(LANGUAGES, &ours));
    assert_eq!(status, 403, "{column:?}: {head}{body}");
    assert!(body.contains("operation_denied"), "{column:?}: {head}{body}");
    assert_eq!(setup.corti.take(), Vec::<String>::new(), "{column:?}");
    socket(&setup, TRANSCRIBE, &ours, BATCH);
}

/// By HTTP/2, as browsers come.
fn check_http2(column: Column) {
    let setup = Setup::start(column);
    let (address, ca) = setup.place();
    let port = address.rsplit_once(':').unwrap().1;
    let mut curl = setup.curl();
    curl.args(["--http2", "-sS", "--cacert", &ca, "--resolve", &format!("{PUBLIC}:{port}:127.0.0.1")]);
    curl.args(["-H", &format!("Authorization: Bearer {BATCH}"), "-H", &format!("Host: {PUBLIC}")]);
    curl.args(["-w", " %{http_version} %{http_code}", &format!("https://{PUBLIC}:{port}{LANGUAGES}")]);
    let said = Said::by(&mut curl);
    assert_eq!(said.stdout, "{\"bytes\":0} 2 200", "{column:?}: {}", said.stderr);
    assert_rest(&setup, BATCH, LANGUAGES);
}

/// A module with a test for each of these columns.
macro_rules! each {
    ($module:ident: $check:ident $(, $name:ident: $column:expr)*) => {
        mod $module {
            use super::*;

            $(#[test]
            #[ignore = "needs engines: scripts/with-engines"]
            fn $name() {
                $check($column);
            })*
        }
    };
}

macro_rules! each_forward_auth {
    ($module:ident: $check:ident $(, $name:ident: $column:expr)*) => {
        each! {
            $module: $check $(, $name: $column)*,
            forward_auth_nginx: ForwardAuth(Nginx),
            forward_auth_caddy: ForwardAuth(Caddy),
            forward_auth_envoy: ForwardAuth(Envoy)
        }
    };
}

macro_rules! each_engine {
    ($module:ident: $check:ident $(, $name:ident: $column:expr)*) => {
        each_forward_auth! {
            $module: $check $(, $name: $column)*,
            inline_nginx: InFront(Nginx),
            inline_haproxy: InFront(Haproxy),
            inline_caddy: InFront(Caddy),
            inline_envoy: InFront(Envoy)
        }
    };
}

macro_rules! each_column {
    ($module:ident: $check:ident) => {
        each_engine! { $module: $check, inline: Inline }
    };
}

each_column! { carries_every_row: check_all_rows }
each_column! { knows_one_spelling_of_a_path: check_paths }
each_column! { passes_on_no_header_that_decides: check_headers }
each_column! { turns_no_request_into_two: check_twofold }
each_column! { refuses_as_the_gateway_does: check_refusals }
each_column! { upgrades_only_to_websockets: check_upgrades }
each_column! { sends_no_body_of_a_handshake: check_handshake_bodies }
each_column! { answers_no_preflight_without_the_gateway: check_preflights }
each_column! { limits_what_the_gateway_forwards: check_limits }
each_column! { repeats_nothing_of_a_refused_websocket: check_refused_socket }
each_engine! { lets_nobody_in_without_the_gateway: check_closed }
each_engine! { speaks_http2: check_http2 }
each_forward_auth! { sends_no_token_to_another_server: check_certificate }
each_forward_auth! { gets_no_full_token_by_default: check_limited }

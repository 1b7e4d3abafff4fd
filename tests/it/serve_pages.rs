//! `serve` and pages of other sites: by CORS, by a form, by a WebSocket, and by a name of their own that leads to this machine
//! (abuse case 6).

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::gateway::{BATCH, Gateway, HOST, ORIGIN, UPGRADE, config, get};
use crate::common::recorder::Recorder;
use crate::common::{Running, Sandbox, World, binary};

const RULES: &str = "[limits]\nrate = \"10000/s\"\nburst = 10000\nsockets = 100\ntokens = \"1000/s\"\n\
    [[rule]]\ngroups = [\"batch\"]\nallow = [\"languages.list\", \"transcribe\", \"token.transcribe\"]\n";
const TRANSCRIBE: &str = "/corti/audio-bridge/v2/transcribe";

/// Origins that are not the listed one, however similar.
const EVIL: [&str; 13] = [
    "https://evil.example",
    "null",
    "",
    "*",
    "https://app.example.org.evil.example",
    "https://evil-app.example.org",
    "https://evil.example/https://app.example.org",
    "http://app.example.org",
    "https://app.example.org:8443",
    "https://app.example.org/",
    "HTTPS://APP.EXAMPLE.ORG",
    "https://app.example.org https://evil.example",
    "file://",
];

fn start() -> (Recorder, Sandbox, Gateway) {
    let (corti, idp) = (Recorder::start(), Sandbox::start());
    let gateway = Gateway::start_in(corti.world(), &config(&idp, RULES));
    (corti, idp, gateway)
}

/// The status and the code of the problem. No refusal lets a page read it.
fn ask(gateway: &Gateway, request: &str) -> (u16, String) {
    let (status, head, body) = gateway.connect().ask(request);
    let problem: Value = serde_json::from_str(&body).unwrap_or_default();
    let code = problem["code"].as_str().unwrap_or_default().to_owned();
    assert!(!code.starts_with("origin_") || !head.contains("access-control-allow-origin"), "{head}");
    assert!(!head.contains("access-control-allow-credentials") && !head.contains("set-cookie"), "{head}");
    (status, code)
}

#[tokio::test]
async fn a_page_that_is_not_listed_gets_nothing() {
    let (corti, _idp, gateway) = start();
    gateway.ready().await;
    let bearer = format!("Authorization: Bearer {BATCH}\r\n");
    let denied = (403, "origin_denied".to_owned());
    for origin in EVIL {
        let page = format!("Origin: {origin}\r\n{bearer}");
        for path in ["/corti/v2/languages/", "/broker/v1/me", "/broker/v1/nothing"] {
            assert_eq!(ask(&gateway, &get(path, &page)), denied, "{origin}");
        }
        assert_eq!(ask(&gateway, &get(TRANSCRIBE, &format!("{page}{UPGRADE}"))), denied, "{origin}");
        let preflight =
            get("/broker/v1/token", &format!("Origin: {origin}\r\nAccess-Control-Request-Method: POST\r\n"));
        let (_, head, _) = gateway.connect().ask(&preflight.replacen("GET", "OPTIONS", 1));
        assert!(!head.contains("access-control-allow-origin"), "{origin}: {head}");
    }
    // Two origins, or one that is listed after one that is not.
    for origins in [["https://evil.example", ORIGIN], [ORIGIN, "https://evil.example"], [ORIGIN, ORIGIN]] {
        let page = format!("Origin: {}\r\nOrigin: {}\r\n{bearer}", origins[0], origins[1]);
        let refused = (400, "request_invalid".to_owned());
        assert_eq!(ask(&gateway, &get("/broker/v1/me", &page)), refused, "{origins:?}");
        assert_eq!(ask(&gateway, &get(TRANSCRIBE, &format!("{page}{UPGRADE}"))), refused, "{origins:?}");
    }
    assert_eq!(corti.take(), Vec::<String>::new());
    // They were refused because of their origin.
    let page = format!("Origin: {ORIGIN}\r\n{bearer}");
    assert_eq!(ask(&gateway, &get(TRANSCRIBE, &format!("{page}{UPGRADE}"))).0, 101);
}

/// Without `Origin`, only a browser says where a request comes from.
#[tokio::test]
async fn a_page_that_hides_its_origin_is_refused() {
    let (corti, _idp, gateway) = start();
    gateway.ready().await;
    let bearer = format!("Authorization: Bearer {BATCH}\r\n");
    for (site, allowed) in
        [("cross-site", false), ("same-site", false), ("x", false), ("same-origin", true), ("none", true)]
    {
        for mode in ["navigate", "no-cors", "websocket"] {
            let headers = format!("Sec-Fetch-Site: {site}\r\nSec-Fetch-Mode: {mode}\r\n{bearer}");
            let rest = ask(&gateway, &get("/broker/v1/me", &headers));
            let socket = ask(&gateway, &get(TRANSCRIBE, &format!("{headers}{UPGRADE}")));
            let denied = (403, "origin_denied".to_owned());
            let wanted =
                if allowed { [(200, String::new()), (101, String::new())] } else { [denied.clone(), denied] };
            assert_eq!([rest, socket], wanted, "{site} {mode}");
        }
    }
    // The listed page may also say that it is of another site than the gateway.
    let headers = format!("Origin: {ORIGIN}\r\nSec-Fetch-Site: cross-site\r\n{bearer}");
    assert_eq!(ask(&gateway, &get("/broker/v1/me", &headers)).0, 200);
    corti.take();
}

/// A form needs no preflight, and a browser adds no `Authorization` to it: there is no cookie that could stand for one.
#[tokio::test]
async fn a_form_gets_no_token() {
    let (corti, _idp, gateway) = start();
    let body = r#"{"scopes":["transcribe"]}"#;
    let post = |path: &str, headers: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        )
    };
    let bearer = format!("Authorization: Bearer {BATCH}\r\n");
    for path in ["/broker/v1/token", "/broker/v1/sessions"] {
        for kind in [
            "Content-Type: text/plain\r\n",
            "Content-Type: application/x-www-form-urlencoded\r\n",
            "Content-Type: multipart/form-data; boundary=x\r\n",
            "Content-Type: text/plain; application/json\r\n",
            "Content-Type: application/json-seq\r\n",
            "",
        ] {
            // As a form sends it, and with what a form cannot have.
            let form = post(path, &format!("{kind}Sec-Fetch-Site: cross-site\r\nCookie: a=b\r\n"));
            assert_eq!(ask(&gateway, &form).0, 403, "{kind}");
            let form = post(path, &format!("{kind}Origin: null\r\n{bearer}"));
            assert_eq!(ask(&gateway, &form).0, 403, "{kind}");
            assert_eq!(ask(&gateway, &post(path, &format!("{kind}Cookie: a=b\r\n"))).0, 401, "{kind}");
            assert_eq!(ask(&gateway, &post(path, &format!("{kind}{bearer}"))).0, 400, "{kind}");
        }
        // A9: whoever makes another program call cannot give it a credential.
        assert_eq!(ask(&gateway, &get(path, "")), (401, "credential_missing".to_owned()));
    }
    let good = post("/broker/v1/token", &format!("Content-Type: application/json\r\n{bearer}"));
    assert_eq!(ask(&gateway, &good).0, 200);
    assert_eq!(corti.take(), Vec::<String>::new());
}

/// A page's own name can be made to lead to this machine (DNS rebinding). Its requests then have no other origin, and keep
/// that name in `Host`.
#[test]
fn for_development_no_other_name_reaches_the_server() {
    let world = World::new();
    world.file("index.html", "<p>page</p>");
    let mut command = Command::new(binary());
    command.env_clear().envs(world.variables()).args([
        "serve",
        "--dev",
        "--sandbox",
        "--json",
        "--port",
        "0",
    ]);
    command.args(["--static", world.home().to_str().unwrap()]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut first = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let _server = Running(child);
    stdout.read_line(&mut first).unwrap();
    let ready: Value = serde_json::from_str(&first).unwrap();
    let address = ready["url"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
    let key = ready["key"].as_str().unwrap();
    let port = address.rsplit(':').next().unwrap();
    let send = |request: &str| {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let paths = ["/", "/index.html", "/broker/v1/me", "/corti/v2/languages/", TRANSCRIBE];
    let end = format!("Authorization: Bearer {key}\r\nConnection: close\r\n\r\n");
    for host in [
        "attacker.test".to_owned(),
        format!("attacker.test:{port}"),
        format!("localhost.attacker.test:{port}"),
        format!("127.0.0.1.attacker.test:{port}"),
        format!("attacker.test@127.0.0.1:{port}"),
        format!("127.1:{port}"),
        format!("2130706433:{port}"),
        format!("0.0.0.0:{port}"),
        format!("localhost.:{port}"),
        format!("[::1]:{port}"),
        "127.0.0.1".to_owned(),
        "localhost".to_owned(),
        "127.0.0.1:1".to_owned(),
        String::new(),
    ] {
        for path in paths {
            let answer = send(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{end}"));
            let is_refused = ["HTTP/1.1 421 ", "HTTP/1.1 400 "].iter().any(|it| answer.starts_with(it));
            assert!(is_refused && !answer.contains("<p>page"), "{host} {path}: {answer}");
        }
        let preflight = format!(
            "OPTIONS /broker/v1/token HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n\
             Access-Control-Request-Method: POST\r\n{end}"
        );
        let answer = send(&preflight);
        assert!(!answer.contains("access-control-allow-origin"), "{answer}");
    }
    for request in [
        format!("GET /broker/v1/me HTTP/1.1\r\n{end}"),
        format!("GET /broker/v1/me HTTP/1.0\r\n{end}"),
        format!("GET /broker/v1/me HTTP/1.1\r\nHost: {address}\r\nHost: attacker.test\r\n{end}"),
        format!("GET http://{address}/broker/v1/me HTTP/1.1\r\nHost: attacker.test\r\n{end}"),
        format!("GET http://attacker.test/broker/v1/me HTTP/1.1\r\nHost: {address}\r\n{end}"),
    ] {
        let answer = send(&request);
        let is_refused =
            ["HTTP/1.1 421 ", "HTTP/1.1 400 ", "HTTP/1.0 421 "].iter().any(|it| answer.starts_with(it));
        assert!(is_refused, "{request}: {answer}");
    }
    for host in [address.clone(), format!("localhost:{port}"), format!("LOCALHOST:{port}")] {
        let answer = send(&format!("GET /broker/v1/me HTTP/1.1\r\nHost: {host}\r\n{end}"));
        assert!(answer.starts_with("HTTP/1.1 200 "), "{host}: {answer}");
        // The key is needed on this machine, too.
        let answer =
            send(&format!("GET /broker/v1/me HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 401 "), "{host}: {answer}");
    }
}

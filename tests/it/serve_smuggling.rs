//! `serve` and requests with two ends: what could be two requests is none, and a body that looks like a request stays one (A2).

use std::io::Read as _;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use crate::common::Sandbox;
use crate::common::gateway::{BATCH, Gateway, HOST, get};
use crate::common::recorder::{Recorder, answer_well, target, values};

const RULES: &str = "[limits]\nrate = \"10000/s\"\nburst = 10000\n\
    [[rule]]\ngroups = [\"batch\"]\nallow = [\"languages.list\", \"recordings.create\"]\n";
const RECORDINGS: &str = "/v2/interactions/7b1d1a52-5a4b-4c38-9c1e-0d6d6f1c2a3b/recordings/";

/// Corti and a gateway; and the bodies that came in chunks, with their framing.
async fn start() -> (Recorder, Sandbox, Gateway, Arc<Mutex<Vec<String>>>) {
    let bodies = Arc::<Mutex<Vec<String>>>::default();
    let seen = Arc::clone(&bodies);
    let corti = Recorder::answering(move |request, stream| {
        if !values(request, "transfer-encoding").is_empty() {
            seen.lock().unwrap().push(chunks(request, stream));
        }
        answer_well(request, stream);
    });
    let (corti, idp, gateway) = corti.behind_gateway(RULES).await;
    (corti, idp, gateway, bodies)
}

/// The rest of a body in chunks. What follows the head may have come with it.
fn chunks(request: &str, stream: &mut TcpStream) -> String {
    let mut bytes = request.split_once("\r\n\r\n").unwrap().1.as_bytes().to_vec();
    let mut more = [0; 4096];
    while bytes != b"0\r\n\r\n" && !bytes.ends_with(b"\r\n0\r\n\r\n") {
        match stream.read(&mut more) {
            Ok(count @ 1..) => bytes.extend(&more[..count]),
            _ => break,
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn post(headers: &str) -> String {
    format!("POST /corti{RECORDINGS} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {BATCH}\r\n{headers}")
}

/// A request that would be good if it were one.
fn inner() -> String {
    get("/corti/v2/languages/", &format!("Authorization: Bearer {BATCH}\r\n"))
}

/// The ends of a POST whose body or head two programs may read in two ways.
pub fn twofold() -> Vec<(&'static str, String)> {
    let chunked = "Transfer-Encoding: chunked\r\n";
    let last = "\r\n0\r\n\r\n";
    vec![
        ("both lengths", format!("Content-Length: 4\r\n{chunked}{last}")),
        ("both lengths, the other way round", format!("{chunked}Content-Length: 4\r\n{last}")),
        ("two lengths", "Content-Length: 0\r\nContent-Length: 5\r\n\r\n".to_owned()),
        ("two lengths in one", "Content-Length: 0, 5\r\n\r\n".to_owned()),
        ("a plus", "Content-Length: +0\r\n\r\n".to_owned()),
        ("a minus", "Content-Length: -1\r\n\r\n".to_owned()),
        ("hexadecimal", "Content-Length: 0x0\r\n\r\n".to_owned()),
        ("no digits", "Content-Length: \r\n\r\n".to_owned()),
        ("a huge length", "Content-Length: 18446744073709551616\r\n\r\n".to_owned()),
        ("a space in the length", "Content-Length: 0 0\r\n\r\n".to_owned()),
        ("an unknown encoding", format!("Transfer-Encoding: xchunked\r\n{last}")),
        ("chunked, but not last", format!("Transfer-Encoding: chunked, identity\r\n{last}")),
        ("identity", format!("Transfer-Encoding: identity\r\n{last}")),
        ("another encoding after it", format!("{chunked}Transfer-Encoding: identity\r\n{last}")),
        ("a vertical tab", format!("Transfer-Encoding: \u{b}chunked\r\n{last}")),
        ("quotes", format!("Transfer-Encoding: \"chunked\"\r\n{last}")),
        ("a space before the colon", format!("Transfer-Encoding : chunked\r\n{last}")),
        ("a tab before the colon", format!("Content-Length\t: 0\r\n{last}")),
        ("a folded header", format!("X: a\r\n Content-Length: 0\r\n{last}")),
        ("a folded encoding", format!("Transfer-Encoding:\r\n chunked\r\n{last}")),
        ("a NUL in a name", format!("Content-Len\0gth: 0\r\n{last}")),
        ("a NUL in a value", format!("X: a\0b\r\n{last}")),
        ("a CR alone", format!("X: a\rContent-Length: 0\r\n{last}")),
        ("a line without a colon", format!("Content-Length\r\n{last}")),
        ("a size that is none", format!("{chunked}\r\nx\r\n\r\n")),
        ("a negative size", format!("{chunked}\r\n-1\r\n\r\n")),
        ("a prefixed size", format!("{chunked}\r\n0x0\r\n\r\n")),
        ("a size beyond 64 bits", format!("{chunked}\r\n10000000000000000\r\n\r\n")),
        ("a chunk that is longer than its size", format!("{chunked}\r\n1\r\nab\r\n0\r\n\r\n")),
        ("an extension with a line feed", format!("{chunked}\r\n0;a\nb\r\n\r\n")),
    ]
}

#[tokio::test]
async fn a_request_that_could_be_two_is_none() {
    let (corti, _idp, gateway, _) = start().await;
    assert!(gateway.raw_until_answer(inner().as_bytes()).starts_with("HTTP/1.1 200 "));
    assert_eq!(corti.take().len(), 1);
    let mut uploads = 0;
    for (name, more) in twofold() {
        // Until the connection is closed: what follows is nobody's.
        let answer = gateway.raw(format!("{}{more}{}", post(""), inner()).as_bytes());
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{name}: {answer}");
        // With both lengths, the chunks count (RFC 9112, section 6.1).
        let is_both = name.starts_with("both lengths");
        assert_eq!(answer.starts_with("HTTP/1.1 200 "), is_both, "{name}: {answer}");
        uploads += usize::from(more.starts_with("Transfer-Encoding: chunked\r\n") || is_both);
    }
    // Two whole requests are two.
    let mut connection = gateway.connect();
    assert_eq!(connection.ask(&format!("{}{}", inner(), inner())).0, 200);
    assert_eq!(connection.answer().0, 200);
    let seen = corti.take();
    // The head of an upload may have been passed on before its body broke, and may be seen later.
    let (posts, gets): (Vec<&String>, Vec<_>) = seen.iter().partition(|it| target(it) == RECORDINGS);
    assert!(posts.len() <= uploads, "{uploads}: {posts:?}");
    assert_eq!(gets.len(), 2, "{gets:?}");
}

#[tokio::test]
async fn a_body_that_looks_like_a_request_is_a_body() {
    let (corti, _idp, gateway, bodies) = start().await;
    let text = format!("0\r\n\r\n{}", inner());
    let length = text.len();
    let ask = |request: &str| {
        let (status, _, body) = gateway.connect().ask(request);
        assert_eq!(status, 200, "{request}: {body}");
        let mut seen = corti.take();
        assert_eq!(seen.len(), 1, "{request}: {seen:?}");
        seen.remove(0)
    };
    let seen = ask(&format!("{}{text}", post(&format!("Content-Length: {length}\r\n\r\n"))));
    assert!(seen.ends_with(&format!("\r\n\r\n{text}")), "{seen}");
    assert_eq!(values(&seen, "content-length"), [length.to_string()]);
    assert!(values(&seen, "transfer-encoding").is_empty());
    let with_body = get(
        "/corti/v2/languages/",
        &format!("Authorization: Bearer {BATCH}\r\nContent-Length: {length}\r\n"),
    );
    let seen = ask(&format!("{with_body}{text}"));
    assert_eq!(values(&seen, "content-length"), [length.to_string()]);
    let chunk = format!("{length:x};extension=\"canary\"\r\n{text}\r\n");
    let trailers = "Authorization: Bearer canary\r\nTenant-Name: canary\r\nContent-Length: 0\r\n";
    for (named, trailers) in
        [("", ""), ("Trailer: Authorization, Tenant-Name\r\n", trailers), ("TE: trailers\r\n", trailers)]
    {
        let head = post(&format!("{named}Transfer-Encoding: chunked\r\n\r\n"));
        let seen = ask(&format!("{head}{chunk}0\r\n{trailers}\r\n"));
        assert_eq!(values(&seen, "transfer-encoding"), ["chunked"]);
        assert!(values(&seen, "content-length").is_empty() && !seen.contains("canary"), "{seen}");
        // The gateway's own framing: no extension, no trailer.
        let body = bodies.lock().unwrap().pop().unwrap();
        assert_eq!(body, format!("{length:X}\r\n{text}\r\n0\r\n\r\n"));
    }
}

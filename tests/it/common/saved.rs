//! Real answers as users save them, and what `explain` says of them.
//!
//! A test cannot make a [`Saved`] or an [`Explained`] itself, so a cause that is asserted comes from a server's
//! answer or from the code that closed a WebSocket.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Deref;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

use super::fake_server::upgrade_request;
use super::{Said, Sandbox, World};

/// A server's answer as it was saved.
#[derive(Default)]
pub struct Saved(String);

/// What `explain` says.
pub struct Explained(Value);

/// The name of a cause that a test asserts. A test in `explain` looks for one of every cause.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Id(pub &'static str);

impl Deref for Saved {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Deref for Explained {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A sandbox, and a world of its client.
pub struct Corti {
    pub sandbox: Sandbox,
    pub world: World,
}

impl Corti {
    pub fn start() -> Self {
        let sandbox = Sandbox::start();
        let world = World::of(&sandbox);
        Self { sandbox, world }
    }

    /// Runs curl and returns both its streams.
    pub fn curl(&self, path: &str, arguments: &[&str]) -> Saved {
        let url = format!("{}{path}", self.sandbox.environment);
        let shell = ["-c", "exec curl \"$@\" 2>&1", "curl"];
        let said = Said::by(self.world.program("sh").args(shell).args(arguments).arg(url));
        assert_eq!(said.code, 0, "{}", said.stdout);
        Saved(said.stdout)
    }
}

/// Sends one request and returns the whole answer, head and body, like `curl -i`.
pub fn exchange(sandbox: &Sandbox, request: &str, headers: &[&str], body: &str) -> Saved {
    exchange_at(&sandbox.environment, request, headers, body)
}

/// The same with any server on this machine.
pub fn exchange_at(environment: &str, request: &str, headers: &[&str], body: &str) -> Saved {
    let address = environment.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let headers: Vec<String> = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    let text = format!(
        "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{}\r\n{body}",
        headers.concat()
    );
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // An answer that is cut off ends with a reset.
    let _ = stream.read_to_end(&mut answer);
    Saved(String::from_utf8(answer).unwrap())
}

/// A GET with these headers.
pub fn get(sandbox: &Sandbox, path: &str, headers: &[&str]) -> Saved {
    exchange(sandbox, &format!("GET {path}"), headers, "")
}

/// A GET to the API with this token.
pub fn read(sandbox: &Sandbox, path: &str, token: &str) -> Saved {
    get(sandbox, path, &[&format!("Authorization: Bearer {token}"), "Tenant-Name: base"])
}

/// A token request with this form.
pub fn grant(sandbox: &Sandbox, form: &str) -> Saved {
    let request = "POST /realms/base/protocol/openid-connect/token";
    exchange(sandbox, request, &["Content-Type: application/x-www-form-urlencoded"], form)
}

/// The form of a token request of the sandbox's client.
pub fn form(sandbox: &Sandbox, scope: &str) -> String {
    let Sandbox { client_id, client_secret, .. } = sandbox;
    format!("grant_type=client_credentials&client_id={client_id}&client_secret={client_secret}&scope={scope}")
}

/// Sends messages on a WebSocket. Returns the messages received, and the code that it closed with: 1006 without a
/// close frame, as in RFC 6455, section 7.1.5.
pub async fn converse(sandbox: &Sandbox, path: &str, token: &str, messages: &[&str]) -> (Vec<Saved>, u16) {
    converse_until(sandbox, path, token, messages, || {}).await
}

/// The same, and calls `happens` at the first message received.
pub async fn converse_until(
    sandbox: &Sandbox,
    path: &str,
    token: &str,
    messages: &[&str],
    happens: impl FnOnce(),
) -> (Vec<Saved>, u16) {
    let mut happens = Some(happens);
    let address = sandbox.environment.strip_prefix("http://").unwrap();
    let url = format!("ws://{address}/audio-bridge/v2{path}?tenant-name=base&token=Bearer%20{token}");
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut socket, _) = client_async(url, stream).await.unwrap();
    for message in messages {
        socket.send(Message::text(*message)).await.unwrap();
    }
    let mut said = Vec::new();
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                said.push(Saved(text.as_str().to_owned()));
                if let Some(happens) = happens.take() {
                    happens();
                }
            }
            Some(Ok(Message::Close(frame))) => return (said, frame.map_or(1005, |frame| frame.code.into())),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return (said, 1006),
        }
    }
}

/// Messages as a client logs them, with a mark on those received.
pub fn log(messages: &[Saved]) -> Saved {
    let lines: Vec<String> = messages.iter().map(|text| format!("< {text}")).collect();
    Saved(lines.join("\n"))
}

/// Sends a frame without a mask, which a client must not do (RFC 6455, section 5.1). Returns the head of the
/// handshake and the close code.
pub fn protocol_error(sandbox: &Sandbox, token: &str) -> (Saved, u16) {
    let address = sandbox.environment.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(upgrade_request(address, token).as_bytes()).unwrap();
    stream.write_all(&[0x81, 0x01, b'x']).unwrap();
    let mut answer = Vec::new();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut chunk = [0; 1024];
    while let Ok(count) = stream.read(&mut chunk) {
        answer.extend_from_slice(&chunk[..count]);
        let body = answer.windows(4).position(|window| window == b"\r\n\r\n").map(|at| &answer[at + 4..]);
        // The server's close frame: 0x88, the length, the code.
        if let Some([0x88, _, high, low, ..]) = body {
            let head = String::from_utf8_lossy(&answer);
            return (
                Saved(head.split_inclusive("\r\n\r\n").next().unwrap().to_owned()),
                u16::from_be_bytes([*high, *low]),
            );
        }
        assert!(count > 0, "no close frame: {answer:?}");
    }
    panic!("no close frame: {answer:?}")
}

/// What `explain` says of a saved answer, with more arguments.
pub fn explain(world: &World, saved: &Saved, arguments: &str) -> Explained {
    let file = world.file("saved.txt", &saved.0);
    let said = Said::by(&mut world.run(&format!("explain --json --response {file} {arguments}")));
    assert_eq!(said.code, 0, "{saved}\n{}\n{}", said.stdout, said.stderr);
    Explained(said.json())
}

/// What `explain` says of the code that a WebSocket closed with.
pub fn explain_code(world: &World, code: u16) -> Explained {
    Explained(Said::by(&mut world.run(&format!("explain --json --status {code}"))).json())
}

/// The names of the causes, in order.
pub fn names(explained: &Value) -> Vec<&str> {
    explained["causes"].as_array().unwrap().iter().map(|cause| cause["id"].as_str().unwrap()).collect()
}

/// Checks that this cause comes first, with high confidence and these words of evidence.
pub fn assert_first(explained: &Explained, id: Id, words: &str) {
    let first = &explained["causes"][0];
    assert_eq!((&first["id"], &first["confidence"]), (&id.0.into(), &"high".into()), "{explained:#}");
    assert!(first["evidence"].to_string().contains(words), "{words}: {explained:#}");
    assert!(!first["remedy"].as_str().unwrap().is_empty(), "{explained:#}");
}

/// Checks that this cause is listed.
pub fn assert_among(explained: &Explained, id: Id) {
    assert!(names(explained).contains(&id.0), "{id:?}: {explained:#}");
}

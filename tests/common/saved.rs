//! Real answers as somebody saves them, and what `explain` makes of them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

use super::{Said, Sandbox, World};

/// A sandbox, and a world of its client.
pub struct Corti {
    pub sandbox: Sandbox,
    pub world: World,
}

impl Corti {
    pub fn start() -> Self {
        let (sandbox, mut world) = (Sandbox::start(), World::new());
        world.use_client(&sandbox);
        Self { sandbox, world }
    }
}

/// Sends one request and gives the whole answer, head and body, which is what `curl -i` saves.
pub fn exchange(sandbox: &Sandbox, request: &str, headers: &[&str], body: &str) -> String {
    exchange_at(&sandbox.environment, request, headers, body)
}

/// The same with any server on this machine.
pub fn exchange_at(environment: &str, request: &str, headers: &[&str], body: &str) -> String {
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
    // One that was told to break off ends with a reset.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

/// A GET with these headers.
pub fn get(sandbox: &Sandbox, path: &str, headers: &[&str]) -> String {
    exchange(sandbox, &format!("GET {path}"), headers, "")
}

/// A read of the API with this token.
pub fn read(sandbox: &Sandbox, path: &str, token: &str) -> String {
    get(sandbox, path, &[&format!("Authorization: Bearer {token}"), "Tenant-Name: base"])
}

/// A token request with this form.
pub fn grant(sandbox: &Sandbox, form: &str) -> String {
    let request = "POST /realms/base/protocol/openid-connect/token";
    exchange(sandbox, request, &["Content-Type: application/x-www-form-urlencoded"], form)
}

/// The form of the sandbox's own client.
pub fn form(sandbox: &Sandbox, scope: &str) -> String {
    let Sandbox { client_id, client_secret, .. } = sandbox;
    format!("grant_type=client_credentials&client_id={client_id}&client_secret={client_secret}&scope={scope}")
}

/// A token of the sandbox's client.
pub fn mint(world: &World, ask: &str) -> String {
    let said = Said::by(&mut world.run(&format!("token {ask}")));
    assert_eq!(said.code, 0, "{}", said.stderr);
    said.stdout.trim().to_owned()
}

/// What a WebSocket says to these messages, one text a line, and the code that it closes with; 1006 where it closes with
/// none, as RFC 6455, section 7.1.5, has it.
pub async fn converse(sandbox: &Sandbox, path: &str, token: &str, messages: &[&str]) -> (Vec<String>, u16) {
    converse_until(sandbox, path, token, messages, || {}).await
}

/// The same, and does something at the first word that the WebSocket says.
pub async fn converse_until(
    sandbox: &Sandbox,
    path: &str,
    token: &str,
    messages: &[&str],
    happens: impl FnOnce(),
) -> (Vec<String>, u16) {
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
                said.push(text.as_str().to_owned());
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

/// What `explain` says of a saved answer, with these further arguments.
pub fn explain(world: &World, saved: &str, arguments: &str) -> Value {
    let file = world.file("saved.txt", saved);
    let said = Said::by(&mut world.run(&format!("explain --json --response {file} {arguments}")));
    assert_eq!(said.code, 0, "{saved}\n{}\n{}", said.stdout, said.stderr);
    said.json()
}

/// The names of the causes, in order.
pub fn names(explained: &Value) -> Vec<&str> {
    explained["causes"].as_array().unwrap().iter().map(|cause| cause["id"].as_str().unwrap()).collect()
}

/// That this cause is named first, and for a good reason, which has these words.
pub fn assert_first(explained: &Value, id: &str, words: &str) {
    let first = &explained["causes"][0];
    assert_eq!((&first["id"], &first["confidence"]), (&id.into(), &"high".into()), "{explained:#}");
    assert!(first["evidence"].to_string().contains(words), "{words}: {explained:#}");
    assert!(!first["remedy"].as_str().unwrap().is_empty(), "{explained:#}");
}

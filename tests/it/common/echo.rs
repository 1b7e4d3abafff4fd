//! A server like Corti that repeats a text in one place of its answers.

use std::io::Write as _;
use std::net::TcpStream;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Message, WebSocket};

use super::fake_server::{listen, read_request, serve};
use super::forged;

/// Where the text is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `scope` of a granted token.
    Scope,
    /// `error_description` of a refused secret.
    Secret,
    /// `error_description` of an unknown client.
    Client,
    /// `error` and `error_description` of a refused scope.
    RefusedScope,
    /// `error` of an unknown tenant.
    Tenant,
    /// `Retry-After` of the token endpoint.
    RetryAfter,
    /// `WWW-Authenticate` of the API and of a WebSocket's handshake.
    Challenge,
    /// Every member of the API's error, and the name of one.
    ApiError,
    /// A header and its name, and a page, of a refused handshake.
    RefusedUpgrade,
    /// `websocketUrl` of a new interaction.
    SocketUrl,
    /// Members of an interaction, and the name of one.
    Interaction,
    /// The reason in the close frame of a WebSocket.
    CloseReason,
    /// The reason for a denied configuration.
    ConfigDenied,
    /// A transcript, a fact, a message of an unknown type, and a member's name.
    Messages,
    /// `issuer` and `token_endpoint` of the discovery document.
    Discovery,
}

/// The places in the realm's answers.
pub const REALM: [Place; 7] = [
    Place::Scope,
    Place::Secret,
    Place::Client,
    Place::RefusedScope,
    Place::Tenant,
    Place::RetryAfter,
    Place::Discovery,
];

/// The places in the API's answers.
pub const API: [Place; 4] = [Place::Challenge, Place::ApiError, Place::SocketUrl, Place::Interaction];

/// The places in a WebSocket's messages.
pub const SOCKET: [Place; 6] = [
    Place::Challenge,
    Place::ApiError,
    Place::RefusedUpgrade,
    Place::CloseReason,
    Place::ConfigDenied,
    Place::Messages,
];

struct Echo {
    environment: String,
    place: Place,
    text: String,
}

/// The token that the server grants for these scopes.
pub fn token(scope: &str) -> String {
    let claims = json!({ "scope": scope, "exp": 9_999_999_999_i64, "typ": "Bearer" });
    forged(&json!({ "alg": "RS256" }), &claims)
}

/// Starts one and returns its environment. It ends with the test's process.
pub fn start(place: Place, text: &str) -> String {
    let (listener, environment) = listen();
    let echo = Echo { environment: environment.clone(), place, text: text.to_owned() };
    serve(listener, move |_, stream| echo.serve(stream));
    environment
}

impl Echo {
    fn serve(&self, mut stream: TcpStream) {
        let request = read_request(&mut stream);
        let key = request.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_owned())
        });
        match key {
            Some(key)
                if !matches!(self.place, Place::Challenge | Place::RefusedUpgrade | Place::ApiError) =>
            {
                let accept = derive_accept_key(key.as_bytes());
                let head = format!(
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Accept: {accept}\r\n\r\n"
                );
                if stream.write_all(head.as_bytes()).is_ok() {
                    self.converse(WebSocket::from_raw_socket(stream, Role::Server, None));
                }
            }
            key => {
                let (status, header, body) = self.answer(&request, key.is_some());
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\n{header}Content-Length: {length}\r\nConnection: close\r\n\r\n"
                );
                let _ = stream.write_all(&[head.as_bytes(), body.as_bytes()].concat());
            }
        }
    }

    fn answer(&self, request: &str, is_upgrade: bool) -> (&'static str, String, String) {
        let text = self.text.as_str();
        let none = String::new;
        if request.contains("/protocol/openid-connect/token") {
            return self.grant(request);
        }
        if request.contains("/.well-known/") {
            return ("200 OK", none(), self.discovery().to_string());
        }
        match self.place {
            Place::Challenge => {
                let header = format!("WWW-Authenticate: Bearer error=\"{text}\"\r\n");
                ("401 Unauthorized", header, none())
            }
            Place::ApiError => {
                let problem = json!({
                    "requestid": text, "status": 400, "type": text, "detail": text,
                    "validationErrors": [{ text: text }],
                });
                ("400 Bad Request", none(), problem.to_string())
            }
            Place::RefusedUpgrade if is_upgrade => {
                let name: String =
                    text.chars().filter(|c| c.is_ascii_alphanumeric() || "%._~".contains(*c)).collect();
                let page = format!("<html><title>{text}</title>{text}</html>");
                ("500 Internal Server Error", format!("X-{name}: {text}\r\nRetry-After: {text}\r\n"), page)
            }
            _ => self.interactions(request),
        }
    }

    fn grant(&self, request: &str) -> (&'static str, String, String) {
        let text = self.text.as_str();
        let oauth = |error: &str, description: &str| {
            json!({ "error": error, "error_description": description }).to_string()
        };
        let granted = request.rsplit("scope=").next().unwrap().replace('+', " ");
        let (status, header, body) = match self.place {
            Place::Secret => {
                ("401 Unauthorized", "", oauth("unauthorized_client", &format!("bad credentials {text}")))
            }
            Place::Client => ("401 Unauthorized", "", oauth("invalid_client", text)),
            Place::RefusedScope => ("400 Bad Request", "", oauth(text, text)),
            Place::Tenant => ("404 Not Found", "", oauth(&format!("Realm {text}"), "")),
            Place::RetryAfter => ("503 Service Unavailable", "Retry-After: ", String::new()),
            place => {
                let scope = if place == Place::Scope { format!("{granted} {text}") } else { granted.clone() };
                let body = json!({
                    "access_token": token(&granted), "expires_in": 300, "token_type": "Bearer", "scope": scope,
                });
                ("200 OK", "", body.to_string())
            }
        };
        (status, if header.is_empty() { String::new() } else { format!("{header}{text}\r\n") }, body)
    }

    fn discovery(&self) -> Value {
        let realm = format!("{}/realms/base", self.environment);
        let own = |path: &str| format!("{realm}/protocol/openid-connect/{path}");
        let (issuer, token) = match self.place {
            Place::Discovery => (self.text.clone(), format!("https://{}/token", self.text)),
            _ => (realm.clone(), own("token")),
        };
        json!({ "issuer": issuer, "token_endpoint": token, "jwks_uri": own("certs") })
    }

    fn interactions(&self, request: &str) -> (&'static str, String, String) {
        let id = "6f9c1a1e-5a0f-4a54-9f43-2f4d1a7c8b90";
        let socket =
            format!("{}/audio-bridge/v2/interactions/{id}/streams?tenant-name=base", self.environment)
                .replacen("http", "ws", 1);
        let body = if request.starts_with("POST") {
            let url =
                if self.place == Place::SocketUrl { format!("{socket}&x={}", self.text) } else { socket };
            json!({ "interactionId": id, "websocketUrl": url })
        } else if request.starts_with("DELETE") {
            return ("204 No Content", String::new(), String::new());
        } else if request.contains("page=2") || request.contains("/languages/") {
            json!({ "interactions": [] })
        } else {
            let text = if self.place == Place::Interaction { self.text.as_str() } else { "x" };
            let one = json!({
                "id": format!("{id}{text}"), "createdAt": text, text: text,
                "encounter": { "identifier": text, "status": text, "type": text, "title": text },
                "patient": { "name": text }, "websocketUrl": text,
            });
            if request.contains(id) { one } else { json!({ "interactions": [one] }) }
        };
        ("200 OK", String::new(), body.to_string())
    }

    fn converse(&self, mut socket: WebSocket<TcpStream>) {
        let text = self.text.as_str();
        let messages = match self.place {
            Place::ConfigDenied => vec![json!({ "type": "CONFIG_DENIED", "reason": text })],
            Place::Messages => vec![
                json!({ "type": "CONFIG_ACCEPTED", text: text }),
                json!({ "type": "transcript", "data": { "text": text, "isFinal": true } }),
                json!({ "type": "facts", "facts": [{ "text": text, "group": text }] }),
                json!({ "type": text }),
                json!({ "type": "error", "error": { "title": text, "details": text } }),
            ],
            _ => vec![json!({ "type": "CONFIG_ACCEPTED" })],
        };
        if socket.read().is_err() {
            return;
        }
        for message in messages {
            let _ = socket.send(Message::text(message.to_string()));
        }
        // A close frame has room for 123 bytes.
        let mut words = text.split(' ').filter(|word| self.place == Place::CloseReason && word.len() <= 120);
        let reason = words.next_back().unwrap_or_default().to_owned();
        let _ = socket.close(Some(CloseFrame { code: 1008.into(), reason: reason.into() }));
        while socket.read().is_ok() {}
    }
}

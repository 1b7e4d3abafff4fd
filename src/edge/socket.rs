//! Opens a WebSocket (RFC 6455) by the HTTP client, with the same trust and proxies, and sends and receives messages.

use std::fmt;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::header::{HeaderValue, SEC_WEBSOCKET_ACCEPT};
use reqwest::{StatusCode, Upgraded};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use crate::domain::client::secret::Secret;
use crate::domain::corti::problem::Problem;
use crate::domain::corti::request::Response;
use crate::domain::corti::websocket::upgrade_url;
use crate::domain::text::duration::seconds;

use super::http::{self, Http};
use super::http_error::HttpError;

/// The longest message that is read, in bytes. Most have a few kilobytes. The longest repeats the configuration: about 200 KB
/// with as many replacements and key terms as Corti allows.
const MAX_MESSAGE: usize = 1024 * 1024;

/// How many bytes may wait to be sent: one message, and the pongs for a peer that sends pings and reads nothing.
pub const MAX_UNSENT: usize = 4 * 1024 * 1024;

/// How many bytes are read at once. While a message is incomplete, the library returns only between reads.
pub const READ_BUFFER: usize = 16 * 1024;

/// An open WebSocket.
pub struct Socket {
    stream: WebSocketStream<Upgraded>,
    /// The deadline for each step.
    limit: Duration,
}

/// Why a WebSocket did not open, or ended.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The server refused the upgrade.
    #[error(transparent)]
    Refused(Problem),
    /// No HTTP answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The answer is not a WebSocket.
    #[error("the server did not open a WebSocket: {0}")]
    NotTheProtocol(String),
    /// No message in time.
    #[error("the WebSocket was silent for {}", seconds(*.0))]
    TimedOut(Duration),
    /// Messages, but not the expected one.
    #[error("the server sent messages, but not the expected one within {}", seconds(*.0))]
    Overdue(Duration),
    /// The server closed it.
    #[error("the server closed the WebSocket{0}")]
    Closed(CloseReason),
}

/// The content of a close frame (RFC 6455, sections 7.1.5 and 7.1.6). Empty if there was none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloseReason {
    /// The close code.
    pub code: Option<u16>,
    /// The server's reason: escape it before it is shown.
    pub reason: String,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.reason.as_str()) {
            (None, _) => Ok(()),
            (Some(code), "") => write!(f, " with code {code}"),
            (Some(code), reason) => write!(f, " with code {code}: {reason}"),
        }
    }
}

impl Socket {
    /// Opens `url`. It holds a token, so no error and no event names it.
    pub async fn open(http: &Http<'_>, url: &Secret, limit: Duration) -> Result<Self, SocketError> {
        let (response, socket) = Self::handshake(http, url, limit).await?;
        socket.ok_or_else(|| SocketError::Refused(Problem::of(&response)))
    }

    /// Asks for the upgrade. Returns the answer, which may repeat the token, and the socket if the answer is 101.
    pub async fn handshake(
        http: &Http<'_>,
        url: &Secret,
        limit: Duration,
    ) -> Result<(Response, Option<Self>), SocketError> {
        let address = || HttpError::Address("the WebSocket's address".to_owned());
        let url = upgrade_url(url.expose()).ok_or_else(address)?;
        let key = generate_key();
        let open = async {
            let response = http.upgrade(&url, &key).await?;
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                return Ok((http.read(&url, response).await?, None));
            }
            let accepted = response.headers().get(SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
            if accepted != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
                return Err(SocketError::NotTheProtocol("wrong Sec-WebSocket-Accept".to_owned()));
            }
            let head = http::head(&response);
            let upgraded = response.upgrade().await;
            let upgraded = upgraded.map_err(|error| SocketError::NotTheProtocol(error.to_string()))?;
            let bounds = WebSocketConfig::default()
                .read_buffer_size(READ_BUFFER)
                .max_message_size(Some(MAX_MESSAGE))
                .max_frame_size(Some(MAX_MESSAGE))
                .max_write_buffer_size(MAX_UNSENT);
            let stream = WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(bounds)).await;
            Ok((head, Some(Self { stream, limit })))
        };
        tokio::time::timeout(limit, open).await.map_err(|_| SocketError::TimedOut(limit))?
    }

    /// Sends one text message.
    pub async fn send(&mut self, text: String) -> Result<(), SocketError> {
        self.transmit(Message::text(text)).await
    }

    /// Sends one binary message: audio.
    pub async fn send_binary(&mut self, bytes: &[u8]) -> Result<(), SocketError> {
        self.transmit(Message::Binary(Bytes::copy_from_slice(bytes))).await
    }

    async fn transmit(&mut self, message: Message) -> Result<(), SocketError> {
        let limit = self.limit;
        let sent = tokio::time::timeout(limit, self.stream.send(message)).await;
        sent.map_err(|_| SocketError::TimedOut(limit))?.map_err(|error| failure(&error))
    }

    /// The next text message. Dropping the future loses no message.
    pub async fn receive(&mut self) -> Result<String, SocketError> {
        let limit = self.limit;
        let next = async {
            loop {
                // A server that never pauses always has a message ready. This lets timers and signals in.
                tokio::task::yield_now().await;
                match self.stream.next().await {
                    Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                    Some(Ok(Message::Close(frame))) => return Err(closed(frame)),
                    None => return Err(closed(None)),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(failure(&error)),
                }
            }
        };
        tokio::time::timeout(limit, next).await.map_err(|_| SocketError::TimedOut(limit))?
    }

    /// Sends a close frame. Reads nothing more: the server might never stop.
    pub async fn close(mut self) {
        let _ = tokio::time::timeout(self.limit, self.stream.close(None)).await;
    }
}

fn failure(error: &Error) -> SocketError {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => closed(None),
        other => SocketError::NotTheProtocol(other.to_string()),
    }
}

fn closed(frame: Option<CloseFrame>) -> SocketError {
    let frame =
        frame.map(|it| CloseReason { code: Some(it.code.into()), reason: it.reason.as_str().to_owned() });
    SocketError::Closed(frame.unwrap_or_default())
}

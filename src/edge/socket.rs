//! One WebSocket (RFC 6455), opened by the same HTTP client as everything else: the same trust, the same proxies, and
//! the body of a refusal.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::header::{
    CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use reqwest::{StatusCode, Upgraded, Url};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::http::{Http, HttpError};
use crate::domain::problem::Problem;
use crate::domain::secret::Secret;

/// An open WebSocket.
pub struct Socket {
    stream: WebSocketStream<Upgraded>,
    /// The bound on each step.
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
    /// Something that is no WebSocket.
    #[error("the server did not open a WebSocket: {0}")]
    NotTheProtocol(String),
    /// No message in time.
    #[error("the WebSocket was silent for {0:?}")]
    TimedOut(Duration),
    /// The server closed it.
    #[error("the server closed the WebSocket")]
    Closed,
}

impl Socket {
    /// Opens `url`, which carries a token: it stands in no error and no event.
    ///
    /// # Errors
    /// [`SocketError`], see its variants.
    pub async fn open(http: &Http<'_>, url: &Secret, limit: Duration) -> Result<Self, SocketError> {
        let address = || HttpError::Address("the WebSocket's address".to_owned());
        // The upgrade is an HTTP request: ws is http, wss is https.
        let text = url.expose().strip_prefix("ws").ok_or_else(address)?;
        let url = Url::parse(&format!("http{text}")).map_err(|_| address())?;
        let key = nonce()?;
        let open = async {
            let response = http.upgrade(&url, handshake_headers(&key)?).await?;
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                let response = http.read(url.host_str().unwrap_or_default(), response).await?;
                return Err(SocketError::Refused(Problem::of(&response)));
            }
            let accepted = response.headers().get(SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
            if accepted != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
                return Err(SocketError::NotTheProtocol("its Sec-WebSocket-Accept is wrong".to_owned()));
            }
            response.upgrade().await.map_err(|error| SocketError::NotTheProtocol(error.to_string()))
        };
        let upgraded =
            tokio::time::timeout(limit, open).await.map_err(|_| SocketError::TimedOut(limit))??;
        let stream = WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await;
        Ok(Self { stream, limit })
    }

    /// Sends one text message.
    ///
    /// # Errors
    /// [`SocketError`], see its variants.
    pub async fn send(&mut self, text: String) -> Result<(), SocketError> {
        let limit = self.limit;
        let sent = tokio::time::timeout(limit, self.stream.send(Message::text(text))).await;
        sent.map_err(|_| SocketError::TimedOut(limit))?.map_err(|error| failure(&error))
    }

    /// The next text message.
    ///
    /// # Errors
    /// [`SocketError`], see its variants.
    pub async fn receive(&mut self) -> Result<String, SocketError> {
        let limit = self.limit;
        let next = async {
            loop {
                match self.stream.next().await {
                    Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                    Some(Ok(Message::Close(_))) | None => return Err(SocketError::Closed),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(failure(&error)),
                }
            }
        };
        tokio::time::timeout(limit, next).await.map_err(|_| SocketError::TimedOut(limit))?
    }

    /// Closes it and waits for the server to agree.
    pub async fn close(mut self) {
        // The session is over either way.
        let _ = tokio::time::timeout(self.limit, self.stream.close(None)).await;
    }
}

fn failure(error: &Error) -> SocketError {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => SocketError::Closed,
        other => SocketError::NotTheProtocol(other.to_string()),
    }
}

fn nonce() -> Result<String, HttpError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| HttpError::Client(error.to_string()))?;
    Ok(STANDARD.encode(bytes))
}

fn handshake_headers(key: &str) -> Result<HeaderMap, HttpError> {
    let key = HeaderValue::try_from(key).map_err(|error| HttpError::Client(error.to_string()))?;
    Ok(HeaderMap::from_iter([
        (CONNECTION, HeaderValue::from_static("Upgrade")),
        (UPGRADE, HeaderValue::from_static("websocket")),
        (SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
        (SEC_WEBSOCKET_KEY, key),
    ]))
}

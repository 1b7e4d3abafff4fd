//! Serves the two WebSockets: checks the handshake, passes messages to a `Session`, and closes open sockets at shutdown.

use std::time::Duration;

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite;

use super::authorization;
use super::interaction::parse_id;
use super::problem::Problem;
use super::session::{Kind, Session};
use super::state::{AppState, Shared};
use crate::edge::listener::OpenConnection;
use crate::edge::socket::{MAX_UNSENT, READ_BUFFER};

/// The longest message, in bytes. A longer one closes the socket with 1009.
const MAX_MESSAGE: usize = 1024 * 1024;

/// The longest message that is read, in bytes. More than `MAX_MESSAGE`: if we closed with the rest of a message unread, the
/// system would reset the connection and the client could miss the close code. A message above this limit can have that end.
const MAX_READ: usize = 2 * MAX_MESSAGE;

/// How long a client may take to send its configuration after the upgrade, as Corti documents it.
const CONFIG_WINDOW: Duration = Duration::from_secs(10);

/// How long a client may take to answer a close frame.
const CLOSE_WINDOW: Duration = Duration::from_secs(1);

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

/// `GET /audio-bridge/v2/transcribe`.
pub(super) async fn transcribe(
    State(shared): AppState,
    RawQuery(query): RawQuery,
    Extension(connection): Extension<OpenConnection>,
    upgrade: Upgrade,
) -> Response {
    match authorization::socket(&shared, &query.unwrap_or_default(), "transcribe") {
        Ok(()) => open(&shared, upgrade, connection, Kind::Transcribe),
        Err(refusal) => refusal.into_response(),
    }
}

/// `GET /audio-bridge/v2/interactions/{id}/streams`.
pub(super) async fn streams(
    State(shared): AppState,
    id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    Extension(connection): Extension<OpenConnection>,
    upgrade: Upgrade,
) -> Response {
    if let Err(refusal) = authorization::socket(&shared, &query.unwrap_or_default(), "streams") {
        return refusal.into_response();
    }
    let id = id.ok().and_then(|Path(id)| parse_id(&id)).filter(|id| shared.interactions().get(*id).is_ok());
    match id {
        Some(id) => open(&shared, upgrade, connection, Kind::Streams(id)),
        None => Problem::NO_INTERACTION.into_response(),
    }
}

fn open(shared: &Shared, upgrade: Upgrade, connection: OpenConnection, kind: Kind) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade
            .read_buffer_size(READ_BUFFER)
            .max_message_size(MAX_READ)
            .max_frame_size(MAX_READ)
            .max_write_buffer_size(MAX_UNSENT),
        Err(rejection) => return rejection.into_response(),
    };
    let mut stop = shared.stop.subscribe();
    upgrade.on_upgrade(async move |mut socket| {
        let code = tokio::select! {
            code = converse(&mut socket, Session::new(kind)) => code,
            _ = stop.wait_for(|stopped| *stopped) => Some(close_code::AWAY),
        };
        // A client that no longer reads must not hold the server up.
        drop(timeout(CLOSE_WINDOW, close(&mut socket, code)).await);
        drop(connection);
    })
}

/// Sends the close frame, if there is one, and reads until the client has closed too: see `MAX_READ`.
async fn close(socket: &mut WebSocket, code: Option<u16>) {
    if let Some(code) = code {
        let frame = CloseFrame { code, reason: "".into() };
        if socket.send(Message::Close(Some(frame))).await.is_err() {
            return;
        }
    }
    while let Some(Ok(_)) = next(socket).await {}
}

/// The next message. Yields first: a client that never pauses always has one ready, and timers, the shutdown and other
/// connections would wait.
async fn next(socket: &mut WebSocket) -> Option<Result<Message, axum::Error>> {
    tokio::task::yield_now().await;
    socket.recv().await
}

/// Runs the session to its end. Returns the close code, or `None` if the client has closed or is gone.
async fn converse(socket: &mut WebSocket, mut session: Session) -> Option<u16> {
    let mut config_timeout = std::pin::pin!(sleep(CONFIG_WINDOW));
    while !session.has_ended {
        let messages = tokio::select! {
            biased;
            () = &mut config_timeout, if !session.is_configured() => session.on_config_timeout(),
            message = next(socket) => match message? {
                Ok(Message::Text(text)) if text.len() > MAX_MESSAGE => return Some(close_code::SIZE),
                Ok(Message::Binary(audio)) if audio.len() > MAX_MESSAGE => return Some(close_code::SIZE),
                Ok(Message::Text(text)) => session.on_text(&text),
                Ok(Message::Binary(audio)) => session.on_audio(audio.len()),
                Ok(Message::Ping(_) | Message::Pong(_)) => Vec::new(),
                Ok(Message::Close(_)) => return None,
                Err(error) => return code_for(error),
            },
        };
        for message in messages {
            socket.send(Message::Text(message.to_string().into())).await.ok()?;
        }
    }
    // Also after a refusal: after any other code, Corti's SDK connects again.
    Some(close_code::NORMAL)
}

fn code_for(error: axum::Error) -> Option<u16> {
    match error.into_inner().downcast_ref::<tungstenite::Error>()? {
        tungstenite::Error::Capacity(_) => Some(close_code::SIZE),
        tungstenite::Error::Utf8(_) => Some(close_code::INVALID),
        tungstenite::Error::Protocol(_) => Some(close_code::PROTOCOL),
        _ => None,
    }
}

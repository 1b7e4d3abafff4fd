//! Tries one target with the token: reads it, or opens a WebSocket and closes it once it accepts a configuration.

use url::Url;
use uuid::Uuid;

use crate::app::caller::GivenToken;
use crate::app::spinner;
use crate::app::tokens::Tokens;
use crate::domain::client::invalid::Invalid;
use crate::domain::corti::access::{Access, Row, Target};
use crate::domain::corti::message::{self, ServerMessage};
use crate::domain::corti::problem::Problem;
use crate::domain::corti::request::Request;
use crate::domain::corti::websocket::{SocketKind, connect_url, streams_url, transcribe_url};
use crate::edge::socket::{Socket, SocketError};
use crate::failure::Failure;

/// The language of the configurations. Every environment has it.
const LANGUAGE: &str = "en";

/// Reads a path of the API.
pub(super) async fn read(tokens: &Tokens<'_>, token: &GivenToken, path: &'static str) -> Row {
    let (url, target) = (format!("{}{path}", token.environment.api_url()), Target::Read(path));
    let request = Request::get(url, &token.token, &token.tenant);
    match spinner::show(tokens.context, "reading", tokens.http.send(&request)).await {
        Ok(response) => {
            let (observed, status) = (Access::observed(&response), response.status);
            let detail = match observed {
                Access::Allowed => status.to_string(),
                _ => refusal(Problem::of(&response)),
            };
            row(token, target, observed, Some(status), detail)
        }
        Err(error) => row(token, target, Access::Inconclusive, None, error.to_string()),
    }
}

/// Opens a WebSocket: `/streams` of `interaction`, or of one that does not exist.
pub(super) async fn open(
    tokens: &Tokens<'_>,
    token: &GivenToken,
    kind: SocketKind,
    interaction: Option<&Url>,
) -> Row {
    let target = Target::Socket(kind);
    let (environment, tenant) = (&token.environment, &token.tenant);
    let (url, exists, label) = match (kind, interaction) {
        (SocketKind::Streams, Some(url)) => (Ok(url.clone()), true, "opening /streams"),
        (SocketKind::Streams, None) => {
            (streams_url(environment, tenant, Uuid::new_v4()), false, "opening /streams")
        }
        _ => (transcribe_url(environment, tenant), true, "opening /transcribe"),
    };
    let answer = spinner::show(tokens.context, label, first_answer(tokens, token, kind, url)).await;
    let (observed, status, detail) = match answer {
        Ok(Some(ServerMessage::Accepted(word))) => (Access::Allowed, Some(101), word),
        Ok(Some(ServerMessage::Denied(word) | ServerMessage::Failed(word))) => {
            (Access::Inconclusive, Some(101), format!("opened; answered {word}"))
        }
        Ok(_) => (Access::Inconclusive, Some(101), "opened; unexpected answer".to_owned()),
        Err(SocketError::Refused(problem)) => {
            let status = problem.status;
            let observed = Access::of_handshake(status, exists, Access::promised(&token.inspection, target));
            let detail = if !exists && observed == Access::Inconclusive && matches!(status, 403 | 404) {
                format!("not tested ({status}): it needs an interaction; add --streams to create one")
            } else {
                refusal(problem)
            };
            (observed, Some(status), detail)
        }
        Err(error) => (Access::Inconclusive, None, error.to_string()),
    };
    row(token, target, observed, status, detail)
}

/// The row of `/streams` if its interaction was not created, or may have been.
pub(super) fn not_created(token: &GivenToken, failure: &Failure) -> Row {
    let mut detail = failure.in_one_line();
    if !failure.answer_was_lost() {
        detail = format!("no interaction could be created: {detail}");
    }
    row(token, Target::Socket(SocketKind::Streams), Access::Inconclusive, failure.http_status, detail)
}

/// Opens a WebSocket, sends the configuration, and closes it after the first answer.
async fn first_answer(
    tokens: &Tokens<'_>,
    token: &GivenToken,
    kind: SocketKind,
    url: Result<Url, Invalid>,
) -> Result<Option<ServerMessage>, SocketError> {
    let url = url.map_err(|error| SocketError::NotTheProtocol(error.to_string()))?;
    let timeout = tokens.context.options.timeout;
    let mut socket = Socket::open(&tokens.http, &connect_url(&url, &token.token), timeout).await?;
    socket.send(message::config(&message::smallest(kind, LANGUAGE))).await?;
    let answer = socket.receive().await?;
    socket.close().await;
    Ok(ServerMessage::parse(&answer))
}

fn row(token: &GivenToken, target: Target, observed: Access, status: Option<u16>, detail: String) -> Row {
    Row { target, promise: Access::promised(&token.inspection, target), observed, status, detail }
}

fn refusal(Problem { status, detail, .. }: Problem) -> String {
    format!("{status}: {detail}")
}

//! Looks at one target with the token: a read, or a WebSocket that is closed once it has accepted a configuration.

use std::time::Duration;

use url::Url;
use uuid::Uuid;

use crate::domain::client::environment::EnvironmentError;
use crate::domain::corti::access::{Observed, Promise, Row, Target};
use crate::domain::corti::message::{self, ServerMessage};
use crate::domain::corti::problem::Problem;
use crate::domain::corti::request::Request;
use crate::domain::corti::websocket::{self, SocketKind, connect_url};
use crate::edge::http::Http;
use crate::edge::socket::{Socket, SocketError};
use crate::failure::Failure;

use super::subject::Subject;

/// The language of the configurations; every Corti has it.
const LANGUAGE: &str = "en";

/// A read that changes nothing; its body is not looked into.
pub(super) async fn read(http: &Http<'_>, subject: &Subject, path: &'static str) -> Row {
    let target = Target::Read(path);
    let url = format!("{}{path}", subject.environment.api_url());
    let promise = Promise::of(&subject.inspection, target);
    let request = Request::get(url, &subject.token, &subject.tenant);
    match http.send(&request).await {
        Ok(response) => {
            let observed = Observed::of(&response);
            let status = response.status;
            let detail = match observed {
                Observed::Allowed => status.to_string(),
                _ => refusal(Problem::of(&response)),
            };
            Row { target, promise, observed, status: Some(status), detail }
        }
        Err(error) => {
            let observed = Observed::Inconclusive;
            Row { target, promise, observed, status: None, detail: error.to_string() }
        }
    }
}

/// The WebSocket of dictations.
pub(super) async fn transcribe(http: &Http<'_>, subject: &Subject, limit: Duration) -> Row {
    let url = websocket::transcribe_url(&subject.environment, &subject.tenant);
    let opening = Opening { kind: SocketKind::Transcribe, url, is_real: true };
    opening.open(http, subject, limit).await
}

/// The WebSocket of an interaction; of one that does not exist, where none was made.
pub(super) async fn streams(
    http: &Http<'_>,
    subject: &Subject,
    interaction: Option<&Url>,
    limit: Duration,
) -> Row {
    let nowhere = || websocket::streams_url(&subject.environment, &subject.tenant, Uuid::new_v4());
    let url = interaction.cloned().map_or_else(nowhere, Ok);
    let opening = Opening { kind: SocketKind::Streams, url, is_real: interaction.is_some() };
    opening.open(http, subject, limit).await
}

/// The same where no interaction could be made, or nobody knows whether one was.
pub(super) fn untried(subject: &Subject, failure: &Failure) -> Row {
    let reason = failure.in_one_line();
    let target = Target::Socket(SocketKind::Streams);
    Row {
        target,
        promise: Promise::of(&subject.inspection, target),
        observed: Observed::Inconclusive,
        status: failure.http_status(),
        detail: if failure.is_of_a_lost_answer() {
            reason
        } else {
            format!("no interaction could be made: {reason}")
        },
    }
}

struct Opening {
    kind: SocketKind,
    url: Result<Url, EnvironmentError>,
    /// Whether what the URL names is there.
    is_real: bool,
}

impl Opening {
    async fn open(&self, http: &Http<'_>, subject: &Subject, limit: Duration) -> Row {
        let target = Target::Socket(self.kind);
        let promise = Promise::of(&subject.inspection, target);
        let row = |observed, status, detail| Row { target, promise, observed, status, detail };
        match self.accepted(http, subject, limit).await {
            Ok(Some(ServerMessage::Accepted(word))) => row(Observed::Allowed, Some(101), word),
            Ok(Some(ServerMessage::Denied(word) | ServerMessage::Failed(word))) => {
                let detail = format!("it opened, and said {word}");
                row(Observed::Inconclusive, Some(101), detail)
            }
            Ok(_) => row(Observed::Inconclusive, Some(101), "it opened, and said something else".to_owned()),
            Err(SocketError::Refused(problem)) => {
                let status = problem.status;
                let observed = Observed::of_handshake(status, self.is_real, promise);
                let detail = refusal(problem);
                let is_vain = !self.is_real && observed == Observed::Inconclusive;
                let remark =
                    if is_vain { " (there is no such interaction; --streams makes one)" } else { "" };
                row(observed, Some(status), format!("{detail}{remark}"))
            }
            Err(error) => row(Observed::Inconclusive, None, error.to_string()),
        }
    }

    /// Opens it, sends the configuration, and closes it after the answer.
    async fn accepted(
        &self,
        http: &Http<'_>,
        subject: &Subject,
        limit: Duration,
    ) -> Result<Option<ServerMessage>, SocketError> {
        let url = self.url.as_ref().map_err(|error| SocketError::NotTheProtocol(error.to_string()))?;
        let mut socket = Socket::open(http, &connect_url(url, &subject.token), limit).await?;
        socket.send(message::config(&message::smallest(self.kind, LANGUAGE))).await?;
        let answer = socket.receive().await?;
        socket.close().await;
        Ok(ServerMessage::parse(&answer))
    }
}

fn refusal(Problem { status, detail, .. }: Problem) -> String {
    format!("{status}: {detail}")
}

//! A server on loopback that one program asks for a fresh token, for as long as that program runs. It mints nothing
//! itself: each question is handed on, and the answer to it handed back.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::domain::client::secret::Secret;

use super::loopback::{self, Refusal};
use super::{listener, peer};

/// How many questions may wait for one to be taken.
const QUEUE: usize = 64;

/// Where the program asks.
const PATH: &str = "/token";

/// A server that has its address and its bearer, and does not serve yet.
#[derive(Debug)]
pub struct RefreshEndpoint {
    listener: TcpListener,
    address: SocketAddr,
    bearer: Secret,
}

/// Somebody who knows the bearer waits for an answer.
#[derive(Debug)]
pub struct Question(oneshot::Sender<Answer>);

/// What is answered: JSON, and whether it is a token.
#[derive(Clone, Debug)]
pub enum Answer {
    /// 200 with the token.
    Token(Secret),
    /// 503: trying later may help.
    Later(String),
    /// 502: the token could not be had.
    Failed(String),
}

impl Question {
    /// Answers; the asker may have gone.
    pub fn answer(self, answer: Answer) {
        let _ = self.0.send(answer);
    }
}

impl RefreshEndpoint {
    /// Takes a free port, and makes a bearer.
    ///
    /// # Errors
    /// The operating system's own.
    pub async fn bind() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let bearer = loopback::random_text().map_err(std::io::Error::other)?;
        Ok(Self { listener, address, bearer })
    }

    /// What to ask.
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// What to ask with.
    pub fn bearer(&self) -> &Secret {
        &self.bearer
    }

    /// The server, which serves while it is polled, and the questions that come in.
    pub fn serve(self) -> (impl Future<Output = ()>, mpsc::Receiver<Question>) {
        let (questions, asked) = mpsc::channel(QUEUE);
        let door = Door { address: self.address, bearer: self.bearer, questions };
        let router = Router::new().route(PATH, get(token)).with_state(Arc::new(door));
        (listener::serve(self.listener, router, || {}, std::future::pending()), asked)
    }
}

struct Door {
    address: SocketAddr,
    bearer: Secret,
    questions: mpsc::Sender<Question>,
}

async fn token(
    State(door): State<Arc<Door>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    if let Err(refusal) = loopback::judge(&headers, &door.address.to_string(), &door.bearer) {
        return refused(refusal);
    }
    // Last: it takes longer than the other checks, and only who knows the bearer is worth it.
    if peer::is_of_another_user(peer, door.address) {
        return reply(StatusCode::FORBIDDEN, error("a program of another user gets no token here"));
    }
    let (sender, receiver) = oneshot::channel();
    let asked = door.questions.send(Question(sender)).await;
    let answer = if asked.is_ok() { receiver.await.ok() } else { None };
    match answer {
        Some(Answer::Token(json)) => reply(StatusCode::OK, json.expose().to_owned()),
        Some(Answer::Later(json)) => reply(StatusCode::SERVICE_UNAVAILABLE, json),
        Some(Answer::Failed(json)) => reply(StatusCode::BAD_GATEWAY, json),
        None => reply(StatusCode::SERVICE_UNAVAILABLE, error("the program has ended")),
    }
}

fn refused(refusal: Refusal) -> Response {
    let (status, reason) = match refusal {
        Refusal::Page => (StatusCode::FORBIDDEN, "a page in a browser gets no token here"),
        Refusal::Host => (StatusCode::FORBIDDEN, "the Host is not this endpoint's own"),
        Refusal::Bearer => (StatusCode::UNAUTHORIZED, "the bearer is missing or wrong"),
    };
    let mut response = reply(status, error(reason));
    if refusal == Refusal::Bearer {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn error(reason: &str) -> String {
    serde_json::json!({ "message": reason }).to_string()
}

fn reply(status: StatusCode, json: String) -> Response {
    // RFC 6749, section 5.1: no cache keeps a token.
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (status, headers, json).into_response()
}

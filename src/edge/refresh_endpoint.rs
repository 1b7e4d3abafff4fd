//! Serves fresh tokens to one program over a local URL. It mints none: it passes questions on, and returns the answers.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::domain::client::secret::Secret;

use super::listener;
use super::loopback::{self, Refusal};

/// How many questions may wait.
const QUEUE: usize = 64;

/// The path of the URL.
const PATH: &str = "/token";

/// A server that has an address and a bearer, and does not serve yet.
#[derive(Debug)]
pub struct RefreshEndpoint {
    listener: TcpListener,
    address: SocketAddr,
    bearer: Secret,
}

/// A request with the right bearer, which waits for an answer. Sending one fails if the program no longer waits.
pub type Question = oneshot::Sender<Answer>;

/// The answer, as JSON.
#[derive(Clone, Debug)]
pub enum Answer {
    /// 200 with the token.
    Token(Secret),
    /// 503: trying later may help.
    Later(String),
    /// 502: there is no token.
    Failed(String),
}

impl RefreshEndpoint {
    /// Takes a free port, and makes a bearer.
    pub async fn bind() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let bearer = loopback::random_text().map_err(std::io::Error::other)?;
        Ok(Self { listener, address, bearer })
    }

    /// The URL of the tokens.
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// The bearer that a request needs.
    pub fn bearer(&self) -> &Secret {
        &self.bearer
    }

    /// The server, which serves while it is polled, and the questions to answer.
    pub fn serve(self) -> (impl Future<Output = ()>, mpsc::Receiver<Question>) {
        let (questions, asked) = mpsc::channel(QUEUE);
        let Self { listener, address, bearer } = self;
        let token = get(async move |ConnectInfo(peer), headers: HeaderMap| {
            token(&questions, &headers, peer, address, &bearer).await
        });
        (
            listener::serve(
                listener,
                listener::Bounds::default(),
                Router::new().route(PATH, token),
                || {},
                std::future::pending(),
            ),
            asked,
        )
    }
}

async fn token(
    questions: &mpsc::Sender<Question>,
    headers: &HeaderMap,
    peer: SocketAddr,
    own: SocketAddr,
    bearer: &Secret,
) -> Response {
    if let Err(refusal) = loopback::judge(headers, &own.to_string(), bearer) {
        let challenge = (refusal == Refusal::Bearer).then_some([(WWW_AUTHENTICATE, "Bearer")]);
        return (challenge, reply(refusal.status(), error(&refusal.to_string()))).into_response();
    }
    // Last, because it takes longest.
    #[cfg(unix)]
    if super::peer::is_of_another_user(peer, own) {
        return reply(StatusCode::FORBIDDEN, error("this request comes from another user's program"));
    }
    #[cfg(not(unix))]
    let _ = peer;
    let (sender, receiver) = oneshot::channel();
    // If nobody answers any more, the sender is dropped, and the receiver fails.
    let _ = questions.send(sender).await;
    match receiver.await.unwrap_or_else(|_| Answer::Later(error("the program has ended"))) {
        Answer::Token(json) => reply(StatusCode::OK, json.expose().to_owned()),
        Answer::Later(json) => reply(StatusCode::SERVICE_UNAVAILABLE, json),
        Answer::Failed(json) => reply(StatusCode::BAD_GATEWAY, json),
    }
}

fn error(reason: &str) -> String {
    serde_json::json!({ "message": reason }).to_string()
}

fn reply(status: StatusCode, json: String) -> Response {
    // RFC 6749, section 5.1: no cache may keep a token.
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (status, headers, json).into_response()
}

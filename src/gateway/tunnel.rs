//! Passes a WebSocket through: both handshakes are checked, and then bytes are copied both ways.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, split};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::record::{Metrics, Record};
use super::state::{Allowed, Gateway, Upstream, broken, rejected_us};
use super::throttle::{OpenSocket, lock};
use crate::domain::client::secret::AccessToken;
use crate::domain::gateway::operation::{Call, without_credentials};
use crate::domain::gateway::refusal::{Code, Refusal};
use crate::edge::listener::OpenConnection;

/// How long Corti may take to answer the handshake. The SDK gives up after 4 s.
const HANDSHAKE: Duration = Duration::from_secs(3);

/// How long one side may go on after the other has ended.
const FAREWELL: Duration = Duration::from_secs(10);

/// A WebSocket whose 101 is about to be sent.
#[derive(Clone)]
pub(super) struct Pending(Arc<std::sync::Mutex<Option<Halves>>>);

struct Halves {
    client: OnUpgrade,
    upstream: reqwest::Upgraded,
    gateway: Arc<Gateway>,
    limit: Duration,
    _socket: OpenSocket,
    _connection: Option<OpenConnection>,
}

/// Checks the client's handshake and opens the WebSocket at Corti.
pub(super) async fn open(
    gateway: &Arc<Gateway>,
    mut request: Request,
    call: &Call,
    allowed: &Allowed,
) -> Result<Response, Refusal> {
    let headers = request.headers();
    let key = checked(request.method(), headers)?.clone();
    let limits = &allowed.permissions.limits;
    let socket = gateway.throttle.socket(&allowed.caller.id, limits)?;
    let extensions = headers.get(SEC_WEBSOCKET_EXTENSIONS).cloned();
    let agent = headers.get(USER_AGENT).cloned();
    let query = without_credentials(request.uri().query().unwrap_or_default());
    let scope = if call.operation.name == "transcribe" { Upstream::Transcribe } else { Upstream::Streams };
    let client = request.extensions_mut().remove::<OnUpgrade>();
    let client = client.ok_or_else(|| invalid("the connection cannot be upgraded"))?;
    let connection = request.extensions_mut().remove::<OpenConnection>();
    let mut generation = None;
    let answer = loop {
        let (token, current) = gateway.token(scope, generation).await?;
        let url = format!(
            "{}{}?{}",
            gateway.api,
            call.path,
            upstream_query(&query, gateway.tenant.as_str(), &token)
        );
        let mut upstream = gateway.client.get(url).header(CONNECTION, "Upgrade").header(UPGRADE, "websocket");
        upstream = upstream.header(SEC_WEBSOCKET_VERSION, "13").header(SEC_WEBSOCKET_KEY, &key);
        for (name, value) in [(SEC_WEBSOCKET_EXTENSIONS, &extensions), (USER_AGENT, &agent)] {
            if let Some(value) = value {
                upstream = upstream.header(name, value);
            }
        }
        let answer = timeout(HANDSHAKE, upstream.send()).await;
        let late = || Refusal::later(Code::UpstreamUnreachable, "Corti did not answer in time", HANDSHAKE);
        let answer = answer.map_err(|_| late())?.map_err(broken)?;
        if answer.status() != reqwest::StatusCode::UNAUTHORIZED {
            break answer;
        }
        if generation.is_some() {
            return Err(rejected_us());
        }
        generation = Some(current);
    };
    if answer.status() != reqwest::StatusCode::SWITCHING_PROTOCOLS {
        // Nothing of that answer is passed on: it may repeat the URL, which holds our token.
        let detail = format!("Corti refused the WebSocket with {}", answer.status().as_u16());
        return Err(Refusal::new(Code::UpstreamRefused, detail));
    }
    let accept = derive_accept_key(key.as_bytes());
    if answer.headers().get(SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes) != Some(accept.as_bytes()) {
        return not_a_socket();
    }
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    let accepted = answer.headers().get(SEC_WEBSOCKET_EXTENSIONS).filter(|_| extensions.is_some());
    let protocol = allowed.protocol.map(HeaderValue::from_static);
    let accept = HeaderValue::from_str(&accept).ok();
    let given: [(HeaderName, Option<HeaderValue>); 3] = [
        (SEC_WEBSOCKET_ACCEPT, accept),
        (SEC_WEBSOCKET_EXTENSIONS, accepted.cloned()),
        (SEC_WEBSOCKET_PROTOCOL, protocol),
    ];
    headers.extend(given.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let upstream = answer.upgrade().await.map_err(broken)?;
    let halves = Halves {
        client,
        upstream,
        gateway: Arc::clone(gateway),
        limit: allowed.session,
        _socket: socket,
        _connection: connection,
    };
    response.extensions_mut().insert(Pending(Arc::new(std::sync::Mutex::new(Some(halves)))));
    *response.body_mut() = Body::empty();
    Ok(response)
}

impl Pending {
    /// Copies bytes until one side ends, the session is over, or the gateway stops. Both connections are then cut: the SDK
    /// takes that for a lost connection and connects again, and a refusal of that is final.
    pub(super) fn start(self, record: Record) {
        let Some(halves) = lock(&self.0).take() else { return };
        tokio::spawn(async move {
            let Halves { client, upstream, gateway, limit, _socket, _connection } = halves;
            // The head of our answer has to be sent first.
            let Ok(Ok(client)) = timeout(HANDSHAKE, client).await else { return };
            let client = TokioIo::new(client);
            let metrics = &gateway.journal.metrics;
            metrics.sockets.inc();
            let outcome = tokio::select! {
                () = copy_both(client, upstream, metrics) => "ok",
                () = sleep(limit) => "session_over",
                () = gateway.cut() => "draining",
            };
            metrics.sockets.dec();
            record.ended(outcome);
        });
    }
}

/// Copies until both sides have ended, or one has and the other does not follow.
async fn copy_both(
    client: impl AsyncRead + AsyncWrite,
    upstream: impl AsyncRead + AsyncWrite,
    metrics: &Metrics,
) {
    let ((from_client, to_client), (from_upstream, to_upstream)) = (split(client), split(upstream));
    let (mut up, mut down) = (
        pin!(copy_one(from_client, to_upstream, metrics)),
        pin!(copy_one(from_upstream, to_client, metrics)),
    );
    tokio::select! {
        () = &mut up => drop(timeout(FAREWELL, down).await),
        () = &mut down => drop(timeout(FAREWELL, up).await),
    }
}

async fn copy_one(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, metrics: &Metrics) {
    metrics.socket_bytes.inc_by(tokio::io::copy(&mut from, &mut to).await.unwrap_or_default());
    let _ = to.shutdown().await;
}

/// The client's key, if its handshake is one (RFC 6455, section 4.2.1).
fn checked<'a>(method: &Method, headers: &'a HeaderMap) -> Result<&'a HeaderValue, Refusal> {
    let has = |name: HeaderName, word: &str| {
        headers.get_all(name).iter().any(|value| {
            let words = value.to_str().unwrap_or_default().split(',');
            words.map(str::trim).any(|it| it.eq_ignore_ascii_case(word))
        })
    };
    let has_body =
        headers.get(CONTENT_LENGTH).is_some_and(|it| it != "0") || headers.contains_key(TRANSFER_ENCODING);
    let is_good = *method == Method::GET
        && has(CONNECTION, "upgrade")
        && has(UPGRADE, "websocket")
        && has(SEC_WEBSOCKET_VERSION, "13")
        && !has_body;
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|key| is_good && key.len() == 24);
    key.ok_or_else(|| invalid("this is not a WebSocket's handshake"))
}

fn upstream_query(query: &str, tenant: &str, token: &AccessToken) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(query.to_owned());
    pairs.append_pair("tenant-name", tenant);
    // A space as %20, as the SDK sends it.
    let bearer = format!("Bearer {}", token.secret().expose());
    pairs.append_pair("token", &bearer).finish().replace("token=Bearer+", "token=Bearer%20")
}

fn not_a_socket() -> Result<Response, Refusal> {
    Err(Refusal::new(Code::UpstreamInvalid, "Corti did not open a WebSocket"))
}

fn invalid(detail: &str) -> Refusal {
    Refusal::new(Code::RequestInvalid, detail)
}

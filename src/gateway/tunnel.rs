//! Passes a WebSocket through: both handshakes are checked, and then bytes are copied both ways.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT,
};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Body as _;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_util::io::InspectReader;

use super::record::Record;
use super::state::{Authenticated, Gateway, OwnToken, broken};
use crate::domain::client::secret::AccessToken;
use crate::domain::gateway::operation::{Call, without_credentials};
use crate::domain::gateway::refusal::{Code, Refusal};
use crate::edge::listener::OpenConnection;

/// How long Corti may take to answer the handshake. The SDK gives up after 4 s.
const HANDSHAKE: Duration = Duration::from_secs(3);

/// Checks the client's handshake, opens the WebSocket at Corti, and answers with 101.
///
/// Bytes are then copied until both sides have ended, the session is over, or the gateway stops. Then both connections are cut:
/// the SDK takes that for a lost connection and connects again. If the reconnect is refused, it gives up.
pub(super) async fn open(
    gateway: &Arc<Gateway>,
    mut request: Request,
    call: &Call,
    authenticated: &Authenticated,
    record: &Arc<Record>,
) -> Result<Response, Refusal> {
    let invalid = |detail: &str| Refusal::new(Code::REQUEST_INVALID, detail);
    let headers = request.headers();
    let has_body = !request.body().is_end_stream();
    let key = key(request.method(), headers).filter(|_| !has_body);
    let key = key.ok_or_else(|| invalid("this is not a WebSocket's handshake"))?.clone();
    let socket = gateway.throttle.socket(&authenticated.caller.id, &authenticated.permissions.limits)?;
    let passed_on = [SEC_WEBSOCKET_EXTENSIONS, USER_AGENT].into_iter();
    let passed_on: HeaderMap =
        passed_on.filter_map(|name| Some((name.clone(), headers.get(name)?.clone()))).collect();
    let query = without_credentials(request.uri().query().unwrap_or_default());
    let client = request.extensions_mut().remove::<OnUpgrade>();
    let client = client.ok_or_else(|| invalid("the connection cannot be upgraded"))?;
    let connection = request.extensions_mut().remove::<OpenConnection>();
    if connection.as_ref().is_some_and(|connection| !connection.may_upgrade()) {
        let detail = "the gateway has reached its limit of open WebSockets";
        return Err(Refusal::later(Code::NO_ROOM, detail, Duration::from_secs(3)));
    }
    let answer = gateway.send(OwnToken::of(call), HANDSHAKE, |token| {
        let query = upstream_query(&query, gateway.tenant.as_str(), token);
        let upstream = gateway.client.get(format!("{}{}?{query}", gateway.api, call.path));
        let upstream = upstream.headers(passed_on.clone()).header(SEC_WEBSOCKET_KEY, &key);
        let upstream = upstream.header(CONNECTION, "Upgrade").header(UPGRADE, "websocket");
        upstream.header(SEC_WEBSOCKET_VERSION, "13").build().ok()
    });
    let answer = answer.await?;
    if answer.status() != reqwest::StatusCode::SWITCHING_PROTOCOLS {
        // Nothing of that answer is passed on: it may repeat the URL, which holds our token.
        let detail = format!("Corti refused the WebSocket with {}", answer.status().as_u16());
        return Err(Refusal::new(Code::UPSTREAM_REFUSED, detail));
    }
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok();
    if accept.is_none() || answer.headers().get(SEC_WEBSOCKET_ACCEPT) != accept.as_ref() {
        return Err(Refusal::new(Code::UPSTREAM_INVALID, "Corti did not open a WebSocket"));
    }
    let was_offered = passed_on.contains_key(SEC_WEBSOCKET_EXTENSIONS);
    let extensions = answer.headers().get(SEC_WEBSOCKET_EXTENSIONS).filter(|_| was_offered).cloned();
    let upstream = answer.upgrade().await.map_err(broken)?;
    let (gateway, record, limit) = (Arc::clone(gateway), Arc::clone(record), authenticated.session);
    tokio::spawn(async move {
        // Both count as open until the end.
        let _counted = (socket, connection);
        // The head of our answer has to be sent first.
        let Ok(Ok(client)) = timeout(HANDSHAKE, client).await else {
            record.entry().outcome = "not_upgraded";
            return;
        };
        record.opened();
        let metrics = &gateway.journal.metrics;
        metrics.sockets.inc();
        let mut client = InspectReader::new(TokioIo::new(client), |bytes: &[u8]| {
            record.entry().bytes_in += bytes.len() as u64;
            metrics.socket_bytes.inc_by(bytes.len() as u64);
        });
        let mut upstream = InspectReader::new(upstream, |bytes: &[u8]| {
            record.entry().bytes_out += bytes.len() as u64;
            metrics.socket_bytes.inc_by(bytes.len() as u64);
        });
        let outcome = tokio::select! {
            _ = copy_bidirectional(&mut client, &mut upstream) => "ok",
            () = sleep(limit) => "session_over",
            () = gateway.cut() => "draining",
        };
        metrics.sockets.dec();
        record.entry().outcome = outcome;
    });
    let given = [
        (CONNECTION, Some(HeaderValue::from_static("Upgrade"))),
        (UPGRADE, Some(HeaderValue::from_static("websocket"))),
        (SEC_WEBSOCKET_ACCEPT, accept),
        (SEC_WEBSOCKET_EXTENSIONS, extensions),
        (SEC_WEBSOCKET_PROTOCOL, authenticated.protocol.map(HeaderValue::from_static)),
    ];
    let given: HeaderMap = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    Ok((StatusCode::SWITCHING_PROTOCOLS, given).into_response())
}

/// The client's key, if its handshake is one (RFC 6455, section 4.2.1).
pub(super) fn key<'a>(method: &Method, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
    let has = |name: HeaderName, word: &str| {
        let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|it| it.trim().eq_ignore_ascii_case(word))
    };
    let is_single = |name: HeaderName| headers.get_all(name).iter().count() == 1;
    let is_handshake = *method == Method::GET
        && has(CONNECTION, "upgrade")
        && has(UPGRADE, "websocket")
        && headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13")
        && is_single(SEC_WEBSOCKET_VERSION)
        && is_single(SEC_WEBSOCKET_KEY);
    headers.get(SEC_WEBSOCKET_KEY).filter(|key| is_handshake && key.len() == 24)
}

/// The query for Corti: the tenant and a token, after what is left of the caller's.
pub(super) fn upstream_query(query: &str, tenant: &str, token: &AccessToken) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(query.to_owned());
    pairs.append_pair("tenant-name", tenant);
    // A space as %20, as the SDK sends it.
    let bearer = format!("Bearer {}", token.secret().expose());
    pairs.append_pair("token", &bearer).finish().replace("token=Bearer+", "token=Bearer%20")
}

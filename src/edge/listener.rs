//! Serves HTTP/1.1 within bounds that no peer can exceed: connections, open files, memory, and time for a request's head.
//!
//! Every program of this machine can connect to our servers. At the bound, the connection that has waited longest for a
//! complete request is closed, so silent connections never keep an honest request out. An upgraded connection, such as a
//! WebSocket, is never closed for another one, so at most half of the connections may be upgraded.

mod connections;

use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Router};
use connections::{Connection, Connections, MIN_CONNECTIONS, Slot};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long a peer may take to send a request's head, and to begin the next request on the same connection. Clients keep idle
/// connections about as long, and may fail if one is closed just as they use it. At the bound it is closed sooner.
const HEAD_DEADLINE: Duration = Duration::from_secs(60);

/// The longest head, and the most that is read from a connection at once, in bytes. A token in a URL takes about 2 KiB.
const HEAD_LIMIT: usize = 32 * 1024;

/// The most connections, whatever the limit of open files is.
const MAX_CONNECTIONS: usize = 512;

/// How many files the rest of the process may open while it serves: connections to other servers, pipes, its own files.
const OTHER_FILES: usize = 16;

/// The pause after the system refused a connection, so that a lasting refusal does not keep the processor busy.
const PAUSE: Duration = Duration::from_millis(20);

/// Serves until `stop` completes, then until every connection has ended: those without a complete request are closed at once,
/// the others after their answer, and upgraded ones when [`OpenConnection`] is dropped. Handlers find the peer's address as
/// [`ConnectInfo`].
///
/// `on_connection` is called for each connection.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    on_connection: impl Fn(),
    stop: impl Future<Output = ()>,
) {
    let bound = free_files().saturating_sub(OTHER_FILES).clamp(MIN_CONNECTIONS, MAX_CONNECTIONS);
    let connections = Connections::new(bound);
    let (stopping, _) = watch::channel(());
    let mut tasks = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let (stream, address, slot) = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        while tasks.try_join_next().is_some() {}
        let connection = Arc::new(connections.add(slot, stopping.subscribe()));
        on_connection();
        let (router, stopped) = (router.clone(), stopping.subscribe());
        tasks.spawn(async move {
            tokio::select! {
                () = serve_connection(stream, address, router, &connection, stopped) => {}
                () = connection.closed() => {}
            }
        });
    }
    drop(listener);
    while connections.close_oldest() {}
    stopping.send_replace(());
    // Each connection holds a receiver.
    stopping.closed().await;
}

/// The next connection, once there is room for it.
async fn accept(listener: &TcpListener, connections: &Connections) -> (TcpStream, SocketAddr, Slot) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let slot = connections.slot().await;
                // Answers are short and peers wait for each: Nagle's algorithm would only delay them.
                let _ = stream.set_nodelay(true);
                return (stream, address, slot);
            }
            // The peer has gone.
            Err(error) if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) => {
            }
            // The system is short of files or memory.
            Err(_) => {
                connections.close_oldest();
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Answers the requests of one connection.
async fn serve_connection(
    stream: TcpStream,
    address: SocketAddr,
    router: Router,
    connection: &Arc<Connection>,
    mut stopped: watch::Receiver<()>,
) {
    let (router, connection) = (TowerToHyperService::new(router), Arc::clone(connection));
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(|body| counted(body, &connection));
        request.extensions_mut().insert(ConnectInfo(address));
        request.extensions_mut().insert(OpenConnection { _connection: Arc::clone(&connection) });
        let (answer, connection) = (router.call(request), Arc::clone(&connection));
        async move {
            let Ok(answer) = answer.await;
            let is_upgrade = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
            let refused = is_upgrade && !connection.upgrade();
            if !is_upgrade || refused {
                connection.await_request();
            }
            let answer = if refused {
                (StatusCode::SERVICE_UNAVAILABLE, "too many WebSockets are open\n").into_response()
            } else {
                answer
            };
            // If a handler fails, hyper closes the connection.
            if answer.extensions().get::<NoAnswer>().is_some() { Err(NoAnswer) } else { Ok(answer) }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(HEAD_LIMIT)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    // A connection that breaks concerns its peer only.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Counts a connection as open. Handlers find it as an extension, and must hold it for as long as an upgraded connection lasts.
#[derive(Clone)]
pub struct OpenConnection {
    _connection: Arc<Connection>,
}

/// Marks a response that is not sent.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the request gets no answer")]
struct NoAnswer;

/// A response that is not sent: the connection is closed instead.
pub fn no_answer() -> Response {
    Extension(NoAnswer).into_response()
}

/// A request's body. The request counts as incomplete until the body is read or dropped.
fn counted(body: Incoming, connection: &Connection) -> Body {
    let request = connection.head_arrived();
    if body.is_end_stream() {
        return Body::empty();
    }
    Body::new(body.map_frame(move |frame| {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        if let Some(request) = &request {
            request.body_grew(bytes);
        }
        frame
    }))
}

/// How many files this process may still open. It may have inherited many open ones.
#[cfg(unix)]
fn free_files() -> usize {
    use rustix::process::{Resource, getrlimit};
    let limit = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok());
    let Some(limit) = limit else { return usize::MAX };
    // Half is a guess for a system that does not list them.
    limit.saturating_sub(std::fs::read_dir("/dev/fd").map_or(limit / 2, Iterator::count))
}

/// Other systems have no limit that is known.
#[cfg(not(unix))]
fn free_files() -> usize {
    usize::MAX
}

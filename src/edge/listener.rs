//! Serves HTTP/1.1 within bounds that no peer can exceed: connections, open files, memory, and time for a request's head.
//!
//! Every program of this machine can connect to a server of this tool. At the bound, the connection that has waited longest
//! for a complete request is closed, so connections that say nothing never keep an honest request out. A connection that was
//! upgraded, such as a WebSocket, is never closed for another one, so at most half of the connections may be upgraded.

mod connections;
mod stream;
mod watched_body;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Router};
use connections::{ConnectionGuard, Connections, MIN_CONNECTIONS};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioTimer;
use hyper_util::service::TowerToHyperService;
use stream::CountedStream;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use watched_body::WatchedBody;

/// How long a peer may take to send a request's head, and to begin the next request on the same connection. Clients keep idle
/// connections about as long, and may fail where one is closed just as they use it. At the bound it is closed sooner.
const HEAD_DEADLINE: Duration = Duration::from_secs(60);

/// The longest head, and the most that is read from a connection at once, in bytes. A token in a URL takes about 2 KiB.
const HEAD_LIMIT: usize = 32 * 1024;

/// The most connections, whatever the limit of open files is.
const MAX_CONNECTIONS: usize = 512;

/// How many files the rest of the process may open while it serves: connections to other servers, pipes, its own files.
const OTHER_FILES: usize = 16;

/// The pause after the system refused a connection, so that a refusal that lasts does not use up the processor.
const PAUSE: Duration = Duration::from_millis(20);

/// Serves until `stop` completes, then until every connection has ended: those without a complete request are closed at once,
/// the others after their answer, and upgraded ones when their owner closes them. Handlers find the peer's address as
/// [`ConnectInfo`].
///
/// `on_connection` is called for each connection.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    on_connection: impl Fn(),
    stop: impl Future<Output = ()>,
) {
    let connections = Arc::new(Connections::new(most_connections()));
    let (stopping, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let (stream, address) = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        while tasks.try_join_next().is_some() {}
        let guard = Arc::new(connections.add());
        on_connection();
        let (router, stopped) = (router.clone(), stopped.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = serve_connection(stream, address, router, &guard, stopped) => {}
                () = guard.closed() => {}
            }
        });
    }
    drop(listener);
    connections.close_incomplete();
    stopping.send_replace(true);
    connections.emptied().await;
}

/// The next connection, once there is room for it.
async fn accept(listener: &TcpListener, connections: &Connections) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                connections.make_room().await;
                // Answers are short and peers wait for each: Nagle's algorithm would only delay them.
                let _ = stream.set_nodelay(true);
                return (stream, address);
            }
            Err(error) if concerns_one_connection(&error) => {}
            // The system is short of files or memory.
            Err(_) => {
                connections.close_oldest();
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Whether accepting failed because the peer had gone.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Answers the requests of one connection.
async fn serve_connection(
    stream: TcpStream,
    address: SocketAddr,
    router: Router,
    guard: &Arc<ConnectionGuard>,
    mut stopped: watch::Receiver<bool>,
) {
    let stream = CountedStream::new(stream, Arc::clone(guard));
    let (router, guard) = (TowerToHyperService::new(router), Arc::clone(guard));
    let service = service_fn(move |mut request: Request<Incoming>| {
        guard.head_is_complete();
        request.extensions_mut().insert(ConnectInfo(address));
        let request = request.map(|body| Body::new(WatchedBody::new(body, Arc::clone(&guard))));
        let (answer, guard) = (router.call(request), Arc::clone(&guard));
        async move {
            let Ok(answer) = answer.await;
            let is_upgrade = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
            let answer = if is_upgrade && !guard.upgrade() { too_many_upgrades() } else { answer };
            guard.is_answered();
            // hyper closes the connection of a request whose handler fails.
            if answer.extensions().get::<NoAnswer>().is_some() { Err(NoAnswer) } else { Ok(answer) }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(HEAD_LIMIT)
        .serve_connection(stream, service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    // A connection that breaks concerns its peer only.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|it| *it) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Marks a response that is not sent.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the request gets no answer")]
struct NoAnswer;

/// A response that is not sent: the connection is closed instead.
pub fn no_answer() -> Response {
    Extension(NoAnswer).into_response()
}

fn too_many_upgrades() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "too many WebSockets are open\n").into_response()
}

/// How many connections this process has files for.
fn most_connections() -> usize {
    free_files().saturating_sub(OTHER_FILES).clamp(MIN_CONNECTIONS, MAX_CONNECTIONS)
}

/// How many files this process may still open. Its parent may have left it many that are open.
#[cfg(unix)]
fn free_files() -> usize {
    use rustix::process::{Resource, getrlimit};
    let limit = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok());
    let Some(limit) = limit else { return usize::MAX };
    // Half is a guess for a system that does not list them.
    limit.saturating_sub(std::fs::read_dir("/dev/fd").map_or(limit / 2, Iterator::count))
}

/// No limit is known.
#[cfg(not(unix))]
fn free_files() -> usize {
    usize::MAX
}

//! Serves HTTP/1.1 within bounds that no peer can exceed: connections, open files, memory, and time for a request's head.
//!
//! Every program of this machine can connect to our servers. At the bound, the connection that has waited longest for a
//! complete request is closed, so silent connections never keep an honest request out. An upgraded connection, such as a
//! WebSocket, is never closed for another one, so at most half of the connections may be upgraded.

mod connections;
#[cfg(test)]
mod tests;

use std::io;
use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::gateway::config::Listen;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Router};
use connections::{Connection, Connections, MIN_CONNECTIONS, Slot};
use futures_util::FutureExt as _;
use futures_util::future::join;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinSet, unconstrained, yield_now};
use tokio::time::timeout;

/// How long a peer may take to send a request's head, and to begin the next request on the same connection. Clients keep idle
/// connections about as long, and may fail if one is closed just as they use it. At the bound it is closed sooner.
const HEAD_DEADLINE: Duration = Duration::from_secs(60);

/// The longest head, and the most that is read from a connection at once, in bytes. A token in a URL takes about 2 KiB.
const HEAD_LIMIT: usize = 32 * 1024;

/// What the peers of a listener may take up together.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The most connections, whatever the limit of open files is.
    pub connections: usize,
    /// How many files a connection may need: its own, and those of what is opened for it.
    pub files_each: usize,
    /// How many bytes of incomplete request bodies may be held. `None` where handlers pass bodies on as they come: then no
    /// connection is closed for another one from a request's head to the end of its answer's body.
    pub bodies: Option<usize>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { connections: 512, files_each: 1, bodies: Some(64 * 1024 * 1024) }
    }
}

/// Where connections come from.
#[derive(Debug)]
pub enum Source {
    /// A TCP port.
    Tcp(TcpListener),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(UnixListener),
}

impl From<TcpListener> for Source {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Source {
    /// Listens on `address`. A Unix socket is for its owner's user and group, and replaces one that nobody listens on any more.
    pub fn bind(address: &Listen) -> io::Result<Self> {
        match address {
            Listen::Tcp(address) => listen(*address).map(Self::Tcp),
            #[cfg(unix)]
            Listen::Unix(path) => {
                use std::fs::Permissions;
                use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
                use std::os::unix::net::UnixStream;
                let is_socket = std::fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket());
                if is_socket && UnixStream::connect(path).is_err_and(|it| it.kind() == ConnectionRefused) {
                    std::fs::remove_file(path)?;
                }
                let listener = UnixListener::bind(path)?;
                std::fs::set_permissions(path, Permissions::from_mode(0o660))?;
                Ok(Self::Unix(listener))
            }
            #[cfg(not(unix))]
            Listen::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Where it listens: `127.0.0.1:8744`, `unix:/run/x.sock`. Empty if the system does not say.
    pub fn address(&self) -> String {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(|it| it.to_string()).unwrap_or_default(),
            #[cfg(unix)]
            Self::Unix(listener) => {
                let address = listener.local_addr().ok();
                let path = address.as_ref().and_then(|address| address.as_pathname());
                path.map(|path| format!("unix:{}", path.display())).unwrap_or_default()
            }
        }
    }

    /// What a `Host` header may call it, if only this machine reaches it by TCP: its address, and `localhost`. Otherwise empty:
    /// other machines may know it by any name.
    pub fn hosts(&self) -> Vec<String> {
        let address = match self {
            Self::Tcp(listener) => listener.local_addr().ok().filter(|address| address.ip().is_loopback()),
            #[cfg(unix)]
            Self::Unix(_) => None,
        };
        let names = |address: SocketAddr| [address.to_string(), format!("localhost:{}", address.port())];
        address.into_iter().flat_map(names).collect()
    }

    /// The next connection, and the address of a TCP peer.
    async fn accept(&self) -> io::Result<(Box<dyn Stream>, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // Answers are short and peers wait for each: Nagle's algorithm would only delay them.
                let _ = stream.set_nodelay(true);
                notice_lost_peers(&stream);
                Ok((Box::new(stream), Some(address)))
            }
            #[cfg(unix)]
            Self::Unix(listener) => Ok((Box::new(listener.accept().await?.0), None)),
        }
    }
}

/// How many connections may wait to be accepted. The system may allow fewer. With tokio's 128, some of 200 clients that come
/// back at once wait for a second (measured).
const BACKLOG: u32 = 1024;

/// As [`TcpListener::bind`], with [`BACKLOG`].
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // On Windows it would let another program listen on the same port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Ends connections to peers that are gone without a word or (on Linux) take nothing for a minute. Otherwise they would count as
/// open for hours.
fn notice_lost_peers(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    let probes = socket2::TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    // Best effort: some systems lack an option.
    let _ = socket.set_tcp_keepalive(&probes);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(4 * KEEPALIVE));
}

/// The time between the probes of an idle connection.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// How many files the rest of the process may open while it serves: connections to other servers, pipes, its own files.
const OTHER_FILES: usize = 16;

/// The pause after the system refused a connection, so that a lasting refusal does not keep the processor busy.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a new connection may take to send a request's head after the stop. Its peer may send one that it does not repeat.
const FIRST_HEAD: Duration = Duration::from_secs(2);

/// Serves until `stop` completes, then until every connection has ended: those without a complete request are closed at once
/// (where handlers pass bodies on, new ones after [`FIRST_HEAD`]), the others after their answer, and upgraded ones when
/// [`OpenConnection`] is dropped. Handlers find the peer's address as [`ConnectInfo`], where it has one.
///
/// `on_connection` is called for each connection.
pub async fn serve(
    source: impl Into<Source>,
    bounds: Bounds,
    router: Router,
    on_connection: impl Fn(),
    stop: impl Future<Output = ()>,
) {
    let source = source.into();
    let by_files = free_files().saturating_sub(OTHER_FILES) / bounds.files_each;
    let connections = Connections::new(by_files.clamp(MIN_CONNECTIONS, bounds.connections), bounds.bodies);
    let (stopping, _) = watch::channel(());
    let mut tasks = JoinSet::new();
    let mut start = |(stream, address, slot)| {
        while tasks.try_join_next().is_some() {}
        let connection = Arc::new(connections.add(slot, stopping.subscribe()));
        on_connection();
        let (router, stopped) = (router.clone(), stopping.subscribe());
        tasks.spawn(async move {
            tokio::select! {
                () = serve_connection(stream, address, router, &connection, bounds.bodies.is_none(), stopped) => {}
                () = connection.closed() => {}
            }
        });
    };
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = accept(&source, &connections) => start(accepted),
        }
    }
    // Those that wait to be accepted may have sent a request, too. tokio sees them when it looks again.
    yield_now().await;
    for _ in 0..BACKLOG {
        let Some(accepted) = unconstrained(accept(&source, &connections)).now_or_never() else { break };
        start(accepted);
    }
    drop(source);
    stopping.send_replace(());
    if bounds.bodies.is_none() {
        connections.close_idle();
        // Each connection holds a receiver.
        let _ = timeout(FIRST_HEAD, stopping.closed()).await;
    }
    while connections.close_oldest() {}
    stopping.closed().await;
}

/// The next connection, once there is room for it.
async fn accept(source: &Source, connections: &Connections) -> (Box<dyn Stream>, Option<SocketAddr>, Slot) {
    loop {
        match source.accept().await {
            Ok((stream, address)) => return (stream, address, connections.slot().await),
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
    stream: Box<dyn Stream>,
    address: Option<SocketAddr>,
    router: Router,
    connection: &Arc<Connection>,
    passes_on: bool,
    mut stopped: watch::Receiver<()>,
) {
    let (router, shared) = (TowerToHyperService::new(router), Arc::clone(connection));
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(|body| counted(body, &shared, passes_on));
        if let Some(address) = address {
            request.extensions_mut().insert(ConnectInfo(address));
        }
        request.extensions_mut().insert(OpenConnection { connection: Arc::clone(&shared) });
        let (answer, connection) = (router.call(request), Arc::clone(&shared));
        async move {
            let Ok(answer) = answer.await;
            let is_upgrade = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
            let refused = is_upgrade && !connection.upgrade();
            let answer = if refused {
                (StatusCode::SERVICE_UNAVAILABLE, "too many WebSockets are open\n").into_response()
            } else {
                answer
            };
            let answered = (!is_upgrade || refused).then(|| Answered(connection));
            let answer = match answered {
                Some(answered) if passes_on => answer.map(|body| {
                    Body::new(body.map_frame(move |frame| {
                        let _until_the_end = &answered;
                        frame
                    }))
                }),
                _ => answer,
            };
            // If a handler fails, hyper closes the connection.
            if answer.extensions().get::<NoAnswer>().is_some() { Err(NoAnswer) } else { Ok(answer) }
        }
    });
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(HEAD_LIMIT)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut http = std::pin::pin!(http);
    // A connection that breaks concerns its peer only.
    tokio::select! {
        _ = http.as_mut() => return,
        // A new connection has time for its first request.
        _ = join(stopped.changed(), connection.first_head_arrived()) => http.as_mut().graceful_shutdown(),
    }
    let _ = http.await;
}

/// Counts a connection as open. Handlers find it as an extension, and must hold it for as long as an upgraded connection lasts.
#[derive(Clone)]
pub struct OpenConnection {
    connection: Arc<Connection>,
}

impl OpenConnection {
    /// Whether it may be upgraded now. At most half of the connections are.
    pub fn may_upgrade(&self) -> bool {
        self.connection.may_upgrade()
    }
}

/// When it is dropped, the connection waits for the next request.
struct Answered(Arc<Connection>);

impl Drop for Answered {
    fn drop(&mut self) {
        self.0.await_request();
    }
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
fn counted(body: Incoming, connection: &Connection, passes_on: bool) -> Body {
    let request = connection.head_arrived();
    if body.is_end_stream() {
        return Body::empty();
    }
    if passes_on {
        return Body::new(body);
    }
    Body::new(body.map_frame(move |frame| {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        if let Some(request) = &request {
            request.body_grew(bytes);
        }
        frame
    }))
}

/// Lets this process open as many files as it may. The usual limit, 1,024, is for programs that call `select`.
pub fn raise_file_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        // macOS takes no more than this (OPEN_MAX, setrlimit(2)), whatever its hard limit says.
        let most = cfg!(target_vendor = "apple").then_some(10_240);
        let current = limit.maximum.into_iter().chain(most).min();
        // Best effort: with fewer files there are fewer connections.
        let _ = setrlimit(Resource::Nofile, rustix::process::Rlimit { current, ..limit });
    }
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

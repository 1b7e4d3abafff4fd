//! Looks a host up in DNS and opens a TCP connection to it, to tell which of the two fails. `http.rs` does both by itself.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures_util::future::select_ok;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::domain::client::environment::LOOPBACK_NAMES;
use crate::domain::text::duration::seconds;

/// The longest time for making a connection.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Why a host cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// No address for the name.
    #[error("cannot resolve `{}`: {}", .0, reason(.1))]
    Dns(String, io::Error),
    /// No connection to this port of any address. The error of the last address.
    #[error("cannot connect to `{0}`, port {1}: {2}")]
    Connect(String, u16, #[source] io::Error),
}

/// The resolver's reason, without the words that Rust puts before it.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.strip_prefix("failed to lookup address information: ").map(str::to_owned).unwrap_or(text)
}

/// Whether `host` is an IP address, which needs no DNS.
pub fn is_address(host: &str) -> bool {
    unbracketed(host).parse::<IpAddr>().is_ok()
}

/// Without the brackets that a URL puts around an IPv6 address.
fn unbracketed(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// The loopback addresses with `port`: what [`LOOPBACK_NAMES`] mean.
pub(super) fn loopback(port: u16) -> [SocketAddr; 2] {
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].map(|ip| SocketAddr::new(ip, port))
}

/// The addresses of `host`, at least one.
pub async fn resolve(host: &str, port: u16, limit: Duration) -> Result<Vec<SocketAddr>, ReachError> {
    if LOOPBACK_NAMES.contains(&host) {
        return Ok(loopback(port).into());
    }
    let found = timeout(limit, lookup_host((unbracketed(host), port))).await;
    let failed = |error| ReachError::Dns(host.to_owned(), error);
    let addresses: Vec<_> = found.unwrap_or_else(|_| Err(no_answer(limit))).map_err(failed)?.collect();
    if addresses.is_empty() {
        return Err(failed(io::Error::new(io::ErrorKind::NotFound, "the name has no address")));
    }
    Ok(addresses)
}

/// Connects to all of the `addresses` of `host` at once, which must not be empty. Returns the first that takes the connection.
pub async fn connect(
    host: &str,
    addresses: &[SocketAddr],
    limit: Duration,
) -> Result<SocketAddr, ReachError> {
    let limit = limit.min(CONNECT_LIMIT);
    let attempt = |address: SocketAddr| async move { TcpStream::connect(address).await.map(|_| address) };
    let attempts = addresses.iter().map(|address| Box::pin(attempt(*address)));
    let first = timeout(limit, select_ok(attempts)).await;
    let first = first.unwrap_or_else(|_| Err(no_answer(limit)));
    let port = addresses.first().map(SocketAddr::port).unwrap_or_default();
    first.map(|(address, _)| address).map_err(|source| ReachError::Connect(host.to_owned(), port, source))
}

fn no_answer(limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {}", seconds(limit)))
}

//! The way to a host, step by step: its addresses from DNS, and a TCP connection that is closed at once. Requests go by
//! `http.rs`, which does both by itself; this is for telling which of them fails.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::domain::client::environment::LOOPBACK_NAMES;

/// How long a connection may take, as in `http.rs`.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Why a host is not reached.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// The name has no address, or nobody knows it.
    #[error("not found in DNS: {0}")]
    Dns(io::Error),
    /// Nobody said in time whether it has.
    #[error("DNS did not answer within {0:?}")]
    DnsTimedOut(Duration),
    /// No address takes connections.
    #[error("no connection to port {port}: {source}")]
    Connect {
        /// The port.
        port: u16,
        /// The last address's reason.
        source: io::Error,
    },
    /// No address answered in time.
    #[error("no answer on port {port} within {limit:?}")]
    TimedOut {
        /// The port.
        port: u16,
        /// The bound.
        limit: Duration,
    },
}

/// Whether `host` is an address itself, which no DNS is asked for.
pub fn is_address(host: &str) -> bool {
    unbracketed(host).parse::<IpAddr>().is_ok()
}

/// Without the brackets in which an IPv6 address stands in a URL.
fn unbracketed(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// The addresses of this machine with `port`: what [`LOOPBACK_NAMES`] mean.
pub(super) fn loopback(port: u16) -> [SocketAddr; 2] {
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].map(|ip| SocketAddr::new(ip, port))
}

/// The addresses of `host`.
///
/// # Errors
/// [`ReachError::Dns`] and [`ReachError::DnsTimedOut`].
pub async fn resolve(host: &str, port: u16, limit: Duration) -> Result<Vec<SocketAddr>, ReachError> {
    if LOOPBACK_NAMES.contains(&host) {
        return Ok(loopback(port).into());
    }
    let found = timeout(limit, lookup_host((unbracketed(host), port))).await;
    let addresses: Vec<_> =
        found.map_err(|_| ReachError::DnsTimedOut(limit))?.map_err(ReachError::Dns)?.collect();
    if addresses.is_empty() {
        return Err(ReachError::Dns(io::Error::new(io::ErrorKind::NotFound, "the name has no address")));
    }
    Ok(addresses)
}

/// The first of `addresses` that takes a connection; all are tried at once.
///
/// # Errors
/// [`ReachError::Connect`] and [`ReachError::TimedOut`].
pub async fn connect(addresses: &[SocketAddr], limit: Duration) -> Result<SocketAddr, ReachError> {
    let port = addresses.first().map(SocketAddr::port).unwrap_or_default();
    let limit = limit.min(CONNECT_LIMIT);
    let mut attempts = JoinSet::new();
    for address in addresses.iter().copied() {
        attempts.spawn(async move { TcpStream::connect(address).await.map(|_| address) });
    }
    let first = async {
        let mut source = io::Error::from(io::ErrorKind::AddrNotAvailable);
        while let Some(attempt) = attempts.join_next().await {
            match attempt.unwrap_or_else(|error| Err(io::Error::other(error))) {
                Ok(address) => return Ok(address),
                Err(error) => source = error,
            }
        }
        Err(ReachError::Connect { port, source })
    };
    timeout(limit, first).await.unwrap_or(Err(ReachError::TimedOut { port, limit }))
}

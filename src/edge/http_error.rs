//! Why a request got no response, in words that never hold its query, headers or body.

use std::path::PathBuf;
use std::time::Duration;

use crate::edge::proxy::Proxy;

/// How much of a response is read.
pub(super) const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// A file of certificates cannot be used.
    #[error("cannot use the certificates in `{}`: {reason}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The address is none.
    #[error("`{0}` is not a URL that a request can go to")]
    Address(String),
    /// The host's name has no address.
    #[error("the host `{0}` is not found in DNS")]
    Dns(String),
    /// No connection; TLS failures are here, too.
    #[error("cannot connect to `{host}`: {reason}")]
    Connect {
        /// The host.
        host: String,
        /// Why not.
        reason: String,
    },
    /// A proxy is in between, and it is the one that failed.
    #[error("{proxy} gives no way to `{host}`: {reason}")]
    Proxy {
        /// The proxy.
        proxy: Proxy,
        /// The host behind it.
        host: String,
        /// Why not.
        reason: String,
    },
    /// No connection in time.
    #[error("`{host}` took no connection within {limit:?}")]
    ConnectTimedOut {
        /// The host.
        host: String,
        /// The bound.
        limit: Duration,
    },
    /// No answer in time.
    #[error("`{host}` did not answer within {limit:?}")]
    TimedOut {
        /// The host.
        host: String,
        /// The bound.
        limit: Duration,
    },
    /// The connection broke, or what came is not HTTP.
    #[error("the answer of `{host}` broke off: {reason}")]
    Broken {
        /// The host.
        host: String,
        /// How.
        reason: String,
    },
    /// The response is longer than this tool reads.
    #[error("the answer of `{0}` is longer than {BODY_LIMIT} bytes")]
    TooLong(String),
    /// The client itself could not be made.
    #[error("the HTTP client cannot be made: {0}")]
    Client(String),
}

/// The last error of the chain, which is the one that says something. reqwest's own repeats the URL.
pub(super) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Whether TLS failed, rather than what carries it. It is wrapped in an I/O error, which does not name it as its source.
pub(super) fn is_of_tls(error: &reqwest::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if error.is::<rustls::Error>() || matches!(inner, Some(inner) if inner.is::<rustls::Error>()) {
            return true;
        }
        cause = inner.map_or_else(|| error.source(), |inner| Some(inner));
    }
    false
}

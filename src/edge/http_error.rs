//! Says why a request got no response, without its query, headers or body.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::text::duration::seconds;
use crate::edge::proxy::Proxy;
use crate::edge::tls_error;

/// The longest response that is read, in bytes.
pub(super) const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// Why there is no response. The first field is the host, where there is one.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// A file of certificates cannot be used, for this reason.
    #[error("cannot use the certificates in `{}`: {}", .0.display(), .1)]
    Certificates(PathBuf, String),
    /// Not a URL.
    #[error("`{0}` is not a URL")]
    Address(String),
    /// The name has no address.
    #[error("cannot resolve `{0}`")]
    Dns(String),
    /// The connection or TLS failed, for this reason.
    #[error("cannot connect to `{0}`: {1}")]
    Connect(String, String),
    /// The proxy failed, for this reason.
    #[error("cannot reach `{0}` through {1}: {2}")]
    Proxy(String, Proxy, String),
    /// No answer within this time.
    #[error("`{}` did not answer within {}", .0, seconds(*.1))]
    TimedOut(String, Duration),
    /// The connection broke, or the answer is not HTTP.
    #[error("no complete answer from `{0}`: {1}")]
    Broken(String, String),
    /// The response is longer than this tool reads.
    #[error("the answer from `{0}` is longer than {BODY_LIMIT} bytes")]
    TooLong(String),
    /// The HTTP client cannot be built.
    #[error("cannot build the HTTP client: {0}")]
    Client(String),
}

/// Why a connection failed, without the URL, which reqwest's own text repeats.
pub(super) fn cause(error: &reqwest::Error) -> String {
    rustls_error(error).map_or_else(|| root_cause(error), tls_error::sentence)
}

/// The last error of the chain is the cause. The HTTP library's words for an answer that ends early are replaced.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match cause.to_string().as_str() {
        "end of file before message length reached" | "unexpected EOF during chunk size line" => {
            "it was cut off"
        }
        "connection closed before message completed" => "the connection was closed",
        other => other,
    }
    .to_owned()
}

/// The error of TLS, if TLS failed, not the connection below it. An I/O error wraps it without naming it as its source.
pub(super) fn rustls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = inner.map_or_else(|| error.source(), |inner| Some(inner));
    }
    None
}

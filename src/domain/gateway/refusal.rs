//! Why the gateway refuses a request, as a problem (RFC 9457).

use std::time::Duration;

use serde_json::{Value, json};

/// The kind of a refusal. Programs read its name, so names never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// No credential.
    CredentialMissing,
    /// A credential that is wrong or has expired.
    CredentialInvalid,
    /// More than one credential.
    CredentialRepeated,
    /// The `Host` is not the gateway's own.
    HostUnknown,
    /// The page's origin is not listed.
    OriginDenied,
    /// A path outside of the grammar.
    PathInvalid,
    /// No operation has this method and path.
    RouteUnknown,
    /// The request's form is wrong.
    RequestInvalid,
    /// No rule of the caller's groups allows the operation.
    OperationDenied,
    /// The interaction is another user's.
    NotOwner,
    /// Too many requests.
    RateLimited,
    /// Too many WebSockets of this user.
    TooManySockets,
    /// A body over the limit.
    BodyTooLarge,
    /// Corti did not answer.
    UpstreamUnreachable,
    /// Corti answered something else than its API does.
    UpstreamInvalid,
    /// Corti refused a WebSocket.
    UpstreamRefused,
    /// Corti refused our own token, also a new one.
    UpstreamRejectedUs,
    /// There is no token for Corti now.
    TokenUnavailable,
}

impl Code {
    /// The name, as in `code`, and the HTTP status.
    pub fn parts(self) -> (&'static str, u16) {
        match self {
            Self::CredentialMissing => ("credential_missing", 401),
            Self::CredentialInvalid => ("credential_invalid", 401),
            Self::CredentialRepeated => ("credential_repeated", 400),
            Self::HostUnknown => ("host_unknown", 421),
            Self::OriginDenied => ("origin_denied", 403),
            Self::PathInvalid => ("path_invalid", 400),
            Self::RouteUnknown => ("route_unknown", 404),
            Self::RequestInvalid => ("request_invalid", 400),
            Self::OperationDenied => ("operation_denied", 403),
            Self::NotOwner => ("not_owner", 403),
            Self::RateLimited => ("rate_limited", 429),
            Self::TooManySockets => ("too_many_sockets", 429),
            Self::BodyTooLarge => ("body_too_large", 413),
            Self::UpstreamUnreachable => ("upstream_unreachable", 502),
            Self::UpstreamInvalid => ("upstream_invalid", 502),
            Self::UpstreamRefused => ("upstream_refused", 502),
            Self::UpstreamRejectedUs => ("upstream_rejected_us", 502),
            Self::TokenUnavailable => ("token_unavailable", 503),
        }
    }
}

/// A refusal. The detail holds nothing of a request but what the table of operations or the configuration also says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// The kind.
    pub code: Code,
    /// One sentence for the caller.
    pub detail: String,
    /// When trying again may help.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal that trying again does not change.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after: None }
    }

    /// A refusal that may be gone after a time.
    pub fn later(code: Code, detail: impl Into<String>, after: Duration) -> Self {
        Self { retry_after: Some(after), ..Self::new(code, detail) }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.code.parts().1
    }

    /// `Retry-After` in whole seconds, at least 1.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after.map(|after| after.as_secs_f64().ceil().max(1.0)).map(|seconds| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a wait, at least 1")]
            let seconds = seconds as u64;
            seconds
        })
    }

    /// `application/problem+json`. `request` is the id of the request.
    pub fn problem(&self, request: &str) -> Value {
        let (name, status) = self.code.parts();
        json!({
            "type": format!("urn:corti-auth:problem:{name}"),
            "title": name.replace('_', " "),
            "status": status,
            "detail": self.detail,
            "instance": format!("urn:uuid:{request}"),
            "code": name,
        })
    }
}

//! Why the gateway refuses a request, as a problem (RFC 9457).

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

/// The kind of a refusal: its name, and its HTTP status. Programs read the name, so names never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Code(pub &'static str, pub u16);

impl Code {
    /// Whoever asks for a decision is not the engine.
    pub const ENGINE_KEY_INVALID: Self = Self("engine_key_invalid", 401);
    /// No credential.
    pub const CREDENTIAL_MISSING: Self = Self("credential_missing", 401);
    /// A credential that is wrong or has expired.
    pub const CREDENTIAL_INVALID: Self = Self("credential_invalid", 401);
    /// More than one credential.
    pub const CREDENTIAL_REPEATED: Self = Self("credential_repeated", 400);
    /// The `Host` is not the gateway's own.
    pub const HOST_UNKNOWN: Self = Self("host_unknown", 421);
    /// The page's origin is not listed.
    pub const ORIGIN_DENIED: Self = Self("origin_denied", 403);
    /// A path outside of the grammar.
    pub const PATH_INVALID: Self = Self("path_invalid", 400);
    /// No operation has this method and path.
    pub const ROUTE_UNKNOWN: Self = Self("route_unknown", 404);
    /// The request's form is wrong.
    pub const REQUEST_INVALID: Self = Self("request_invalid", 400);
    /// No rule of the caller's groups allows the operation.
    pub const OPERATION_DENIED: Self = Self("operation_denied", 403);
    /// The interaction is another user's.
    pub const NOT_OWNER: Self = Self("not_owner", 403);
    /// Too many requests.
    pub const RATE_LIMITED: Self = Self("rate_limited", 429);
    /// Too many WebSockets of this user.
    pub const TOO_MANY_SOCKETS: Self = Self("too_many_sockets", 429);
    /// A body over the limit.
    pub const BODY_TOO_LARGE: Self = Self("body_too_large", 413);
    /// Corti did not answer.
    pub const UPSTREAM_UNREACHABLE: Self = Self("upstream_unreachable", 502);
    /// Corti answered something else than its API does.
    pub const UPSTREAM_INVALID: Self = Self("upstream_invalid", 502);
    /// Corti refused a WebSocket.
    pub const UPSTREAM_REFUSED: Self = Self("upstream_refused", 502);
    /// Corti refused our own token, also a new one.
    pub const UPSTREAM_REJECTED_US: Self = Self("upstream_rejected_us", 502);
    /// The gateway has no room for another WebSocket.
    pub const NO_ROOM: Self = Self("no_room", 503);
    /// The keys of an identity provider cannot be fetched now.
    pub const KEYS_UNAVAILABLE: Self = Self("keys_unavailable", 503);
    /// There is no token for Corti now.
    pub const TOKEN_UNAVAILABLE: Self = Self("token_unavailable", 503);
}

/// A refusal. The detail holds nothing of a request but what the table of operations or the configuration also says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// The kind.
    pub code: Code,
    /// One sentence for the caller.
    pub detail: String,
    /// In how many seconds trying again may help, at least 1.
    pub retry_after: Option<u64>,
}

impl Refusal {
    /// A refusal that trying again does not change.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after: None }
    }

    /// A refusal that may be gone after a time.
    pub fn later(code: Code, detail: impl Into<String>, after: Duration) -> Self {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        Self { retry_after: Some(seconds.max(1)), ..Self::new(code, detail) }
    }

    /// `application/problem+json`. `request` is the id of the request.
    pub fn problem(&self, request: Uuid) -> Value {
        let Code(name, status) = self.code;
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

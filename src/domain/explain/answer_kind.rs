//! Recognises the answers of Corti's servers by their members, and keeps only those of an error, without secrets: a body
//! may hold a token or patient data.

use serde_json::{Deserializer, Map, Value};

use crate::domain::corti::problem::ErrorResponse;

use super::redaction::Redaction;
use super::saved_exchange::SavedExchange;

/// What an answer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AnswerKind {
    /// The token endpoint granted a token, with these scopes.
    Grant(Option<String>),
    /// An OAuth error (RFC 6749, section 5.2): `error` and `error_description`.
    OAuth {
        /// `error`.
        error: String,
        /// `error_description`, or empty.
        description: String,
    },
    /// An error of the v2 API.
    Problem(ErrorResponse),
    /// An error of the agents API (`CommonErrorResponse`).
    Agents {
        /// `code`.
        code: String,
        /// `message`.
        message: String,
        /// `howToFix`.
        fix: Option<String>,
        /// `requestId`.
        request: Option<String>,
    },
    /// A message of a WebSocket.
    Message {
        /// `type`, in capitals.
        kind: String,
        /// `reason`, or the texts of `error`.
        reason: Option<String>,
    },
    /// An HTML page, which no API of Corti sends.
    Html,
    /// Nothing.
    Empty,
    /// JSON that ends too early.
    CutOff,
    /// Anything else.
    Other,
}

impl AnswerKind {
    /// The kind of the body of `exchange`.
    pub(super) fn of(exchange: &SavedExchange, redaction: &Redaction) -> Self {
        let body = exchange.body.trim();
        if body.is_empty() {
            return Self::Empty;
        }
        let is_html = exchange.header("content-type").is_some_and(|kind| kind.contains("html"));
        if is_html || is_markup(body) {
            return Self::Html;
        }
        // The whole body, or the last of several messages behind a client's mark (`< {…}`).
        let last = body.lines().next_back().unwrap_or_default();
        let last = last.find('{').and_then(|start| last.get(start..)).unwrap_or_default();
        // Or a body with a remark of curl directly behind it.
        let first = || Deserializer::from_str(body).into_iter().next()?.ok();
        match [body, last].iter().find_map(|text| serde_json::from_str(text).ok()).or_else(first) {
            Some(Value::Object(members)) => Self::of_members(&redacted(members, redaction)),
            None if body.starts_with(['{', '[']) => Self::CutOff,
            _ => Self::Other,
        }
    }

    fn of_members(members: &Map<String, Value>) -> Self {
        let has = |name| members.contains_key(name);
        let kind = text(members, "type").map(|kind| kind.to_ascii_uppercase());
        match (members.get("error"), kind) {
            _ if has("access_token") => Self::Grant(text(members, "scope")),
            (Some(Value::String(error)), _) => Self::OAuth {
                error: error.clone(),
                description: text(members, "error_description").unwrap_or_default(),
            },
            (Some(Value::Object(error)), Some(kind)) => {
                let reasons = ["title", "details", "detail"].iter().filter_map(|name| text(error, name));
                Self::Message { kind, reason: Some(reasons.collect::<Vec<_>>().join(": ")) }
            }
            (Some(Value::Object(error)), None) => Self::Agents {
                code: text(error, "code").unwrap_or_default(),
                message: text(error, "message").unwrap_or_default(),
                fix: text(error, "howToFix"),
                request: text(error, "requestId"),
            },
            _ if has("detail") || has("requestid") => Self::Problem(ErrorResponse::of(members)),
            (_, Some(kind)) => Self::Message { kind, reason: text(members, "reason") },
            _ => Self::Other,
        }
    }

    /// The kind in words.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Grant(_) => "a granted token",
            Self::OAuth { .. } => "an OAuth error",
            Self::Problem(_) => "an error of the v2 API",
            Self::Agents { .. } => "an error of the agents API",
            Self::Message { .. } => "a message of a WebSocket",
            Self::Html => "an HTML page",
            Self::Empty => "an empty body",
            Self::CutOff => "JSON that ends too early",
            Self::Other => "not JSON or HTML I recognise",
        }
    }

    /// The id of the request at the server.
    pub(super) fn request_id(&self) -> Option<&str> {
        match self {
            Self::Problem(ErrorResponse { request_id: id, .. }) | Self::Agents { request: id, .. } => {
                id.as_deref()
            }
            _ => None,
        }
    }

    /// The server's own words.
    pub(super) fn words(&self) -> Option<String> {
        match self {
            Self::OAuth { error, description } if description.is_empty() => Some(error.clone()),
            Self::OAuth { error, description } => Some(format!("{error}: {description}")),
            Self::Problem(ErrorResponse { kind, detail, fields, .. }) => {
                let head = detail.clone().filter(|detail| !detail.is_empty()).or_else(|| kind.clone());
                Some([&[head.unwrap_or_default()], fields.as_slice()].concat().join("; "))
            }
            Self::Agents { code, message, .. } => Some(format!("{code}: {message}")),
            Self::Message { kind, reason: Some(reason) } => Some(format!("{kind}: {reason}")),
            Self::Message { kind, reason: None } => Some(kind.clone()),
            _ => None,
        }
    }
}

/// `<!`, `<?` or an element; `< ` is the mark of a WebSocket client.
fn is_markup(body: &str) -> bool {
    let next = body.strip_prefix('<').and_then(|rest| rest.chars().next());
    next.is_some_and(|next| next.is_ascii_alphabetic() || "!?".contains(next))
}

/// The same members without secrets in names and texts.
fn redacted(members: Map<String, Value>, redaction: &Redaction) -> Map<String, Value> {
    fn value(given: Value, redaction: &Redaction) -> Value {
        match given {
            Value::String(text) => redaction.apply(&text).into(),
            Value::Array(list) => list.into_iter().map(|one| value(one, redaction)).collect(),
            Value::Object(members) => redacted(members, redaction).into(),
            other => other,
        }
    }
    let members = members.into_iter();
    members.map(|(name, given)| (redaction.apply(&name), value(given, redaction))).collect()
}

fn text(members: &Map<String, Value>, name: &str) -> Option<String> {
    members.get(name).and_then(Value::as_str).map(str::to_owned)
}

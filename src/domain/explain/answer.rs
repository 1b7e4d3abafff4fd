//! Recognises the answers of Corti's servers by their members. Only the members of an error are kept, without secrets,
//! because a body may hold a token or patient data.

use serde_json::{Deserializer, Map, Value};

use crate::domain::corti::problem::ErrorResponse;
use crate::domain::corti::request::{CUT_OFF_JSON, EMPTY_BODY, HTML_PAGE};
use crate::domain::text::redactor::{Redactor, map_json};

use super::redaction::redact;
use super::saved_exchange::SavedExchange;

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnswerKind {
    /// The token endpoint granted a token.
    Grant,
    /// An OAuth error (RFC 6749, section 5.2).
    OAuth,
    /// An error of the v2 API.
    Problem,
    /// An error of the agents API (`CommonErrorResponse`).
    Agents,
    /// A message of a WebSocket.
    Message,
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
    /// The kind in words.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "a granted token",
            Self::OAuth => "an OAuth error",
            Self::Problem => "an error of the v2 API",
            Self::Agents => "an error of the agents API",
            Self::Message => "a message of a WebSocket",
            Self::Html => HTML_PAGE,
            Self::Empty => EMPTY_BODY,
            Self::CutOff => CUT_OFF_JSON,
            Self::Other => "not JSON or HTML I recognise",
        }
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) kind: AnswerKind,
    /// The `scope` of a grant, the `error` of OAuth, the `type` of a v2 error or (in capitals) of a WebSocket's message.
    pub(super) code: String,
    /// The server's own words.
    pub(super) words: Option<String>,
    /// The `status` in a v2 error.
    pub(super) status: Option<u16>,
    /// The id of the request at the server.
    pub(super) request_id: Option<String>,
    /// The `howToFix` of the agents API.
    pub(super) advice: Option<String>,
}

impl From<AnswerKind> for Answer {
    fn from(kind: AnswerKind) -> Self {
        Self { kind, code: String::new(), words: None, status: None, request_id: None, advice: None }
    }
}

impl Answer {
    /// Reads the body of `exchange`.
    pub(super) fn of(exchange: &SavedExchange, known: &Redactor) -> Self {
        let body = exchange.body.trim();
        if body.is_empty() {
            return AnswerKind::Empty.into();
        }
        let is_html = exchange.header("content-type").is_some_and(|kind| kind.contains("html"));
        if is_html || is_markup(body) {
            return AnswerKind::Html.into();
        }
        // The whole body, or the last of several messages behind a client's mark (`< {…}`).
        let last = body.lines().next_back().unwrap_or_default();
        let last = last.find('{').and_then(|start| last.get(start..)).unwrap_or_default();
        // Or a body that a remark of curl follows on the same line.
        let first = || Deserializer::from_str(body).into_iter().next()?.ok();
        let json = [body, last].iter().find_map(|text| serde_json::from_str(text).ok()).or_else(first);
        let clean = |text: &str| redact(text, known);
        match json.map(|json| map_json(json, &clean, &clean)) {
            Some(Value::Object(members)) => Self::of_members(&members),
            None if body.starts_with(['{', '[']) => AnswerKind::CutOff.into(),
            _ => AnswerKind::Other.into(),
        }
    }

    fn of_members(members: &Map<String, Value>) -> Self {
        let has = |name| members.contains_key(name);
        let kind = text(members, "type").map(|kind| kind.to_ascii_uppercase());
        let message = |kind: String, object, names: &[&str]| {
            let texts = names.iter().map(|name| text(object, name));
            let words = joined([Some(kind.clone())].into_iter().chain(texts));
            Self { code: kind, words: Some(words), ..AnswerKind::Message.into() }
        };
        match (members.get("error"), kind) {
            _ if has("access_token") => {
                Self { code: text(members, "scope").unwrap_or_default(), ..AnswerKind::Grant.into() }
            }
            (Some(Value::String(error)), _) => Self {
                code: error.clone(),
                words: Some(joined([Some(error.clone()), text(members, "error_description")])),
                ..AnswerKind::OAuth.into()
            },
            (Some(Value::Object(error)), Some(kind)) => message(kind, error, &["title", "details", "detail"]),
            (Some(Value::Object(error)), None) => Self {
                words: Some(joined([text(error, "code"), text(error, "message")])),
                advice: text(error, "howToFix"),
                request_id: text(error, "requestId"),
                ..AnswerKind::Agents.into()
            },
            _ if has("detail") || has("requestid") => {
                let ErrorResponse { status, kind, detail, fields, request_id } = ErrorResponse::of(members);
                let code = kind.clone().unwrap_or_default();
                let first = detail.filter(|detail| !detail.is_empty()).or(kind);
                let words = first.into_iter().chain(fields).collect::<Vec<_>>().join("; ");
                Self { code, words: Some(words), status, request_id, ..AnswerKind::Problem.into() }
            }
            (_, Some(kind)) => message(kind, members, &["reason"]),
            _ => AnswerKind::Other.into(),
        }
    }
}

/// `<!`, `<?` or an element; `< ` is the mark of a WebSocket client.
fn is_markup(body: &str) -> bool {
    let next = body.strip_prefix('<').and_then(|rest| rest.chars().next());
    next.is_some_and(|next| next.is_ascii_alphabetic() || "!?".contains(next))
}

fn text(members: &Map<String, Value>, name: &str) -> Option<String> {
    members.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// The texts that are not empty, with colons between them.
fn joined(texts: impl IntoIterator<Item = Option<String>>) -> String {
    let texts: Vec<String> = texts.into_iter().flatten().filter(|text| !text.is_empty()).collect();
    texts.join(": ")
}

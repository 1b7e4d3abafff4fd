//! The shapes that Corti's answers have, by their members. Of a body only the members of an error go on, without
//! secrets: it may hold a token, and what is known of a patient.

use serde_json::{Deserializer, Map, Value};

use crate::domain::corti::problem::ErrorResponse;

use super::exchange::Exchange;
use super::redaction::Redaction;

/// What an answer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The token endpoint granted a token, with these scopes.
    Grant(Option<String>),
    /// An OAuth error (RFC 6749, section 5.2): `error` and `error_description`.
    OAuth {
        /// The code.
        error: String,
        /// The sentence, or nothing.
        description: String,
    },
    /// An error of the v2 API.
    Problem(ErrorResponse),
    /// `CommonErrorResponse` of the agents API: `code`, `message` and `howToFix`.
    Agents {
        /// The code, in capitals.
        code: String,
        /// The sentence.
        message: String,
        /// What the server advises.
        fix: Option<String>,
        /// `requestId`, which Corti's support asks for.
        request: Option<String>,
    },
    /// A message of a WebSocket, by its type in capitals, and its reason.
    Frame {
        /// The type, in capitals whatever the WebSocket's own spelling.
        kind: String,
        /// The reason, where one is given.
        reason: Option<String>,
    },
    /// A page, which no API of Corti's sends.
    Html,
    /// Nothing.
    Empty,
    /// A JSON text that breaks off.
    Broken,
    /// Anything else.
    Other,
}

impl Shape {
    /// What the body of `exchange` is.
    pub(super) fn of(exchange: &Exchange, redaction: &Redaction) -> Self {
        let body = exchange.body.trim();
        if body.is_empty() {
            return Self::Empty;
        }
        let is_html = exchange.header("content-type").is_some_and(|kind| kind.contains("html"));
        if is_html || is_markup(body) {
            return Self::Html;
        }
        // A whole body, or the last of several frames, as WebSocket clients print them: after a mark of their own.
        let last = body.lines().next_back().unwrap_or_default();
        let last = last.find('{').and_then(|start| last.get(start..)).unwrap_or_default();
        // Or a body with a remark of curl's right behind it.
        let first = || Deserializer::from_str(body).into_iter().next()?.ok();
        match [body, last].iter().find_map(|text| serde_json::from_str(text).ok()).or_else(first) {
            Some(Value::Object(members)) => Members { members: &members, redaction }.shape(),
            None if body.starts_with(['{', '[']) => Self::Broken,
            _ => Self::Other,
        }
    }

    /// The shape in words.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Grant(_) => "a granted token",
            Self::OAuth { .. } => "an OAuth error",
            Self::Problem(_) => "an error of the v2 API",
            Self::Agents { .. } => "an error of the agents API",
            Self::Frame { .. } => "a message of a WebSocket",
            Self::Html => "an HTML page",
            Self::Empty => "an empty body",
            Self::Broken => "a broken or cut-off JSON text",
            Self::Other => "a body of another kind",
        }
    }

    /// The id that the server gave the request.
    pub(super) fn request(&self) -> Option<&str> {
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
            Self::Frame { kind, reason: Some(reason) } => Some(format!("{kind}: {reason}")),
            Self::Frame { kind, reason: None } => Some(kind.clone()),
            _ => None,
        }
    }
}

/// `<!`, `<?` or an element: other marks before a message are a client's.
fn is_markup(body: &str) -> bool {
    let next = body.strip_prefix('<').and_then(|rest| rest.chars().next());
    next.is_some_and(|next| next.is_ascii_alphabetic() || "!?".contains(next))
}

struct Members<'a> {
    members: &'a Map<String, Value>,
    redaction: &'a Redaction,
}

impl Members<'_> {
    fn shape(&self) -> Shape {
        let has = |name| self.members.contains_key(name);
        let kind = self.text("type");
        match (self.members.get("error"), kind) {
            _ if has("access_token") => Shape::Grant(self.text("scope")),
            (Some(Value::String(_)), _) => Shape::OAuth {
                error: self.text("error").unwrap_or_default(),
                description: self.text("error_description").unwrap_or_default(),
            },
            (Some(Value::Object(error)), Some(kind)) => {
                let error = Members { members: error, redaction: self.redaction };
                let reasons = ["title", "details", "detail"].iter().filter_map(|name| error.text(name));
                let reason = reasons.collect::<Vec<_>>().join(": ");
                Shape::Frame { kind: kind.to_ascii_uppercase(), reason: Some(reason) }
            }
            (Some(Value::Object(error)), None) => {
                let error = Members { members: error, redaction: self.redaction };
                Shape::Agents {
                    code: error.text("code").unwrap_or_default(),
                    message: error.text("message").unwrap_or_default(),
                    fix: error.text("howToFix"),
                    request: error.text("requestId"),
                }
            }
            _ if has("detail") || has("requestid") => {
                Shape::Problem(ErrorResponse::of(self.members).map(|text| self.redaction.apply(text)))
            }
            (_, Some(kind)) => Shape::Frame { kind: kind.to_ascii_uppercase(), reason: self.text("reason") },
            _ => Shape::Other,
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        self.members.get(name).and_then(Value::as_str).map(|text| self.redaction.apply(text))
    }
}

/// What `WWW-Authenticate` says of a refused token (RFC 6750, section 3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) error: Option<String>,
    pub(super) description: Option<String>,
}

impl Challenge {
    /// Reads the challenge of the scheme `Bearer`; other schemes' say nothing of a token. Values stand in quotes or not (RFC
    /// 9110, section 11.2).
    pub(super) fn read(header: &str, redaction: &Redaction) -> Option<Self> {
        let (_, parameters) = split_scheme(header)?;
        let value = |name: &str| {
            let start = |found: usize| {
                let before = parameters.get(..found)?;
                let follows = before.trim_end();
                (follows.is_empty() || follows.ends_with(',')).then_some(found + name.len())
            };
            let after = parameters.match_indices(name).find_map(|(found, _)| start(found))?;
            let rest = parameters.get(after..)?.trim_start().strip_prefix('=')?.trim_start();
            let text = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next(),
                None => rest.split([',', ' ']).next(),
            };
            Some(redaction.apply(text.unwrap_or_default()))
        };
        Some(Self { error: value("error"), description: value("error_description") })
    }
}

/// The scheme `Bearer` and what follows it: alone, or behind another challenge's comma.
fn split_scheme(header: &str) -> Option<(&str, &str)> {
    let lower = header.to_ascii_lowercase();
    let is_scheme = |found: usize| {
        let before = header.get(..found).unwrap_or_default().trim_end();
        let after = header.get(found + "bearer".len()..).unwrap_or_default();
        (before.is_empty() || before.ends_with(',')) && (after.is_empty() || after.starts_with(' '))
    };
    let start = lower.match_indices("bearer").map(|(found, _)| found).find(|found| is_scheme(*found))?;
    header.split_at_checked(start + "bearer".len())
}

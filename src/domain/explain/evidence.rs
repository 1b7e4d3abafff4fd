//! What is known of a failure: a status, a saved answer, the token that was used, the configured client.

use jiff::Timestamp;

use crate::domain::client::environment::Environment;
use crate::domain::client::identity::{ClientId, Tenant};
use crate::domain::client::secret::Secret;
use crate::domain::corti::challenge::{Challenge, challenges};
use crate::domain::text::redactor::Redactor;
use crate::domain::token::inspection::Inspection;
use crate::domain::token::jwt::{Jwt, LastHeader};
use crate::domain::token::pasted;
use crate::domain::token::scope::LIMITED;

use super::answer::{Answer, AnswerKind};
use super::redaction::redact;
use super::saved_exchange::{BearerForm, SavedExchange, SavedRequest, bare_address};

/// An environment and a tenant.
pub type Place = (Environment, Tenant);

/// Words, in lower case, with which an API says why it refuses. An answer without any of them gives no reason.
const REASONS: [&str; 12] = [
    "expired",
    "not active",
    "bearer",
    "malformed",
    "access token",
    "signature",
    "key of the token",
    "issuer",
    "scope",
    "tenant",
    "interaction",
    "path",
];

/// The known schemes of proxies. Other words of a challenge are not shown.
const PROXY_SCHEMES: [&str; 5] = ["Basic", "Digest", "NTLM", "Negotiate", "Bearer"];

/// The configuration, as far as there is one.
#[derive(Clone, Debug, Default)]
pub struct Configured {
    /// The environment and the tenant.
    pub place: Option<Place>,
    /// The client.
    pub client: Option<ClientId>,
}

/// The token that was used.
#[derive(Debug)]
pub struct UsedToken {
    /// The token alone.
    pub secret: Secret,
    /// How it was written.
    pub form: BearerForm,
    /// Its claims; nothing of them is verified. `None` where it is no JWT.
    pub inspection: Option<Inspection>,
}

impl UsedToken {
    /// Finds a token in a text, which may hold more than the token. Without one it is the text itself.
    pub fn read(text: &str, now: Timestamp) -> Self {
        if let Ok(found) = pasted::only(text) {
            return Self::new(text, &found.token, now);
        }
        let value = value(text);
        let token = value.rsplit(char::is_whitespace).next().unwrap_or_default();
        Self::new(text, token.trim_matches(['"', '\'']), now)
    }

    /// A token that was found in this text.
    pub fn new(text: &str, token: &str, now: Timestamp) -> Self {
        let jwt = Jwt::decode_after(token, &mut LastHeader::default());
        let inspection = jwt.map(|jwt| Inspection::of(&jwt, now)).ok();
        Self { secret: Secret::new(token.to_owned()), form: BearerForm::of(value(text)), inspection }
    }
}

/// The value of an `Authorization` header, which shows how the token was sent; the whole text without one.
fn value(text: &str) -> &str {
    let name = "authorization";
    let at = text.to_ascii_lowercase().find(name);
    let rest = at.and_then(|at| text.get(at + name.len()..)).unwrap_or_default();
    // In a program's source a quote is before the colon: `'Authorization': 'Bearer …'`.
    let value = rest.trim_start_matches(['"', '\'', '`', ' ']).strip_prefix([':', '=']);
    value.unwrap_or(text).trim()
}

/// The known schemes of `Proxy-Authenticate`; `None` where that header is missing.
fn proxy_schemes(exchange: &SavedExchange) -> Option<Vec<&'static str>> {
    exchange.header("proxy-authenticate")?;
    let headers = exchange.each_header("proxy-authenticate");
    let asked: Vec<_> = headers.flat_map(challenges).map(|it| it.scheme).collect();
    let is_asked = |scheme: &&str| asked.iter().any(|it| it.eq_ignore_ascii_case(scheme));
    Some(PROXY_SCHEMES.into_iter().filter(is_asked).collect())
}

/// All that is known of a failure.
#[derive(Debug)]
pub struct Evidence {
    /// The HTTP status, or the close code of a WebSocket.
    pub status: Option<u16>,
    pub(super) request: Option<SavedRequest>,
    pub(super) answer: Answer,
    pub(super) challenge: Option<Challenge>,
    pub(super) retry_after: Option<String>,
    /// The schemes that a proxy asks for, where one asks.
    pub(super) proxy: Option<Vec<&'static str>>,
    /// The target of a redirect, without the parts that may hold a secret.
    pub(super) location: Option<String>,
    /// The server's clock at the answer.
    pub(super) date: Option<Timestamp>,
    /// The token that was used.
    pub token: Option<UsedToken>,
    pub(super) configured: Configured,
    pub(super) now: Timestamp,
    /// The server's own words, in the body or in a challenge.
    pub(super) words: Option<String>,
}

impl Evidence {
    /// The status of the saved exchange comes before `status`, and that before the one in the body. `secret` is the
    /// client's: it is cut out where the answer repeats it.
    pub fn new(
        status: Option<u16>,
        exchange: &SavedExchange,
        token: Option<UsedToken>,
        configured: Configured,
        secret: Option<&Secret>,
        now: Timestamp,
    ) -> Self {
        let used = token.as_ref().map(|token| &token.secret);
        let known: Redactor = used.into_iter().chain(secret).chain(&exchange.credentials).collect();
        let redacted = |text: &str| redact(text, &known);
        let date = exchange.header("date").and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
        let challenge = exchange.each_header("www-authenticate").find_map(Challenge::read);
        let challenged = challenge.as_ref().and_then(Challenge::reason).map(redacted);
        let answer = Answer::of(exchange, &known);
        Self {
            status: exchange.status.or(status).or(answer.status),
            request: exchange.request.clone().map(|request| SavedRequest {
                path: redacted(&request.path),
                tenant: request.tenant.as_deref().map(redacted),
                ..request
            }),
            words: challenged.or_else(|| answer.words.clone()),
            answer,
            challenge,
            retry_after: exchange.header("retry-after").map(redacted),
            proxy: proxy_schemes(exchange),
            location: exchange.header("location").map(|text| redacted(&bare_address(text))),
            date: date.map(|date| date.timestamp()),
            token,
            configured,
            now,
        }
    }

    /// The kind of the answer, if there was one.
    pub fn answer(&self) -> Option<&'static str> {
        let is_answered = !self.is(AnswerKind::Empty) || self.challenge.is_some();
        is_answered.then(|| self.answer.kind.as_str())
    }

    /// The id that the server gave the request, for Corti's support.
    pub fn request_id(&self) -> Option<&str> {
        self.answer.request_id.as_deref()
    }

    pub(super) fn is_status(&self, statuses: &[u16]) -> bool {
        self.status.is_some_and(|status| statuses.contains(&status))
    }

    pub(super) fn is_server_error(&self) -> bool {
        self.status.is_some_and(|status| (500..600).contains(&status))
    }

    /// Whether the status is one of these, and the server gives no reason.
    pub(super) fn has_only_status(&self, statuses: &[u16]) -> bool {
        let has_reason = self.says(&REASONS) || !self.is_from_an_api();
        self.is_status(statuses) && !(self.words.is_some() && has_reason)
    }

    /// Whether one of `parts`, which are in lower case, is in the server's words.
    pub(super) fn says(&self, parts: &[&str]) -> bool {
        let words = self.words.as_deref().unwrap_or_default().to_lowercase();
        parts.iter().any(|part| words.contains(part))
    }

    /// Whether the answer is of this kind.
    pub(super) fn is(&self, kind: AnswerKind) -> bool {
        self.answer.kind == kind
    }

    /// Whether the answer is of this kind, with one of these codes.
    pub(super) fn has_code(&self, kind: AnswerKind, codes: &[&str]) -> bool {
        self.is(kind) && codes.contains(&self.answer.code.as_str())
    }

    /// Whether a token may have been refused, and not a client at the token endpoint.
    pub(super) fn refuses_a_token(&self) -> bool {
        self.is_status(&[401, 403]) && self.is_from_an_api()
    }

    /// Whether a token may have been refused, or only a token is known.
    pub(super) fn concerns_a_token(&self) -> bool {
        self.refuses_a_token() || (self.status.is_none() && self.is(AnswerKind::Empty))
    }

    /// Whether an API answered, and not the token endpoint. An API may answer with the OAuth errors of RFC 6750, section 3.1.
    pub(super) fn is_from_an_api(&self) -> bool {
        self.is(AnswerKind::Empty)
            || self.is(AnswerKind::Problem)
            || self.has_code(AnswerKind::OAuth, &["invalid_token", "insufficient_scope"])
    }

    /// The claims of the token, where it can be decoded.
    pub(super) fn claims(&self) -> Option<&Inspection> {
        self.token.as_ref()?.inspection.as_ref()
    }

    /// The last part of the path of a WebSocket: `transcribe` or `streams`, if it is right.
    pub(super) fn socket(&self) -> Option<&str> {
        let path = self.request.as_ref()?.path.trim_end_matches('/');
        path.contains("/audio-bridge/").then(|| path.rsplit('/').next().unwrap_or_default())
    }

    /// The WebSocket of the request, if it is one of Corti's.
    pub(super) fn known_socket(&self) -> Option<&str> {
        self.socket().filter(|name| LIMITED.contains(name))
    }
}

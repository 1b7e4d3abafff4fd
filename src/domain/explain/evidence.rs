//! Gathers what is known of a failure: a status, a saved answer, the token that was used, the configured client.

use jiff::Timestamp;

use crate::domain::client::environment::Environment;
use crate::domain::client::identity::{ClientId, Tenant};
use crate::domain::client::secret::Secret;
use crate::domain::text::redactor::Redactor;
use crate::domain::token::inspection::Inspection;

use super::answer_kind::AnswerKind;
use super::challenge::Challenge;
use super::redaction::Redaction;
use super::saved_exchange::{SavedExchange, SavedRequest, bare_address};
use super::used_token::UsedToken;

/// An environment and a tenant.
pub type Place = (Environment, Tenant);

/// Words, in lower case, by which a refusal of the API is told from others. A server without any of them leaves it open.
const TELLING: [&str; 12] = [
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

/// The configuration, as far as there is one.
#[derive(Clone, Debug, Default)]
pub struct Configured {
    /// The environment and the tenant.
    pub place: Option<Place>,
    /// The client.
    pub client: Option<ClientId>,
}

/// All that is known of a failure.
#[derive(Debug)]
pub struct Evidence {
    /// The HTTP status, or the close code of a WebSocket.
    pub status: Option<u16>,
    pub(super) request: Option<SavedRequest>,
    pub(super) answer: AnswerKind,
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
    words: Option<String>,
}

impl Evidence {
    /// Gathers it. The status of the saved exchange comes before `status`, and that before the one in the body. `secret` is
    /// the client's, to be cut out where the answer repeats it.
    pub fn new(
        status: Option<u16>,
        exchange: &SavedExchange,
        token: Option<UsedToken>,
        configured: Configured,
        secret: Option<&Secret>,
        now: Timestamp,
    ) -> Self {
        let known = token.as_ref().map(UsedToken::secret).into_iter().chain(secret);
        let redaction = Redaction { known: known.chain(&exchange.credentials).collect::<Redactor>() };
        let redacted = |text: &str| redaction.apply(text);
        let date = exchange.header("date").and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
        let challenge =
            exchange.each_header("www-authenticate").find_map(|header| Challenge::read(header, &redaction));
        let answer = AnswerKind::of(exchange, &redaction);
        let in_body = match &answer {
            AnswerKind::Problem(problem) => problem.status,
            _ => None,
        };
        let challenged =
            challenge.as_ref().and_then(|it| it.description.clone().or_else(|| it.error.clone()));
        Self {
            status: exchange.status.or(status).or(in_body),
            request: exchange.request.clone().map(|request| SavedRequest {
                path: redacted(&request.path),
                tenant: request.tenant.as_deref().map(redacted),
                ..request
            }),
            words: challenged.or_else(|| answer.words()),
            answer,
            challenge,
            retry_after: exchange.header("retry-after").map(redacted),
            proxy: exchange.proxy_schemes(),
            location: exchange.header("location").map(|text| redacted(&bare_address(text))),
            date: date.map(|date| date.timestamp()),
            token,
            configured,
            now,
        }
    }

    /// The kind of the answer, if there was one.
    pub fn answer(&self) -> Option<&'static str> {
        let is_answered = self.answer != AnswerKind::Empty || self.challenge.is_some();
        is_answered.then(|| self.answer.as_str())
    }

    /// The id that the server gave the request, for Corti's support.
    pub fn request_id(&self) -> Option<&str> {
        self.answer.request_id()
    }

    pub(super) fn is_status(&self, statuses: &[u16]) -> bool {
        self.status.is_some_and(|status| statuses.contains(&status))
    }

    pub(super) fn is_server_error(&self) -> bool {
        self.status.is_some_and(|status| (500..600).contains(&status))
    }

    /// Whether the status is one of these, and the server's words tell nothing more.
    pub(super) fn has_only_status(&self, statuses: &[u16]) -> bool {
        let is_told = self.says(&TELLING) || !self.is_of_a_resource();
        self.is_status(statuses) && !(self.words.is_some() && is_told)
    }

    /// The server's own words, in the body or in a challenge.
    pub(super) fn words(&self) -> Option<&str> {
        self.words.as_deref()
    }

    /// Whether one of `parts` (in lower case) is in the server's words.
    pub(super) fn says(&self, parts: &[&str]) -> bool {
        let words = self.words().unwrap_or_default().to_lowercase();
        parts.iter().any(|part| words.contains(part))
    }

    /// The type of an error of the v2 API.
    pub(super) fn problem(&self) -> Option<&str> {
        match &self.answer {
            AnswerKind::Problem(problem) => Some(problem.kind.as_deref().unwrap_or_default()),
            _ => None,
        }
    }

    /// The `error` of an OAuth error.
    pub(super) fn oauth_error(&self) -> Option<&str> {
        match &self.answer {
            AnswerKind::OAuth { error, .. } => Some(error),
            _ => None,
        }
    }

    /// The type of a WebSocket's message.
    pub(super) fn message(&self) -> Option<&str> {
        match &self.answer {
            AnswerKind::Message { kind, .. } => Some(kind),
            _ => None,
        }
    }

    /// Whether a token may have been refused, and not a client at the token endpoint.
    pub(super) fn refuses_a_token(&self) -> bool {
        self.is_status(&[401, 403]) && self.is_of_a_resource()
    }

    /// Whether it is about a token: one may have been refused, or nothing but a token is known.
    pub(super) fn concerns_a_token(&self) -> bool {
        self.refuses_a_token() || (self.status.is_none() && self.answer == AnswerKind::Empty)
    }

    /// Whether an API answered, and not the token endpoint. An API may answer with the OAuth errors of RFC 6750, section 3.1.
    pub(super) fn is_of_a_resource(&self) -> bool {
        match &self.answer {
            AnswerKind::Empty | AnswerKind::Problem(_) => true,
            AnswerKind::OAuth { error, .. } => {
                ["invalid_token", "insufficient_scope"].contains(&error.as_str())
            }
            _ => false,
        }
    }

    /// The claims of the token, where it can be decoded.
    pub(super) fn claims(&self) -> Option<&Inspection> {
        self.token.as_ref()?.inspection.as_ref()
    }

    /// The environment and the tenant that issued the token.
    pub(super) fn issued_by(&self) -> Option<&Place> {
        self.claims()?.place.as_ref()
    }

    /// The last part of the path of a WebSocket: `transcribe` or `streams`, if it is right.
    pub(super) fn socket(&self) -> Option<&str> {
        let path = self.request.as_ref()?.path.trim_end_matches('/');
        path.contains("/audio-bridge/").then(|| path.rsplit('/').next().unwrap_or_default())
    }

    /// The WebSocket of the request, if it is one of Corti's.
    pub(super) fn known_socket(&self) -> Option<&str> {
        self.socket().filter(|name| ["transcribe", "streams"].contains(name))
    }
}

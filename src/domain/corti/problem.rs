//! Reads the errors of the REST API and of a WebSocket's handshake, and other unexpected answers.
//!
//! v2 answers `{requestid, status, type, detail, validationErrors?}`, but 401 has no body: the reason is in
//! `WWW-Authenticate` (Corti's documentation, API reference, errors).

use std::fmt;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::domain::text::excerpt::quoted;

use super::challenge::Challenge;
use super::request::Response;

/// Shown if the server gives no reason.
const NO_REASON: &str = "no reason given";

/// Words of a 429 that no wait helps against, in lower case.
pub const CREDIT_WORDS: [&str; 3] = ["balance", "quota", "trial"];

/// Why the API refused. The texts are the server's: escape them before they are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The server's reason, with `field: reason` of each field that did not validate, or what the answer looks like.
    pub detail: String,
    /// `requestid`, for Corti's support.
    pub request_id: Option<String>,
}

/// The body of an error (`ErrorResponse` in Corti's API reference).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorResponse {
    /// The HTTP status.
    pub status: Option<u16>,
    /// The numbered type, such as `A0007`.
    pub kind: Option<String>,
    /// The sentence.
    pub detail: Option<String>,
    /// `field: reason` of each field that did not validate.
    pub fields: Vec<String>,
    /// `requestid`, for Corti's support.
    pub request_id: Option<String>,
}

impl Problem {
    /// Reads a response that is not 2xx.
    pub fn of(response: &Response) -> Self {
        let status = response.status;
        let plain = |detail: &str| Self { status, detail: detail.to_owned(), request_id: None };
        let mut headers = response.headers.iter().filter(|(name, _)| name == "www-authenticate");
        let challenge = headers.find_map(|(_, header)| Challenge::read(header));
        if let Some(reason) = challenge.as_ref().and_then(Challenge::reason) {
            return plain(reason);
        }
        let Ok(Value::Object(body)) = serde_json::from_slice(&response.body) else {
            return plain(if challenge.is_some() { NO_REASON } else { response.appearance() });
        };
        let ErrorResponse { kind, detail, fields, request_id, .. } = ErrorResponse::of(&body);
        let reason = detail.or(kind).unwrap_or_else(|| NO_REASON.to_owned());
        let detail = [&[reason], fields.as_slice()].concat().join("; ");
        Self { status, detail, request_id }
    }

    /// Whether the credits are used up, so that trying again does not help.
    pub fn is_out_of_credit(&self) -> bool {
        let detail = self.detail.to_lowercase();
        self.status == 429 && CREDIT_WORDS.iter().any(|word| detail.contains(word))
    }
}

impl ErrorResponse {
    /// Reads the members one by one, so that one of a wrong type does not hide the others.
    pub fn of(members: &Map<String, Value>) -> Self {
        let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
        let status = members.get("status").and_then(Value::as_u64);
        let errors = members.get("validationErrors").and_then(Value::as_array);
        let errors = errors.into_iter().flatten().filter_map(Value::as_object).flatten();
        let line =
            |(field, reason): (&String, &Value)| format!("{field}: {}", reason.as_str().unwrap_or_default());
        Self {
            status: status.and_then(|status| u16::try_from(status).ok()),
            kind: text("type"),
            detail: text("detail"),
            fields: errors.map(line).collect(),
            request_id: text("requestid"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the API refused the request with {}: {}", self.status, quoted(&self.detail))?;
        match &self.request_id {
            Some(id) => write!(f, " (request {})", quoted(id)),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// Why an answer is not the expected one.
#[derive(Clone, Debug, thiserror::Error)]
pub enum InteractionError {
    /// The API refused, with its reason.
    #[error(transparent)]
    Refused(#[from] Problem),
    /// 2xx, but not what the API documents.
    #[error("the answer from the interactions API is not an interaction: {status} with {what}")]
    NotTheProtocol {
        /// The HTTP status.
        status: u16,
        /// What the body looks like.
        what: &'static str,
    },
    /// 2xx, with a WebSocket URL that is not the new interaction's.
    #[error("the websocketUrl that the API returned has another {part} than `{expected}`")]
    OtherSocket {
        /// The interaction, which was created.
        id: Uuid,
        /// The part of the URL that differs. Only a host is repeated: the URL may hold a token.
        part: String,
        /// The URL of the interaction's `/streams`.
        expected: String,
    },
}

/// Passes a response on if it is 2xx.
pub(super) fn accepted(response: &Response) -> Result<&Response, InteractionError> {
    if response.is_success() { Ok(response) } else { Err(Problem::of(response).into()) }
}

/// The error of a 2xx response with another body than the API documents.
pub(super) fn unexpected(response: &Response) -> InteractionError {
    InteractionError::NotTheProtocol { status: response.status, what: response.appearance() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(status: u16, headers: &[(&str, &str)], body: &str) -> Problem {
        let headers = headers.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        Problem::of(&Response { status, headers, body: body.as_bytes().to_vec() })
    }

    #[test]
    fn a_v2_body_gives_its_reason_fields_and_request() {
        let body = r#"{"requestid":"r1","status":400,"type":"A0003","detail":"bad request",
                       "validationErrors":[{"encounter.type":"unknown value"}]}"#;
        assert_eq!(
            problem(400, &[], body).to_string(),
            "the API refused the request with 400: bad request; encounter.type: unknown value (request r1)"
        );
    }

    #[test]
    fn one_odd_field_does_not_cost_the_others() {
        let body = r#"{"requestid":7,"detail":"bad request","validationErrors":{"a":"b"}}"#;
        assert_eq!(problem(400, &[], body).to_string(), "the API refused the request with 400: bad request");
    }

    #[test]
    fn a_401_has_its_reason_in_its_header() {
        for (challenge, reason) in [
            (r#"Bearer error="invalid_token", error_description="The token expired""#, "The token expired"),
            (r#"Bearer realm="base", error="invalid_token""#, "invalid_token"),
            (r#"Bearer realm="base""#, "no reason given"),
            ("Negotiate", "an empty body"),
        ] {
            assert_eq!(problem(401, &[("www-authenticate", challenge)], "").detail, reason, "{challenge}");
        }
    }

    #[test]
    fn anything_else_is_described() {
        assert_eq!(problem(502, &[], "<html>").detail, "an HTML page");
        assert_eq!(problem(403, &[], "").detail, "an empty body");
    }
}

//! Says what a text without a token looks like.

use serde_json::Value;

use crate::domain::token::jwt::{Jwt, JwtError};

/// Why no token is taken out of a text. No variant contains any of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoToken {
    /// Something that looks like a token, and is none.
    #[error(transparent)]
    Unreadable(#[from] JwtError),
    /// Several different tokens.
    #[error("{0} different tokens")]
    Several(usize),
    /// The answer of a token endpoint that grants nothing.
    #[error("no token: this is an OAuth error")]
    OAuthError,
    /// Bytes that are no text.
    #[error("no token: this is not text")]
    Binary,
    /// A page for people.
    #[error("no token: this is an HTML page")]
    Html,
    /// JSON without a token.
    #[error("no token in this JSON")]
    Json,
    /// Any other text.
    #[error("no token in this text")]
    Text,
}

impl NoToken {
    /// What the text looks like. `flaw` is what is wrong with the first thing in it that looks like a token.
    pub(super) fn of(text: &str, flaw: Option<JwtError>) -> Self {
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        if let Some(flaw) = flaw {
            // Of a token alone more can be told.
            let is_alone = text.starts_with("eyJ") && !text.contains(|c: char| c.is_whitespace() || c == '…');
            let alone = Some(text).filter(|_| is_alone).and_then(|text| Jwt::decode(text).err());
            let is_more = |error: &JwtError| {
                matches!(error, JwtError::Encoding(_) | JwtError::Json(_) | JwtError::Encrypted)
            };
            return alone.filter(is_more).unwrap_or(flaw).into();
        }
        if text.contains('\u{fffd}') {
            return Self::Binary;
        }
        let json: Option<Value> =
            text.find(['{', '[']).and_then(|at| serde_json::from_str(text.get(at..)?).ok());
        let is_error = json.as_ref().is_some_and(|json| json.get("error").is_some_and(Value::is_string));
        if is_error || text.contains("error_description") {
            return Self::OAuthError;
        }
        let lowered = text.get(..text.len().min(4096)).unwrap_or(text).to_ascii_lowercase();
        if lowered.contains("<html") || lowered.contains("<!doctype html") {
            return Self::Html;
        }
        if json.is_some() {
            return Self::Json;
        }
        // A bearer token of another kind, or one whose beginning is missing.
        let after_bearer = lowered.rfind("bearer").and_then(|at| text.get(at + "bearer".len()..));
        let word = after_bearer.unwrap_or(text).trim_start_matches([' ', '\t', '"', '\'', '+', ':', '=']);
        let word = word.trim_end_matches(['"', '\'', ',', ';', '\n', '\r']);
        let is_word = !word.contains(|c: char| c.is_whitespace() || "<>{}".contains(c)) && !word.is_empty();
        match Jwt::decode(word) {
            Err(error @ JwtError::Empty) if text.is_empty() => error.into(),
            Err(JwtError::NotAToken) => Self::Text,
            Err(error) if is_word => error.into(),
            _ => Self::Text,
        }
    }
}

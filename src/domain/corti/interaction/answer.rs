//! Tells a successful answer of the interactions API from others.

use uuid::Uuid;

use crate::domain::corti::problem::Problem;
use crate::domain::corti::request::Response;

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

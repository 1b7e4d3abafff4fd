//! Failures of the network and of the API: no answer, or a refusal.

use uuid::Uuid;

use crate::domain::client::variable;
use crate::domain::corti::interaction::InteractionError;
use crate::domain::corti::problem::Problem;
use crate::domain::corti::websocket::SocketKind;
use crate::domain::text::excerpt::quoted;
use crate::edge::http_error::HttpError;
use crate::edge::socket::SocketError;

use super::{Failure, Kind};

/// For a host whose name has no address.
pub(super) const UNKNOWN_HOST: &str = "check the environment (eu or us) and the network: corti-auth doctor";

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let (kind, hint) = match problem.status {
            300..=399 => (Kind::Network, "redirects are not followed; check --environment"),
            401 => (
                Kind::Rejected,
                "is it expired, or for another environment? corti-auth token --full | corti-auth inspect",
            ),
            403 => (Kind::Rejected, "the REST API needs a full token of the same tenant: corti-auth status"),
            404 => (Kind::Refused, "check the id and the environment: corti-auth status"),
            409 => (Kind::Refused, "this identifier is in use; leave out --identifier to get a new one"),
            429 => (
                Kind::Unavailable,
                "wait and try again; the Corti Console shows whether the credits are used up",
            ),
            500.. => (Kind::Unavailable, "try again in a minute, or check https://status.corti.ai"),
            _ => (Kind::Refused, "corti-auth interaction create --help"),
        };
        Self::refusal(kind, problem).hint(hint)
    }
}

impl Failure {
    fn refusal(kind: Kind, problem: Problem) -> Self {
        let status = problem.status;
        Self::caused(kind, problem).status(status)
    }

    /// A refusal by the API of the token that a variable holds. Advice about minted tokens would not help.
    pub fn refused_ready_token(problem: Problem) -> Self {
        if problem.status != 401 {
            return problem.into();
        }
        let name = variable::ACCESS_TOKEN;
        Self::refusal(Kind::Rejected, problem)
            .hint(format!("is it expired, or for another environment? printenv {name} | corti-auth inspect"))
    }

    /// A refused upgrade to a WebSocket. `lacking` is the WebSocket whose scope the token lacks.
    pub fn upgrade(problem: Problem, lacking: Option<SocketKind>) -> Self {
        match (problem.status, lacking) {
            (401, _) => Self::refusal(Kind::Rejected, problem)
                .hint("is it expired, or for another environment? corti-auth inspect"),
            (403, Some(kind)) => Self::refusal(Kind::Scope, problem).hint(format!(
                "the token lacks the scope `{kind}`: corti-auth token --scope {kind}",
                kind = kind.as_str()
            )),
            (403, None) => Self::refusal(Kind::Rejected, problem)
                .hint("tenant-name must be the token's tenant, the interaction one of its client: corti-auth status"),
            (status @ 200..=299, _) => {
                let what = quoted(&problem.detail);
                Self::new(Kind::Network, format!("the server did not open a WebSocket: {status} with {what}"))
                    .status(status)
                    .hint("check the address, and whether a proxy blocks WebSockets")
            }
            _ => problem.into(),
        }
    }

    /// Whether the server may have done what was asked, because its answer is missing or cannot be used.
    pub fn is_of_a_lost_answer(&self) -> bool {
        let lost = matches!(
            self.source.downcast_ref(),
            Some(HttpError::TimedOut { .. } | HttpError::Broken { .. } | HttpError::TooLong(_))
        );
        let unusable = matches!(
            self.source.downcast_ref(),
            Some(InteractionError::NotTheProtocol { .. } | InteractionError::OtherSocket { .. })
        );
        lost || unusable
    }

    /// An interaction that was created with a WebSocket that must not be used, and the reason.
    pub fn unused_interaction(&self) -> Option<(Uuid, String)> {
        match self.source.downcast_ref() {
            Some(error @ InteractionError::OtherSocket { id, .. }) => Some((*id, error.to_string())),
            _ => None,
        }
    }
}

impl From<InteractionError> for Failure {
    fn from(error: InteractionError) -> Self {
        match error {
            InteractionError::Refused(problem) => problem.into(),
            InteractionError::NotTheProtocol { status, .. } => Self::caused(Kind::Network, error)
                .status(status)
                .hint("check --environment: corti-auth status"),
            InteractionError::OtherSocket { .. } => Self::caused(Kind::Network, error),
        }
    }
}

impl From<SocketError> for Failure {
    fn from(error: SocketError) -> Self {
        match error {
            SocketError::Refused(problem) => problem.into(),
            SocketError::Http(error) => error.into(),
            other => Self::caused(Kind::Network, other).hint("run it again with -v"),
        }
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        let (kind, hint) = match &error {
            HttpError::Certificates { .. } => {
                (Kind::Configuration, "give a file of PEM certificates: --ca-cert FILE, or SSL_CERT_FILE")
            }
            HttpError::Address(_) => (Kind::Configuration, "check --environment: corti-auth status"),
            HttpError::Dns(_) => (Kind::Network, UNKNOWN_HOST),
            HttpError::Connect { .. } => {
                (Kind::Network, "check the address, the proxy variables and, for TLS, --ca-cert FILE")
            }
            HttpError::Proxy { .. } => (Kind::Network, "corti-auth doctor"),
            HttpError::TimedOut { .. } => (Kind::Network, "give it longer: --timeout 60s"),
            HttpError::Broken { .. } | HttpError::TooLong(_) => {
                (Kind::Network, "run it again; if it keeps failing, check for a proxy in between")
            }
            HttpError::Client(_) => (Kind::Unexpected, "run it again with -v"),
        };
        Self::caused(kind, error).hint(hint)
    }
}

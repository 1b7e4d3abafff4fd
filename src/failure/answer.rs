//! Failures of the network and of the API: no answer, or one that refuses.

use uuid::Uuid;

use crate::domain::client::variable;
use crate::domain::corti::interaction::InteractionError;
use crate::domain::corti::problem::Problem;
use crate::domain::corti::websocket::SocketKind;
use crate::domain::text::quotation::quoted;
use crate::edge::http_error::HttpError;
use crate::edge::socket::SocketError;

use super::{Failure, Kind};

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let status = problem.status;
        let failure = match status {
            401 => Self::caused(Kind::Rejected, problem)
                .hint("the token may be expired, or of another environment: corti-auth token --full | corti-auth inspect"),
            403 => Self::caused(Kind::Rejected, problem)
                .hint("a limited token opens no REST API, and Tenant-Name must be the token's tenant: corti-auth status"),
            404 => Self::caused(Kind::Refused, problem).hint("check the id and the environment: corti-auth status"),
            409 => Self::caused(Kind::Refused, problem)
                .hint("an encounter identifier can be used once; leave --identifier out to get a fresh one"),
            429 => Self::caused(Kind::Unavailable, problem)
                .hint("wait and try again; 429 also means that the credits are used up: see the Corti Console"),
            500.. => Self::caused(Kind::Unavailable, problem)
                .hint("wait a little, then run it again; https://status.corti.ai shows outages"),
            300..=399 => Self::caused(Kind::Network, problem).hint("redirects are not followed; check --environment"),
            _ => Self::caused(Kind::Refused, problem)
                .hint("mend what it names; what can be said is in: corti-auth interaction create --help"),
        };
        failure.status(status)
    }
}

impl Failure {
    /// A refusal by the API of the ready token that a variable holds: what is minted says nothing about that one.
    pub fn refused_ready_token(problem: Problem) -> Self {
        let (status, name) = (problem.status, variable::ACCESS_TOKEN);
        if status != 401 {
            return problem.into();
        }
        let hint = format!(
            "the token in {name} may be expired, or of another environment: printenv {name} | corti-auth inspect"
        );
        Self::caused(Kind::Rejected, problem).hint(hint).status(status)
    }

    /// A WebSocket's upgrade that was refused. `lacking` is the WebSocket where the token has not got its scope.
    pub fn upgrade(problem: Problem, lacking: Option<SocketKind>) -> Self {
        let status = problem.status;
        let failure = match (status, lacking.map(SocketKind::as_str)) {
            (403, Some(scope)) => Self::caused(Kind::Scope, problem)
                .hint(format!("the token has not got the scope `{scope}`: corti-auth token --scope {scope}")),
            (401, _) => Self::caused(Kind::Rejected, problem).hint(
                "the token may be expired, of another environment, or written wrongly: read it with corti-auth inspect",
            ),
            (403, None) => Self::caused(Kind::Rejected, problem).hint(
                "tenant-name must be the token's tenant, and the interaction one of the token's client: corti-auth status",
            ),
            (200..=299, _) => {
                let message = format!("the server did not open a WebSocket: {status} with {}", quoted(&problem.detail));
                Self::new(Kind::Network, message).hint("check the address, and for a proxy in between that knows no WebSockets")
            }
            _ => return problem.into(),
        };
        failure.status(status)
    }
}

impl Failure {
    /// Whether there is no answer that can be used, so that what was asked for may have been done.
    pub fn is_of_a_lost_answer(&self) -> bool {
        let on_the_way = matches!(
            self.source.downcast_ref(),
            Some(HttpError::TimedOut { .. } | HttpError::Broken { .. } | HttpError::TooLong(_))
        );
        let unreadable = matches!(
            self.source.downcast_ref(),
            Some(InteractionError::NotTheProtocol { .. } | InteractionError::OtherSocket { .. })
        );
        on_the_way || unreadable
    }

    /// The interaction that was created though its WebSocket is not to be used, and why not.
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
        if let HttpError::Proxy { proxy, .. } = &error {
            let hint = format!("mend the proxy of {}, then: corti-auth doctor", proxy.variable);
            return Self::caused(Kind::Network, error).hint(hint);
        }
        let (kind, hint) = match &error {
            HttpError::Certificates { .. } => {
                (Kind::Configuration, "name a file of PEM certificates: --ca-cert FILE, or SSL_CERT_FILE")
            }
            HttpError::Address(_) => (Kind::Configuration, "check --environment: corti-auth status"),
            HttpError::Dns(_) => (
                Kind::Network,
                "check the environment (Corti has eu and us) and the network: corti-auth doctor --environment eu",
            ),
            HttpError::Connect { .. } | HttpError::ConnectTimedOut { .. } => {
                (Kind::Network, "check the address, the proxy variables and, for TLS, --ca-cert FILE")
            }
            HttpError::TimedOut { .. } => {
                (Kind::Network, "give it longer (--timeout 60s), or check the network")
            }
            HttpError::Broken { .. } | HttpError::TooLong(_) => {
                (Kind::Network, "run it again; if it stays so, look for a proxy in between")
            }
            HttpError::Client(_) | HttpError::Proxy { .. } => (Kind::Unexpected, "run it again with -v"),
        };
        Self::caused(kind, error).hint(hint)
    }
}

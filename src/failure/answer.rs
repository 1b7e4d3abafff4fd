//! Failures of the network, the API and a realm: no answer, a refusal, or an unexpected answer.

use uuid::Uuid;

use crate::domain::client::identity::{TENANT_HINT, Tenant};
use crate::domain::corti::interaction::InteractionError;
use crate::domain::corti::problem::Problem;
use crate::domain::corti::websocket::SocketKind;
use crate::domain::explain::discovery::RealmError;
use crate::domain::text::excerpt::quoted;
use crate::edge::connectivity::ReachError;
use crate::edge::http_error::HttpError;
use crate::edge::socket::SocketError;

use super::{Failure, Kind};

/// The hint for a refused token.
const REFUSED_TOKEN: &str = "the token may have expired, or be for another environment";

/// The hint for a server that is busy or broken.
pub(super) const TRY_LATER: &str = "try again in a minute, or check https://status.corti.ai";

/// The hint for an unknown tenant.
pub(super) fn other_tenant(tenant: &Tenant) -> &'static str {
    if *tenant == Tenant::default() {
        "`base` is the default tenant, so check the environment: corti-auth doctor"
    } else {
        TENANT_HINT
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        use Kind::{Network, Refused, Rejected, Unavailable};
        let (kind, hint) = match problem.status {
            300..=399 => (Network, "redirects are not followed; check --environment"),
            401 => return Self::refusal(Rejected, problem).hint(REFUSED_TOKEN).hint("corti-auth status"),
            403 => {
                return Self::refusal(Rejected, problem)
                    .hint("use a full token of the tenant that Tenant-Name names")
                    .hint("corti-auth status");
            }
            404 => (Refused, "check the id and the environment: corti-auth status"),
            409 => (Refused, "this identifier is in use; leave out --identifier to get a new one"),
            429 if problem.is_out_of_credit() => {
                (Unavailable, "check the balance in the Corti Console; trying again does not help")
            }
            429 => (Unavailable, "wait a moment, then run it again"),
            500.. => (Unavailable, TRY_LATER),
            _ => (Refused, "corti-auth interaction create --help"),
        };
        Self::refusal(kind, problem).hint(hint)
    }
}

impl Failure {
    fn refusal(kind: Kind, problem: Problem) -> Self {
        let status = problem.status;
        Self::caused(kind, problem).status(status)
    }

    /// The API refused a given token; `inspect` inspects it. Advice about minted tokens would not help.
    pub fn refused_given_token(problem: Problem, inspect: &str) -> Self {
        if problem.status != 401 {
            return problem.into();
        }
        Self::refusal(Kind::Rejected, problem).hint(REFUSED_TOKEN).hint(inspect)
    }

    /// The server refused to open a WebSocket. `lacking` is the scope that the token lacks.
    pub fn upgrade(problem: Problem, lacking: Option<SocketKind>) -> Self {
        match (problem.status, lacking) {
            (401, _) => Self::refusal(Kind::Rejected, problem).hint(REFUSED_TOKEN).hint("corti-auth inspect"),
            (403, Some(kind)) => Self::refusal(Kind::Scope, problem).hint(format!(
                "the token lacks the scope `{kind}`: corti-auth token {kind}",
                kind = kind.as_str()
            )),
            (403, None) => Self::refusal(Kind::Rejected, problem)
                .hint("the tenant-name must be the token's tenant")
                .hint("the interaction must belong to the token's client"),
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
    pub fn answer_was_lost(&self) -> bool {
        use HttpError::{Broken, TimedOut, TooLong};
        use InteractionError::{NotTheProtocol, OtherSocket};
        matches!(self.source.downcast_ref(), Some(TimedOut { .. } | Broken { .. } | TooLong(_)))
            || matches!(self.source.downcast_ref(), Some(NotTheProtocol { .. } | OtherSocket { .. }))
    }

    /// The id of an interaction that was created but has a wrong WebSocket URL, and the reason.
    pub fn interaction_with_wrong_url(&self) -> Option<(Uuid, String)> {
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
        use Kind::{Configuration, Network, Unexpected};
        let (kind, hint) = match &error {
            HttpError::Certificates { .. } => {
                (Configuration, "name a PEM file with --ca-cert FILE or SSL_CERT_FILE")
            }
            HttpError::Address(_) => (Configuration, "check --environment: corti-auth status"),
            HttpError::Dns(_) => {
                (Network, "check the environment (eu or us) and the network: corti-auth doctor")
            }
            HttpError::Connect { .. } => (Network, "check the address, proxy variables and --ca-cert FILE"),
            HttpError::Proxy { .. } => (Network, "corti-auth doctor"),
            HttpError::TimedOut { .. } => (Network, "allow more time: --timeout 60s"),
            HttpError::Broken { .. } | HttpError::TooLong(_) => {
                return Self::caused(Network, error)
                    .hint("run it again")
                    .hint("if it fails again: corti-auth doctor");
            }
            HttpError::Client(_) => (Unexpected, "run it again with -v"),
        };
        Self::caused(kind, error).hint(hint)
    }
}

impl From<ReachError> for Failure {
    fn from(error: ReachError) -> Self {
        let hint = match &error {
            // `doctor` and `probe` say this: no hint leads back to them.
            ReachError::Dns(..) => "check the environment (eu or us), the network and HTTPS_PROXY",
            ReachError::Connect { .. } => "check the address and the firewall, or set HTTPS_PROXY",
        };
        // The message already contains the source.
        Self::new(Kind::Network, error.to_string()).hint(hint)
    }
}

impl From<RealmError> for Failure {
    fn from(error: RealmError) -> Self {
        use Kind::{Configuration, Network, Unavailable};
        let (kind, hint) = match &error {
            RealmError::UnknownTenant(tenant) => (Configuration, other_tenant(tenant)),
            RealmError::OtherKeys(..) => (Configuration, "check the environment, or add --jwks FILE"),
            RealmError::OtherIssuer(..) | RealmError::OtherEndpoint(..) => {
                (Configuration, "no secret was sent; check environment and tenant: corti-auth status")
            }
            RealmError::Unavailable(_) => (Unavailable, TRY_LATER),
            RealmError::Redirect(_) | RealmError::NotTheProtocol { .. } => {
                (Network, "check --environment, and look for a proxy or a login page: corti-auth status")
            }
        };
        Self::caused(kind, error).hint(hint)
    }
}

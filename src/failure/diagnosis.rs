//! Failures that only `doctor` and `probe` tell apart: a host that cannot be reached, and a wrong realm.

use crate::domain::explain::discovery::RealmError;
use crate::edge::connectivity::ReachError;

use super::answer::UNKNOWN_HOST;
use super::credential::other_tenant;
use super::{Failure, Kind};

impl From<ReachError> for Failure {
    fn from(error: ReachError) -> Self {
        let hint = match &error {
            ReachError::Dns(_) => UNKNOWN_HOST,
            ReachError::Connect { .. } => "check the address and the firewall, or set HTTPS_PROXY",
        };
        // Without its source, which the message has already.
        Self::new(Kind::Network, error.to_string()).hint(hint)
    }
}

impl From<RealmError> for Failure {
    fn from(error: RealmError) -> Self {
        let (kind, hint) = match &error {
            RealmError::UnknownTenant(tenant) => (Kind::Configuration, other_tenant(tenant)),
            RealmError::OtherKeys { .. } => {
                (Kind::Configuration, "check the environment, or give the keys: --jwks FILE")
            }
            RealmError::OtherIssuer { .. } | RealmError::OtherEndpoint { .. } => {
                (Kind::Configuration, "no secret was sent; check environment and tenant: corti-auth status")
            }
            RealmError::Unavailable(_) => {
                (Kind::Unavailable, "try again in a minute, or check https://status.corti.ai")
            }
            RealmError::Redirect(_) | RealmError::NotTheProtocol { .. } => {
                (Kind::Network, "check --environment, and for a proxy or login page: corti-auth status")
            }
        };
        Self::caused(kind, error).hint(hint)
    }
}

//! Failures that only `doctor` tells apart: a host that is not reached, and a realm that is not the right one.

use crate::domain::explain::diagnosis::RealmError;
use crate::edge::connectivity::ReachError;

use super::credential::other_tenant;
use super::{Failure, Kind};

impl From<ReachError> for Failure {
    fn from(error: ReachError) -> Self {
        let hint = match &error {
            ReachError::Dns(_) => {
                "check the environment (Corti has eu and us) and the network: corti-auth doctor --environment eu"
            }
            ReachError::Connect { .. } => {
                "check the address and the firewall; a proxy is named by HTTPS_PROXY"
            }
            ReachError::DnsTimedOut(_) | ReachError::TimedOut { .. } => {
                "give it longer (--timeout 60s), or check the network; a proxy is named by HTTPS_PROXY"
            }
        };
        // Its cause stands in its own words already.
        Self::new(Kind::Network, error.to_string()).hint(hint)
    }
}

impl From<RealmError> for Failure {
    fn from(error: RealmError) -> Self {
        let (kind, hint) = match &error {
            RealmError::UnknownTenant(tenant) => (Kind::Configuration, other_tenant(tenant)),
            RealmError::OtherKeys { .. } => (
                Kind::Configuration,
                "no key is taken from there; check the environment, or name a file of keys: --jwks FILE",
            ),
            RealmError::OtherIssuer { .. } | RealmError::OtherEndpoint { .. } => (
                Kind::Configuration,
                "no secret is sent there; check the environment and the tenant: corti-auth status",
            ),
            RealmError::Unavailable(_) => {
                (Kind::Unavailable, "wait a little, then run it again; https://status.corti.ai shows outages")
            }
            RealmError::Redirect(_) | RealmError::NotTheProtocol { .. } => (
                Kind::Network,
                "check that --environment is Corti, and no proxy or login page in between: corti-auth status",
            ),
        };
        Self::caused(kind, error).hint(hint)
    }
}

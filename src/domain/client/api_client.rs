//! An API client of Corti's.

use super::environment::Environment;
use super::identity::{ClientId, Tenant};

/// An API client with its environment and tenant. A stored secret belongs to exactly one client and is used for no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The environment.
    pub environment: Environment,
    /// The tenant.
    pub tenant: Tenant,
    /// The client id.
    pub id: ClientId,
}

impl Client {
    /// The user of the keyring entry: `{environment}/{tenant}/{client-id}`. A `/` or `%` in the client id is
    /// percent-encoded, so no two clients share an entry.
    pub fn store_user(&self) -> String {
        let id = self.id.as_str().replace('%', "%25").replace('/', "%2F");
        format!("{}/{}/{id}", self.environment, self.tenant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn store_users_of_two_clients_differ() {
        let client = |environment: &str, tenant: &str, id: &str| Client {
            environment: environment.parse().unwrap(),
            tenant: tenant.parse().unwrap(),
            id: id.parse().unwrap(),
        };
        assert_eq!(client("eu", "base", "acme-dev").store_user(), "eu/base/acme-dev");
        let nested = client("https://h/a", "b", "c/d").store_user();
        assert_ne!(nested, client("https://h/a/b", "c", "d").store_user());
        assert_ne!(client("eu", "base", "a/b").store_user(), client("eu", "base", "a%2Fb").store_user());
    }
}

//! An API client: who asks for tokens.

use super::environment::Environment;
use super::identity::{ClientId, Tenant};

/// An API client where it lives. A stored secret belongs to exactly one of these and is never used for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Which Corti.
    pub environment: Environment,
    /// Which realm of it.
    pub tenant: Tenant,
    /// Which client of that.
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

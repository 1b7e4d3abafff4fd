//! The Keycloak that `scripts/with-keycloak` started, for tests that it runs.

use url::form_urlencoded::byte_serialize;

/// Where it is, and what its clients' secrets are.
#[derive(Clone)]
pub struct Keycloak {
    /// `http://127.0.0.1:PORT`
    pub environment: String,
    /// The secret of every client that has one, but for `awkward`.
    pub secret: String,
    /// The secret of `awkward`.
    pub awkward: String,
}

impl Keycloak {
    /// The running one.
    pub fn running() -> Self {
        let variable = |name: &str| {
            super::variable(name)
                .unwrap_or_else(|| panic!("{name} is not set: run this by scripts/with-keycloak"))
        };
        Self {
            environment: variable("KEYCLOAK_URL"),
            secret: variable("KEYCLOAK_CLIENT_SECRET"),
            awkward: variable("KEYCLOAK_AWKWARD_SECRET"),
        }
    }

    /// The secret of a client.
    pub fn secret_of(&self, client: &str) -> &str {
        if client == "awkward" { &self.awkward } else { &self.secret }
    }
}

/// `text` as a value of a form.
pub fn form_encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

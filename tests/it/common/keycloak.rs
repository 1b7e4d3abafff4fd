//! The Keycloak that `scripts/with-keycloak` started, for the tests that it runs.

use url::form_urlencoded::byte_serialize;

/// Its address, and the secrets of its clients.
#[derive(Clone)]
pub struct Keycloak {
    /// `http://127.0.0.1:PORT`
    pub environment: String,
    /// The secret of every client with a secret, except `awkward`.
    pub secret: String,
    /// The secret of `awkward`.
    pub awkward: String,
}

impl Keycloak {
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

    pub fn secret_of(&self, client: &str) -> &str {
        if client == "awkward" { &self.awkward } else { &self.secret }
    }
}

/// `text` encoded as a value of a form.
pub fn form_encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

//! The environment variables that name a client, and the names that are often taken for them.

use std::str::FromStr;

use super::environment::Environment;
use super::identity::{ClientId, ProfileName, Tenant};
use super::secret::{AccessToken, ClientSecret};

/// The vendor's name for the environment.
pub const ENVIRONMENT: &str = "CORTI_ENVIRONMENT";
/// The vendor's name for the tenant.
pub const TENANT: &str = "CORTI_TENANT_NAME";
/// The vendor's name for the client id.
pub const CLIENT_ID: &str = "CORTI_CLIENT_ID";
/// The vendor's name for the client secret.
pub const CLIENT_SECRET: &str = "CORTI_CLIENT_SECRET";
/// A ready token: nothing is minted.
pub const ACCESS_TOKEN: &str = "CORTI_ACCESS_TOKEN";
/// The profile to use.
pub const PROFILE: &str = "CORTI_AUTH_PROFILE";

/// The folder of `config.toml`.
pub const CONFIG_FOLDER: &str = "CORTI_AUTH_CONFIG_DIR";
/// The store that `login` uses.
pub const STORE: &str = "CORTI_AUTH_STORE";
/// Never ask anything.
pub const NO_INPUT: &str = "CORTI_AUTH_NO_INPUT";
/// Set by every CI system; implies [`NO_INPUT`].
pub const CI: &str = "CI";

/// Whether the value of [`NO_INPUT`] or [`CI`] means yes.
pub fn is_on(value: &str) -> bool {
    !matches!(value, "0" | "false" | "no" | "off")
}

/// Names in circulation that this tool does not read, with the one it does. From the vendor's .NET examples and from
/// public code.
pub const NEAR_MISSES: [(&str, &str); 11] = [
    ("CORTI_TENANT", TENANT),
    ("CORTI__TENANTNAME", TENANT),
    ("CORTI_ENV", ENVIRONMENT),
    ("CORTI_ENVIRONMENT_ID", ENVIRONMENT),
    ("CORTI__ENVIRONMENT", ENVIRONMENT),
    ("CORTI_CLIENTID", CLIENT_ID),
    ("CORTI__CLIENTID", CLIENT_ID),
    ("CORTI_SECRET", CLIENT_SECRET),
    ("CORTI__CLIENTSECRET", CLIENT_SECRET),
    ("CORTI_CLIENT_SECRET_FILE", CLIENT_SECRET),
    ("CORTI_TOKEN", ACCESS_TOKEN),
];

/// The variables that are set, checked.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    /// [`ENVIRONMENT`].
    pub environment: Option<Environment>,
    /// [`TENANT`].
    pub tenant: Option<Tenant>,
    /// [`CLIENT_ID`].
    pub client_id: Option<ClientId>,
    /// [`CLIENT_SECRET`].
    pub client_secret: Option<ClientSecret>,
    /// [`ACCESS_TOKEN`].
    pub access_token: Option<AccessToken>,
    /// [`PROFILE`].
    pub profile: Option<ProfileName>,
}

/// A variable whose value is not what belongs there. It never repeats a secret or a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct VariableError {
    /// Which variable.
    pub name: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

impl Variables {
    /// Reads them through `lookup`, which answers `None` for an unset or empty one.
    ///
    /// # Errors
    /// [`VariableError`] for the first that is malformed.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, VariableError> {
        let secret = lookup(CLIENT_SECRET).map(|text| ClientSecret::parse(&text)).transpose();
        let token = lookup(ACCESS_TOKEN).map(|text| AccessToken::parse(text.trim()).ok_or(())).transpose();
        Ok(Self {
            environment: parse(ENVIRONMENT, lookup(ENVIRONMENT))?,
            tenant: parse(TENANT, lookup(TENANT))?,
            client_id: parse(CLIENT_ID, lookup(CLIENT_ID))?,
            client_secret: secret
                .map_err(|error| VariableError { name: CLIENT_SECRET, reason: error.to_string() })?,
            access_token: token.map_err(|()| VariableError {
                name: ACCESS_TOKEN,
                reason: "it has characters that no bearer token has".to_owned(),
            })?,
            profile: parse(PROFILE, lookup(PROFILE))?,
        })
    }

    /// The first variable that names a client or half of one.
    pub fn client_variable(&self) -> Option<&'static str> {
        self.naming_a_client().next()
    }

    /// The variables that are set and name a client.
    pub fn naming_a_client(&self) -> impl Iterator<Item = &'static str> {
        let id = self.client_id.as_ref().map(|_| CLIENT_ID);
        let secret = self.client_secret.as_ref().map(|_| CLIENT_SECRET);
        id.into_iter().chain(secret)
    }

    /// The variables that are set and name an environment or a tenant.
    pub fn naming_a_place(&self) -> impl Iterator<Item = &'static str> {
        let environment = self.environment.as_ref().map(|_| ENVIRONMENT);
        let tenant = self.tenant.as_ref().map(|_| TENANT);
        environment.into_iter().chain(tenant)
    }
}

fn parse<T: FromStr<Err: std::fmt::Display>>(
    name: &'static str,
    text: Option<String>,
) -> Result<Option<T>, VariableError> {
    let parsed = text.map(|text| text.parse::<T>()).transpose();
    parsed.map_err(|error| VariableError { name, reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_value_is_named_and_a_secret_is_not_repeated() {
        let only = |name: &'static str, value: &'static str| {
            Variables::read(move |asked: &str| (asked == name).then(|| value.to_owned()))
                .unwrap_err()
                .to_string()
        };
        assert!(only(TENANT, "a/b").starts_with("CORTI_TENANT_NAME: the tenant `a/b`"));
        assert!(!only(CLIENT_SECRET, "hunter\n2").contains("hunter"));
        assert!(!only(ACCESS_TOKEN, "eyJ hunter").contains("hunter"));
    }
}

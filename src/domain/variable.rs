//! The environment variables that name a client, and the names that are often taken for them.

use std::path::{Path, PathBuf};
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
/// A file that holds the client secret.
pub const CLIENT_SECRET_FILE: &str = "CORTI_CLIENT_SECRET_FILE";
/// systemd's folder of credentials, which may have a [`CREDENTIAL`].
pub const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
/// The credential's file in [`CREDENTIALS_DIRECTORY`].
pub const CREDENTIAL: &str = "corti-client-secret";
/// The passphrase of encrypted files, in a file.
pub const PASSPHRASE_FILE: &str = "CORTI_AUTH_PASSPHRASE_FILE";
/// A ready token: nothing is minted.
pub const ACCESS_TOKEN: &str = "CORTI_ACCESS_TOKEN";
/// The profile to use.
pub const PROFILE: &str = "CORTI_AUTH_PROFILE";

/// The folder of `config.toml`.
pub const CONFIG_FOLDER: &str = "CORTI_AUTH_CONFIG_DIR";
/// The store that `login` uses.
pub const STORE: &str = "CORTI_AUTH_STORE";
/// Neither use nor fill the cache of tokens.
pub const NO_CACHE: &str = "CORTI_AUTH_NO_CACHE";
/// Never ask anything.
pub const NO_INPUT: &str = "CORTI_AUTH_NO_INPUT";
/// Set by every CI system; implies [`NO_INPUT`].
pub const CI: &str = "CI";

/// Whether the value of [`NO_INPUT`], [`NO_CACHE`] or [`CI`] means yes.
pub fn is_on(value: &str) -> bool {
    !matches!(value, "0" | "false" | "no" | "off")
}

/// Names in circulation that this tool does not read, with the one it does. From the vendor's .NET examples and from
/// public code.
pub const NEAR_MISSES: [(&str, &str); 10] = [
    ("CORTI_TENANT", TENANT),
    ("CORTI__TENANTNAME", TENANT),
    ("CORTI_ENV", ENVIRONMENT),
    ("CORTI_ENVIRONMENT_ID", ENVIRONMENT),
    ("CORTI__ENVIRONMENT", ENVIRONMENT),
    ("CORTI_CLIENTID", CLIENT_ID),
    ("CORTI__CLIENTID", CLIENT_ID),
    ("CORTI_SECRET", CLIENT_SECRET),
    ("CORTI__CLIENTSECRET", CLIENT_SECRET),
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
    /// The secret, from whichever of its three variables is set.
    pub client_secret: Option<GivenSecret>,
    /// [`ACCESS_TOKEN`].
    pub access_token: Option<AccessToken>,
    /// [`PROFILE`].
    pub profile: Option<ProfileName>,
}

/// A client secret that the environment gives.
#[derive(Clone, Debug)]
pub enum GivenSecret {
    /// The secret itself.
    Value(ClientSecret),
    /// A file that holds it, and the variable that names the file.
    File(&'static str, PathBuf),
}

impl GivenSecret {
    /// The variable that gives it.
    pub fn variable(&self) -> &'static str {
        match self {
            Self::Value(_) => CLIENT_SECRET,
            Self::File(name, _) => name,
        }
    }
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
    /// Reads them through `lookup`, which answers `None` for an unset or empty one. `exists` says whether a file is there:
    /// systemd sets its variable for other credentials too.
    ///
    /// # Errors
    /// [`VariableError`] for the first that is malformed, and where two of them give a secret.
    pub fn read(
        lookup: impl Fn(&str) -> Option<String>,
        exists: impl Fn(&Path) -> bool,
    ) -> Result<Self, VariableError> {
        let token = lookup(ACCESS_TOKEN).map(|text| AccessToken::parse(text.trim()).ok_or(())).transpose();
        Ok(Self {
            environment: parse(ENVIRONMENT, lookup(ENVIRONMENT))?,
            tenant: parse(TENANT, lookup(TENANT))?,
            client_id: parse(CLIENT_ID, lookup(CLIENT_ID))?,
            client_secret: given_secret(lookup(CLIENT_SECRET), lookup(CLIENT_SECRET_FILE), || {
                let file = Path::new(&lookup(CREDENTIALS_DIRECTORY)?).join(CREDENTIAL);
                exists(&file).then_some(file)
            })?,
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
        let secret = self.client_secret.as_ref().map(GivenSecret::variable);
        id.into_iter().chain(secret)
    }

    /// The variables that are set and name an environment or a tenant.
    pub fn naming_a_place(&self) -> impl Iterator<Item = &'static str> {
        let environment = self.environment.as_ref().map(|_| ENVIRONMENT);
        let tenant = self.tenant.as_ref().map(|_| TENANT);
        environment.into_iter().chain(tenant)
    }
}

fn given_secret(
    value: Option<String>,
    file: Option<String>,
    credential: impl FnOnce() -> Option<PathBuf>,
) -> Result<Option<GivenSecret>, VariableError> {
    let secret = value.map(|text| ClientSecret::parse(&text)).transpose();
    let secret = secret.map_err(|error| VariableError { name: CLIENT_SECRET, reason: error.to_string() })?;
    let file = file.map(|path| GivenSecret::File(CLIENT_SECRET_FILE, path.into()));
    let credential = credential().map(|path| GivenSecret::File(CREDENTIALS_DIRECTORY, path));
    let mut given = [secret.map(GivenSecret::Value), file, credential].into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(first), Some(second)) => Err(VariableError {
            name: second.variable(),
            reason: format!("it gives a client secret, and {} gives one too", first.variable()),
        }),
        (first, _) => Ok(first),
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
            let lookup = move |asked: &str| (asked == name).then(|| value.to_owned());
            Variables::read(lookup, |_| false).unwrap_err().to_string()
        };
        assert!(only(TENANT, "a/b").starts_with("CORTI_TENANT_NAME: the tenant `a/b`"));
        assert!(!only(CLIENT_SECRET, "hunter\n2").contains("hunter"));
        assert!(!only(ACCESS_TOKEN, "eyJ hunter").contains("hunter"));
    }

    #[test]
    fn one_of_three_gives_the_secret() {
        let read = |set: &[(&str, &str)], there: bool| {
            let lookup = |asked: &str| {
                set.iter().find(|(name, _)| *name == asked).map(|(_, value)| (*value).to_owned())
            };
            Variables::read(lookup, |_| there)
                .map(|variables| variables.client_secret.map(|given| given.variable()))
        };
        let (value, file) = ((CLIENT_SECRET, "s"), (CLIENT_SECRET_FILE, "/f"));
        let folder = (CREDENTIALS_DIRECTORY, "/d");
        assert_eq!(read(&[value], false), Ok(Some(CLIENT_SECRET)));
        assert_eq!(read(&[file], false), Ok(Some(CLIENT_SECRET_FILE)));
        assert_eq!(read(&[folder], true), Ok(Some(CREDENTIALS_DIRECTORY)));
        assert_eq!(read(&[folder, value], false), Ok(Some(CLIENT_SECRET)));
        for two in [[value, file], [value, folder], [file, folder]] {
            assert!(read(&two, true).is_err(), "{two:?}");
        }
    }
}

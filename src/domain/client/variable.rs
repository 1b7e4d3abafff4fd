//! The environment variables that name a client, and the names that are often taken for them.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::environment::Environment;
use super::identity::{ClientId, ProfileName, Tenant};
use super::secret::{AccessToken, ClientSecret, Secret};

mod table;

pub use table::TABLE;

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
/// When the [`ACCESS_TOKEN`] beside it stops working.
pub const TOKEN_EXPIRES_AT: &str = "CORTI_TOKEN_EXPIRES_AT";
/// Where a program that `exec` runs asks for a fresh token.
pub const REFRESH_URL: &str = "CORTI_AUTH_REFRESH_URL";
/// The bearer of [`REFRESH_URL`].
pub const REFRESH_TOKEN: &str = "CORTI_AUTH_REFRESH_TOKEN";
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
/// GitHub Actions' file of a step's outputs.
pub const GITHUB_OUTPUT: &str = "GITHUB_OUTPUT";
/// GitLab's folder of the job's checkout.
pub const CI_PROJECT_DIR: &str = "CI_PROJECT_DIR";
/// Set by every CI system; implies [`NO_INPUT`].
pub const CI: &str = "CI";

/// Whether the value of [`NO_INPUT`], [`NO_CACHE`] or [`CI`] means yes.
pub fn is_on(value: &str) -> bool {
    !matches!(value, "0" | "false" | "no" | "off")
}

/// A value that a variable or a `.env` file gives, and the names it goes by: those of the vendor's .NET examples and of
/// public code beside its own.
#[derive(Debug)]
pub struct Names {
    /// The value, in words.
    pub what: &'static str,
    /// The name that is read.
    pub name: &'static str,
    /// Others that are Corti's in so many words. As variables they are not read, only told; an import takes them.
    pub aliases: &'static [&'static str],
    /// Others that could be anybody's. An import takes them where there is none of Corti's.
    pub plain: &'static [&'static str],
}

/// The environment's names.
pub const ENVIRONMENT_NAMES: Names = Names {
    what: "environment",
    name: ENVIRONMENT,
    aliases: &["CORTI__ENVIRONMENT", "CORTI_ENVIRONMENT_ID", "CORTI_ENV"],
    plain: &["ENVIRONMENT_ID", "ENVIRONMENT"],
};
/// The tenant's names.
pub const TENANT_NAMES: Names = Names {
    what: "tenant",
    name: TENANT,
    aliases: &["CORTI__TENANTNAME", "CORTI_TENANT"],
    plain: &["TENANT_NAME", "TENANT"],
};
/// The client id's names.
pub const CLIENT_ID_NAMES: Names = Names {
    what: "client id",
    name: CLIENT_ID,
    aliases: &["CORTI__CLIENTID", "CORTI_CLIENTID"],
    plain: &["CLIENT_ID"],
};
/// The client secret's names.
pub const CLIENT_SECRET_NAMES: Names = Names {
    what: "client secret",
    name: CLIENT_SECRET,
    aliases: &["CORTI__CLIENTSECRET", "CORTI_CLIENTSECRET", "CORTI_SECRET"],
    plain: &["CLIENT_SECRET"],
};
const ACCESS_TOKEN_NAMES: Names =
    Names { what: "access token", name: ACCESS_TOKEN, aliases: &["CORTI_TOKEN"], plain: &[] };

/// Every variable that is this tool's own or the vendor's, and read. Those that are most often mistyped come first.
const READ: [&str; 12] = [
    CLIENT_SECRET_FILE,
    PASSPHRASE_FILE,
    ENVIRONMENT,
    TENANT,
    CLIENT_ID,
    CLIENT_SECRET,
    ACCESS_TOKEN,
    PROFILE,
    CONFIG_FOLDER,
    STORE,
    NO_INPUT,
    NO_CACHE,
];

impl Names {
    /// Whether `name` says that the value is Corti's.
    pub fn has(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

/// Names in circulation that this tool does not read, with the one it does.
pub fn near_misses() -> impl Iterator<Item = (&'static str, &'static str)> {
    [TENANT_NAMES, ENVIRONMENT_NAMES, CLIENT_ID_NAMES, CLIENT_SECRET_NAMES, ACCESS_TOKEN_NAMES]
        .into_iter()
        .flat_map(|names| names.aliases.iter().map(move |alias| (*alias, names.name)))
}

/// The variable that was probably meant by `name`, which this tool does not read.
pub fn meant_by(name: &str) -> Option<&'static str> {
    if READ.contains(&name) {
        return None;
    }
    let listed = near_misses().find(|(wrong, _)| *wrong == name).map(|(_, right)| right);
    listed.or_else(|| READ.into_iter().find(|known| strsim::damerau_levenshtein(known, name) <= 2))
}

/// Whether to remove the variable `name` from the environment of programs. Removed are, in any case, the names that an import
/// takes a client secret from, those that say where a secret is, and what an outer `exec` set. systemd's
/// [`CREDENTIALS_DIRECTORY`] stays: other credentials are in that folder, and the variable itself is no secret.
pub fn is_removed_from_programs(name: &str) -> bool {
    let others = [CLIENT_SECRET_FILE, PASSPHRASE_FILE, REFRESH_URL, REFRESH_TOKEN];
    let Names { name: own, aliases, plain, .. } = CLIENT_SECRET_NAMES;
    is_any_of(name, &[&others, &[own], aliases, plain])
}

/// Whether `name`, in any case, is in one of the lists.
fn is_any_of(name: &str, lists: &[&[&str]]) -> bool {
    lists.iter().copied().flatten().any(|it| it.eq_ignore_ascii_case(name))
}

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
    /// Those that are secrets.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let client = match &self.client_secret {
            Some(GivenSecret::Value(secret)) => Some(secret.secret()),
            Some(GivenSecret::File(..)) | None => None,
        };
        client.into_iter().chain(self.access_token.as_ref().map(AccessToken::secret))
    }

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

    /// Whether to remove the variable `name` from the environment of a program that gets a token. The client id is removed
    /// too, since it is of no use without its secret. It stays where the secret stays, in systemd's folder.
    pub fn is_removed_from_token_users(&self, name: &str) -> bool {
        let stays = self.client_secret.as_ref().is_some_and(|it| it.variable() == CREDENTIALS_DIRECTORY);
        let Names { name: own, aliases, .. } = CLIENT_ID_NAMES;
        is_removed_from_programs(name) || !stays && is_any_of(name, &[&[own], aliases])
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
mod tests;

//! The environment variables: their names, their values, and the names that are often mistaken for them.

use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::identity::{ClientId, ProfileName, Tenant};
use super::secret::{AccessToken, ClientSecret, Secret};

/// The environment, by the vendor's name.
pub const ENVIRONMENT: &str = "CORTI_ENVIRONMENT";
/// The tenant, by the vendor's name.
pub const TENANT: &str = "CORTI_TENANT_NAME";
/// The client id, by the vendor's name.
pub const CLIENT_ID: &str = "CORTI_CLIENT_ID";
/// The client secret, by the vendor's name.
pub const CLIENT_SECRET: &str = "CORTI_CLIENT_SECRET";
/// A file that holds the client secret.
pub const CLIENT_SECRET_FILE: &str = "CORTI_CLIENT_SECRET_FILE";
/// systemd's folder of credentials, where [`SYSTEMD_SECRET_NAME`] may be.
pub const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
/// The file with the client secret in [`CREDENTIALS_DIRECTORY`].
pub const SYSTEMD_SECRET_NAME: &str = "corti-client-secret";
/// A file with the passphrase of the store `file`.
pub const PASSPHRASE_FILE: &str = "CORTI_AUTH_PASSPHRASE_FILE";
/// A ready token. No other one is requested.
pub const ACCESS_TOKEN: &str = "CORTI_ACCESS_TOKEN";
/// When [`ACCESS_TOKEN`] expires.
pub const TOKEN_EXPIRES_AT: &str = "CORTI_TOKEN_EXPIRES_AT";
/// The URL at which a program that `exec` runs gets a fresh token.
pub const REFRESH_URL: &str = "CORTI_AUTH_REFRESH_URL";
/// The bearer token for [`REFRESH_URL`].
pub const REFRESH_TOKEN: &str = "CORTI_AUTH_REFRESH_TOKEN";
/// The profile to use.
pub const PROFILE: &str = "CORTI_AUTH_PROFILE";

/// The folder of `config.toml`.
pub const CONFIG_FOLDER: &str = "CORTI_AUTH_CONFIG_DIR";
/// Set in the shell that `exec` opens, to the client's id: a mark for prompts.
pub const SHELL: &str = "CORTI_AUTH_SHELL";
/// The folder of cached tokens.
pub const CACHE_FOLDER: &str = "CORTI_AUTH_CACHE_DIR";
/// The store that `login` uses.
pub const STORE: &str = "CORTI_AUTH_STORE";
/// Neither read nor write the token cache.
pub const NO_CACHE: &str = "CORTI_AUTH_NO_CACHE";
/// Never prompt.
pub const NO_INPUT: &str = "CORTI_AUTH_NO_INPUT";
/// Ask and wait in plain lines, for a screen reader. Other programs know it too.
pub const ACCESSIBLE: &str = "ACCESSIBLE";
/// GitHub Actions' file for the outputs of a step.
pub const GITHUB_OUTPUT: &str = "GITHUB_OUTPUT";
/// GitLab's folder with the checkout of the job.
pub const CI_PROJECT_DIR: &str = "CI_PROJECT_DIR";
/// Set by every CI system; implies [`NO_INPUT`].
pub const CI: &str = "CI";

/// Each variable that a user may set, and its meaning.
pub const TABLE: [(&str, &str); 20] = [
    (ENVIRONMENT, "the environment: eu, us, another label, or a URL"),
    (TENANT, "the tenant (realm) [default: base]"),
    (CLIENT_ID, "client id; the client's secret must be set too"),
    (CLIENT_SECRET, "that client's secret"),
    (CLIENT_SECRET_FILE, "a mounted file with that secret"),
    (CREDENTIALS_DIRECTORY, "systemd's folder; the file is corti-client-secret"),
    (ACCESS_TOKEN, "access token for interaction, probe, check, explain"),
    (PROFILE, "same as --profile"),
    (STORE, "same as --store of login: keyring, file or command"),
    (PASSPHRASE_FILE, "file with the passphrase of --store file"),
    (CONFIG_FOLDER, "same as --config-dir"),
    (CACHE_FOLDER, "folder of cached tokens"),
    (NO_CACHE, "same as --no-cache"),
    (NO_INPUT, "same as --no-input"),
    (CI, "implies --no-input"),
    ("SSL_CERT_FILE", "PEM certificates to trust rather than the system's"),
    ("HTTPS_PROXY", "proxy for https; not used for localhost"),
    ("NO_PROXY", "hosts to reach without a proxy"),
    ("NO_COLOR", "no colours"),
    (ACCESSIBLE, "plain prompts and no spinner, for a screen reader"),
];

/// Whether this value of [`NO_INPUT`], [`NO_CACHE`], [`CI`] or [`ACCESSIBLE`] means yes.
pub fn is_on(value: &str) -> bool {
    !matches!(value, "0" | "false" | "no" | "off")
}

/// The names of a variable: Corti's, and those in the vendor's .NET examples and in public code.
#[derive(Debug)]
pub struct Names {
    /// What the variable is for, in words.
    pub what: &'static str,
    /// The name that this tool reads.
    pub name: &'static str,
    /// Other names that mention Corti. An import takes them. Set as variables they only cause a warning.
    pub aliases: &'static [&'static str],
    /// General names. An import uses them if no name that mentions Corti is set.
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

impl Names {
    /// Whether `name` is the variable's name or mentions Corti.
    pub fn has(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

/// Names that this tool does not read, each with the one that it reads instead.
pub fn near_misses() -> impl Iterator<Item = (&'static str, &'static str)> {
    [TENANT_NAMES, ENVIRONMENT_NAMES, CLIENT_ID_NAMES, CLIENT_SECRET_NAMES, ACCESS_TOKEN_NAMES]
        .into_iter()
        .flat_map(|names| names.aliases.iter().map(move |alias| (*alias, names.name)))
}

/// The variable that was probably meant by an unknown `name`; `None` for a known one.
pub fn meant_by(name: &str) -> Option<&'static str> {
    let mut known = TABLE.into_iter().map(|(known, _)| known).filter(|known| known.starts_with("CORTI_"));
    if known.clone().any(|known| known == name) {
        return None;
    }
    let listed = near_misses().find(|(wrong, _)| *wrong == name).map(|(_, right)| right);
    listed.or_else(|| known.find(|known| strsim::damerau_levenshtein(known, name) <= 2))
}

/// Whether to remove the variable `name`, in upper or lower case, from the environment of programs: if it holds a client
/// secret, says where a secret is, or was set by an outer `exec`. systemd's [`CREDENTIALS_DIRECTORY`] stays, because it is
/// also the folder of other credentials.
pub fn is_removed_from_programs(name: &str) -> bool {
    let others = [CLIENT_SECRET_FILE, PASSPHRASE_FILE, REFRESH_URL, REFRESH_TOKEN];
    let Names { name: own, aliases, plain, .. } = CLIENT_SECRET_NAMES;
    is_any_of(name, &[&others, &[own], aliases, plain])
}

/// Whether `name` is in one of the lists. Upper and lower case are the same.
fn is_any_of(name: &str, lists: &[&[&str]]) -> bool {
    lists.iter().copied().flatten().any(|it| it.eq_ignore_ascii_case(name))
}

/// The values of the variables, checked.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    /// [`ENVIRONMENT`].
    pub environment: Option<Environment>,
    /// [`TENANT`].
    pub tenant: Option<Tenant>,
    /// [`CLIENT_ID`].
    pub client_id: Option<ClientId>,
    /// The secret, from one of its three variables.
    pub client_secret: Option<GivenSecret>,
    /// [`ACCESS_TOKEN`].
    pub access_token: Option<AccessToken>,
    /// [`PROFILE`].
    pub profile: Option<ProfileName>,
    /// Whether [`CI`] is on.
    pub in_ci: bool,
}

/// A client secret from the environment.
#[derive(Clone, Debug)]
pub enum GivenSecret {
    /// The secret itself.
    Value(ClientSecret),
    /// The variable that names a file, and the file with the secret.
    File(&'static str, PathBuf),
}

impl GivenSecret {
    /// The variable that is set.
    pub fn variable(&self) -> &'static str {
        match self {
            Self::Value(_) => CLIENT_SECRET,
            Self::File(name, _) => name,
        }
    }

    /// Where the secret is, in words.
    pub fn place(&self) -> String {
        match self {
            Self::Value(_) => CLIENT_SECRET.to_owned(),
            Self::File(name, _) => format!("the file of {name}"),
        }
    }
}

/// A variable with a value that cannot be used. The text never contains a secret or a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct VariableError {
    /// The variable.
    pub name: &'static str,
    /// What is wrong with it; it names the variable.
    message: String,
    /// Whether it is a secret with a line break in it.
    pub has_line_break: bool,
}

impl Variables {
    /// The values that are secrets.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let client = match &self.client_secret {
            Some(GivenSecret::Value(secret)) => Some(secret.secret()),
            Some(GivenSecret::File(..)) | None => None,
        };
        client.into_iter().chain(self.access_token.as_ref().map(AccessToken::secret))
    }

    /// Reads the variables by `lookup`, which gives `None` for an unset or empty one. `exists` says whether a file exists,
    /// because systemd sets its variable for other credentials as well.
    pub fn read(
        lookup: impl Fn(&str) -> Option<String>,
        exists: impl Fn(&Path) -> bool,
    ) -> Result<Self, VariableError> {
        let reason = "contains characters that a bearer token cannot have";
        let token = |text: &str| AccessToken::parse(text.trim()).ok_or(reason);
        Ok(Self {
            environment: parse(ENVIRONMENT, &lookup, str::parse)?,
            tenant: parse(TENANT, &lookup, str::parse)?,
            client_id: parse(CLIENT_ID, &lookup, str::parse)?,
            client_secret: given_secret(&lookup, exists)?,
            access_token: parse(ACCESS_TOKEN, &lookup, token)?,
            profile: parse(PROFILE, &lookup, str::parse)?,
            in_ci: lookup(CI).is_some_and(|value| is_on(&value)),
        })
    }

    /// The first variable that is set and names a client or gives its secret.
    pub fn client_variable(&self) -> Option<&'static str> {
        self.naming_a_client().next()
    }

    /// Whether to remove the variable `name` from the environment of a program that gets a token. That includes the client
    /// id, unless the secret is in systemd's folder, where the program can read it.
    pub fn is_removed_from_exec(&self, name: &str) -> bool {
        let stays = self.client_secret.as_ref().is_some_and(|it| it.variable() == CREDENTIALS_DIRECTORY);
        let Names { name: own, aliases, .. } = CLIENT_ID_NAMES;
        is_removed_from_programs(name) || !stays && is_any_of(name, &[&[own], aliases])
    }

    /// The variables that are set and name a client or give its secret.
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
    lookup: impl Fn(&str) -> Option<String>,
    exists: impl Fn(&Path) -> bool,
) -> Result<Option<GivenSecret>, VariableError> {
    let secret = parse(CLIENT_SECRET, &lookup, ClientSecret::parse).map_err(|error| {
        let has_line_break = lookup(CLIENT_SECRET).is_some_and(|text| text.trim_end().contains(['\r', '\n']));
        VariableError { has_line_break, ..error }
    })?;
    let secret = secret.map(GivenSecret::Value);
    let file = lookup(CLIENT_SECRET_FILE).map(|path| GivenSecret::File(CLIENT_SECRET_FILE, path.into()));
    let credential = lookup(CREDENTIALS_DIRECTORY).map(|folder| Path::new(&folder).join(SYSTEMD_SECRET_NAME));
    let credential =
        credential.filter(|path| exists(path)).map(|path| GivenSecret::File(CREDENTIALS_DIRECTORY, path));
    let mut given = [secret, file, credential].into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(first), Some(second)) => Err(VariableError {
            name: second.variable(),
            message: format!("{} and {} both give a client secret", first.variable(), second.variable()),
            has_line_break: false,
        }),
        (first, _) => Ok(first),
    }
}

fn parse<T, E: std::fmt::Display>(
    name: &'static str,
    lookup: impl Fn(&str) -> Option<String>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, VariableError> {
    let parsed = lookup(name).map(|text| parse(&text)).transpose();
    let message = |error| format!("{name}: {error}");
    parsed.map_err(|error| VariableError { name, message: message(error), has_line_break: false })
}

#[cfg(test)]
mod tests;

//! Which client is used, and whose word that is: flags over environment variables over the default profile.
//!
//! The client id and the secret come from one layer, never from two.

use std::path::Path;

use crate::domain::token::scope::ScopeSet;

use super::api_client::Client;
use super::config::{Config, Profile};
use super::environment::Environment;
use super::identity::{ClientId, ProfileName, Tenant};
use super::store_kind::{SecretCommand, StoreKind};
use super::variable::{self, GivenSecret, Variables};

/// What the flags say.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--profile`.
    pub profile: Option<ProfileName>,
    /// `--environment`.
    pub environment: Option<Environment>,
    /// `--tenant`.
    pub tenant: Option<Tenant>,
}

/// Which layer named the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// `--profile`.
    Flag,
    /// `CORTI_AUTH_PROFILE`.
    ProfileVariable,
    /// `CORTI_CLIENT_ID` and one of the variables that give a secret.
    ClientVariables,
    /// `default-profile` of `config.toml`.
    DefaultProfile,
}

impl Layer {
    /// The layer in words, for `status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flag => "--profile",
            Self::ProfileVariable => variable::PROFILE,
            Self::ClientVariables => "CORTI_CLIENT_ID and its secret's variable",
            Self::DefaultProfile => "default-profile of config.toml",
        }
    }
}

/// Where the secret is.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// Given by the environment. It is never written anywhere.
    Given(GivenSecret),
    /// In the profile's store. The plan's client is the profile's own.
    Store(ProfileName, Box<Profile>),
    /// Not used: these options and variables name another environment or tenant than the profile's, and a profile's secret is
    /// for the profile's own client only. Its store is not asked and its command is not run.
    Withheld(ProfileName, Box<Profile>, Vec<&'static str>),
}

/// Where a secret came from, or will go: where a wrong one would be mended.
#[derive(Clone, Copy, Debug)]
pub enum SecretOrigin<'a> {
    /// A store of this tool's, by the profile.
    Profile(&'a ProfileName),
    /// Nowhere yet: it is to replace the stored secret of this profile.
    Rotation(&'a ProfileName),
    /// Another secret manager's command.
    Command(&'a SecretCommand),
    /// An environment variable.
    Variable(&'static str),
    /// A mounted file.
    File(&'a Path),
}

/// The client to be used.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which client.
    pub client: Client,
    /// Where its secret is.
    pub source: SecretSource,
    /// Whose word that is.
    pub layer: Layer,
    /// What was set but does not count, in words.
    pub hidden: Vec<String>,
}

impl Plan {
    /// Where its secret comes from.
    pub fn origin(&self) -> SecretOrigin<'_> {
        match &self.source {
            SecretSource::Given(GivenSecret::Value(_)) => SecretOrigin::Variable(variable::CLIENT_SECRET),
            SecretSource::Given(GivenSecret::File(_, path)) => SecretOrigin::File(path),
            SecretSource::Store(name, profile) | SecretSource::Withheld(name, profile, _) => {
                match &profile.store {
                    StoreKind::Command(command) => SecretOrigin::Command(command),
                    StoreKind::Keyring | StoreKind::File => SecretOrigin::Profile(name),
                }
            }
        }
    }

    /// The profile, where one is used.
    pub fn profile(&self) -> Option<&ProfileName> {
        self.saved().map(|(name, _)| name)
    }

    /// Whose secret in which store is used, where one is stored.
    pub fn stored(&self) -> Option<(&Client, &StoreKind)> {
        match &self.source {
            SecretSource::Store(_, profile) => Some((&profile.client, &profile.store)),
            SecretSource::Given(_) | SecretSource::Withheld(..) => None,
        }
    }

    /// The scopes that the profile sets for `token`.
    pub fn default_scope(&self) -> Option<&ScopeSet> {
        self.saved()?.1.default_scope.as_ref()
    }

    fn saved(&self) -> Option<(&ProfileName, &Profile)> {
        match &self.source {
            SecretSource::Store(name, profile) | SecretSource::Withheld(name, profile, _) => {
                Some((name, profile))
            }
            SecretSource::Given(_) => None,
        }
    }
}

/// Why no client could be named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No profile of this name.
    #[error("there is no profile `{name}`")]
    UnknownProfile {
        /// The name as given.
        name: ProfileName,
        /// The one that was probably meant.
        nearest: Option<ProfileName>,
    },
    /// One half of a client without the other.
    #[error("{present} is set, but {missing} is not")]
    HalfAClient {
        /// The variable that is set.
        present: &'static str,
        /// The variable that is not.
        missing: &'static str,
    },
    /// Two variables that each name a client.
    #[error("{} and {other} are both set, and each names a client", variable::PROFILE)]
    TwoClients {
        /// The other variable.
        other: &'static str,
    },
    /// A client from variables, and no environment.
    #[error("{} names a client, but no environment is set", variable::CLIENT_ID)]
    NoEnvironment,
    /// Nothing names a client.
    #[error("{}", if *has_profiles { "there is no default profile" } else { "you are not logged in" })]
    NoClient {
        /// Whether there are profiles to choose from.
        has_profiles: bool,
    },
    /// A ready token, and nowhere to send it: what the token itself says is not followed.
    #[error("no environment is set for the token in {}", variable::ACCESS_TOKEN)]
    NoTarget,
}

/// Names the client.
///
/// # Errors
/// [`ResolveError`], see its variants.
pub fn resolve(flags: &Flags, variables: &Variables, config: &Config) -> Result<Plan, ResolveError> {
    if let Some(name) = &flags.profile {
        return from_profile(name, Layer::Flag, flags, variables, config);
    }
    if let Some(present) = variables.client_variable() {
        if variables.profile.is_some() {
            return Err(ResolveError::TwoClients { other: present });
        }
        return from_variables(flags, variables, config);
    }
    if let Some(name) = &variables.profile {
        return from_profile(name, Layer::ProfileVariable, flags, variables, config);
    }
    match config.default_profile() {
        Some(name) => from_profile(name, Layer::DefaultProfile, flags, variables, config),
        None => Err(ResolveError::NoClient { has_profiles: !config.profiles().is_empty() }),
    }
}

/// Names the environment and the tenant only, for a token that is there already.
///
/// # Errors
/// [`ResolveError::NoTarget`] and what [`resolve`] says of profiles.
pub fn resolve_target(
    flags: &Flags,
    variables: &Variables,
    config: &Config,
) -> Result<(Environment, Tenant), ResolveError> {
    let environment = flags.environment.as_ref().or(variables.environment.as_ref());
    if let (None, Some(environment)) = (&flags.profile, environment) {
        let tenant = flags.tenant.as_ref().or(variables.tenant.as_ref());
        return Ok((environment.clone(), tenant.cloned().unwrap_or_default()));
    }
    let (name, layer) = match (&flags.profile, &variables.profile, config.default_profile()) {
        (Some(name), _, _) => (name, Layer::Flag),
        (_, Some(name), _) => (name, Layer::ProfileVariable),
        (_, _, Some(name)) => (name, Layer::DefaultProfile),
        (None, None, None) => return Err(ResolveError::NoTarget),
    };
    let plan = from_profile(name, layer, flags, variables, config)?;
    Ok((plan.client.environment, plan.client.tenant))
}

fn from_profile(
    name: &ProfileName,
    layer: Layer,
    flags: &Flags,
    variables: &Variables,
    config: &Config,
) -> Result<Plan, ResolveError> {
    let profile = config.profiles().get(name).ok_or_else(|| ResolveError::UnknownProfile {
        name: name.clone(),
        nearest: config.nearest(name.as_str()).cloned(),
    })?;
    let mut client = profile.client.clone();
    let mut hidden = Vec::new();
    if layer == Layer::Flag {
        hidden.extend(variables.naming_a_client().map(|name| format!("{name} (hidden by --profile)")));
        hidden.extend(variables.naming_a_place().map(|name| format!("{name} (hidden by --profile)")));
        hidden.extend(
            variables.profile.as_ref().map(|_| format!("{} (hidden by --profile)", variable::PROFILE)),
        );
    } else {
        if let Some(environment) = &variables.environment {
            client.environment = environment.clone();
        }
        if let Some(tenant) = &variables.tenant {
            client.tenant = tenant.clone();
        }
        hidden.extend(hidden_places(flags, variables));
    }
    if layer == Layer::ProfileVariable {
        let default = config.default_profile().filter(|default| *default != name);
        let hide = |default| format!("the default profile `{default}` (hidden by {})", variable::PROFILE);
        hidden.extend(default.map(hide));
    }
    if let Some(environment) = &flags.environment {
        client.environment = environment.clone();
    }
    if let Some(tenant) = &flags.tenant {
        client.tenant = tenant.clone();
    }
    let (owner, saved) = (name.clone(), Box::new(profile.clone()));
    let source = if client == profile.client {
        SecretSource::Store(owner, saved)
    } else {
        let overriding = overriding(flags, &client, &saved.client);
        SecretSource::Withheld(owner, saved, overriding)
    };
    Ok(Plan { client, source, layer, hidden })
}

/// The options and variables that made `client` another one than the profile's `own`: a flag wins over its variable.
fn overriding(flags: &Flags, client: &Client, own: &Client) -> Vec<&'static str> {
    let environment = flags.environment.as_ref().map_or(variable::ENVIRONMENT, |_| "--environment");
    let tenant = flags.tenant.as_ref().map_or(variable::TENANT, |_| "--tenant");
    let differs =
        [(client.environment != own.environment, environment), (client.tenant != own.tenant, tenant)];
    differs.into_iter().filter(|(differs, _)| *differs).map(|(_, name)| name).collect()
}

fn from_variables(flags: &Flags, variables: &Variables, config: &Config) -> Result<Plan, ResolveError> {
    let (id, secret) = client_pair(variables)?;
    let environment = flags
        .environment
        .as_ref()
        .or(variables.environment.as_ref())
        .cloned()
        // A profile's environment is not borrowed: the secret would go where nobody said it should.
        .ok_or(ResolveError::NoEnvironment)?;
    let tenant = flags.tenant.as_ref().or(variables.tenant.as_ref()).cloned().unwrap_or_default();
    let mut hidden: Vec<String> = hidden_places(flags, variables).collect();
    if let Some(name) = config.default_profile() {
        hidden.push(format!("the default profile `{name}` (hidden by {})", variable::CLIENT_ID));
    }
    Ok(Plan {
        client: Client { environment, tenant, id: id.clone() },
        source: SecretSource::Given(secret.clone()),
        layer: Layer::ClientVariables,
        hidden,
    })
}

/// The variables of a place that a flag outranks.
fn hidden_places(flags: &Flags, variables: &Variables) -> impl Iterator<Item = String> {
    let environment = flags.environment.is_some() && variables.environment.is_some();
    let tenant = flags.tenant.is_some() && variables.tenant.is_some();
    let environment = environment.then(|| format!("{} (hidden by --environment)", variable::ENVIRONMENT));
    environment.into_iter().chain(tenant.then(|| format!("{} (hidden by --tenant)", variable::TENANT)))
}

fn client_pair(variables: &Variables) -> Result<(&ClientId, &GivenSecret), ResolveError> {
    let half = |present, missing| ResolveError::HalfAClient { present, missing };
    match (&variables.client_id, &variables.client_secret) {
        (Some(id), Some(secret)) => Ok((id, secret)),
        (Some(_), None) => Err(half(variable::CLIENT_ID, variable::CLIENT_SECRET)),
        (None, secret) => {
            let present = secret.as_ref().map_or(variable::CLIENT_SECRET, GivenSecret::variable);
            Err(half(present, variable::CLIENT_ID))
        }
    }
}

#[cfg(test)]
mod tests;

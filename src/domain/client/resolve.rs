//! Chooses the client: by flags, else by environment variables, else by the default profile.
//!
//! The client id and the secret always come from the same layer.

use std::path::Path;

use crate::domain::token::scope::ScopeSet;

use super::api_client::Client;
use super::config::{Config, Profile};
use super::environment::Environment;
use super::identity::{ProfileName, Tenant};
use super::store_kind::{SecretCommand, StoreKind};
use super::variable::{self, GivenSecret, Variables};

/// The flags that choose a client.
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
    /// `CORTI_CLIENT_ID` and a variable that gives the secret.
    ClientVariables,
    /// `default-profile` of `config.toml`.
    DefaultProfile,
}

impl Layer {
    /// The layer in words, for `status --json`.
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
    /// In the environment. It is never stored.
    Given(GivenSecret),
    /// In the profile's store. The client is the profile's.
    Store(ProfileName, Box<Profile>),
    /// Not used: these options and variables name another environment or tenant than the profile's, and the profile's secret
    /// is only for the profile's client. No store is read and no command is run.
    Withheld(ProfileName, Box<Profile>, Vec<&'static str>),
}

/// Where to correct a wrong secret.
#[derive(Clone, Copy, Debug)]
pub enum SecretOrigin<'a> {
    /// In the store of this profile.
    Profile(&'a ProfileName),
    /// It will replace the stored secret of this profile.
    Rotation(&'a ProfileName),
    /// In another secret manager, which this command reads.
    Command(&'a SecretCommand),
    /// An environment variable.
    Variable(&'static str),
    /// A mounted file.
    File(&'a Path),
}

/// The client that is used.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The client.
    pub client: Client,
    /// Where its secret is.
    pub source: SecretSource,
    /// What named the client.
    pub layer: Layer,
    /// What is set but not used, in words.
    pub hidden: Vec<String>,
}

impl Plan {
    /// Where to correct the secret.
    pub fn origin(&self) -> SecretOrigin<'_> {
        match &self.source {
            SecretSource::Given(GivenSecret::Value(_)) => SecretOrigin::Variable(variable::CLIENT_SECRET),
            SecretSource::Given(GivenSecret::File(_, path)) => SecretOrigin::File(path),
            SecretSource::Store(name, profile) | SecretSource::Withheld(name, profile, _) => {
                profile.store.command().map_or(SecretOrigin::Profile(name), SecretOrigin::Command)
            }
        }
    }

    /// What named the client, in words.
    pub fn chosen_by(&self) -> String {
        match (self.layer, &self.source) {
            (Layer::ClientVariables, SecretSource::Given(secret)) => {
                format!("{} and {}", variable::CLIENT_ID, secret.variable())
            }
            (layer, _) => layer.as_str().to_owned(),
        }
    }

    /// The profile, if one is used.
    pub fn profile(&self) -> Option<&ProfileName> {
        self.saved().map(|(name, _)| name)
    }

    /// The client and the store of the secret, if a stored one is used.
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

/// Why no client can be chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The profile does not exist.
    #[error("there is no profile `{name}`")]
    UnknownProfile {
        /// The name as given.
        name: ProfileName,
        /// The name that was probably meant.
        nearest: Option<ProfileName>,
    },
    /// A client id without a secret, or a secret without a client id.
    #[error("{present} is set, but {missing} is not")]
    IncompleteClient {
        /// The variable that is set.
        present: &'static str,
        /// The variable that is not.
        missing: &'static str,
    },
    /// Two variables that each name a client.
    #[error("{} and {} are both set, and each names a client", variable::PROFILE, .others.first().copied().unwrap_or_default())]
    TwoClients {
        /// The other variables.
        others: Vec<&'static str>,
    },
    /// Variables name a client but no environment.
    #[error("{} names a client, but no environment is set (eu, us or an https:// URL)", variable::CLIENT_ID)]
    NoEnvironment,
    /// Nothing names a client.
    #[error("{}", match (has_profiles, in_ci) {
        (true, _) => "there is no default profile",
        (false, true) => "no client: set CORTI_CLIENT_ID and CORTI_CLIENT_SECRET",
        (false, false) => "you are not logged in",
    })]
    NoClient {
        /// Whether there are profiles to choose from.
        has_profiles: bool,
        /// Whether this is a pipeline, where nobody logs in.
        in_ci: bool,
    },
    /// A ready token without an environment. The token's own issuer is never used for this.
    #[error("no environment is set that the token may be sent to (eu, us or an https:// URL)")]
    NoTarget,
}

/// Finds the client that the flags, the variables or a profile name.
pub fn resolve(flags: &Flags, variables: &Variables, config: &Config) -> Result<Plan, ResolveError> {
    let profile = |name, layer| from_profile(name, layer, flags, variables, config);
    match (chosen_profile(flags, variables, config), variables.client_variable()) {
        (Some((name, Layer::Flag)), _) => profile(name, Layer::Flag),
        (Some((_, Layer::ProfileVariable)), Some(_)) => {
            Err(ResolveError::TwoClients { others: variables.naming_a_client().collect() })
        }
        (_, Some(present)) => from_variables(present, flags, variables, config),
        (Some((name, layer)), None) => profile(name, layer),
        (None, None) => Err(ResolveError::NoClient {
            has_profiles: !config.profiles().is_empty(),
            in_ci: variables.in_ci,
        }),
    }
}

/// Finds only the environment and the tenant, for a ready token.
pub fn resolve_target(
    flags: &Flags,
    variables: &Variables,
    config: &Config,
) -> Result<(Environment, Tenant), ResolveError> {
    if let (None, (Some(environment), tenant)) = (&flags.profile, place(flags, variables)) {
        return Ok((environment.clone(), tenant.cloned().unwrap_or_default()));
    }
    let (name, layer) = chosen_profile(flags, variables, config).ok_or(ResolveError::NoTarget)?;
    let Client { environment, tenant, .. } = from_profile(name, layer, flags, variables, config)?.client;
    Ok((environment, tenant))
}

/// The profile that the flag, else the variable names.
pub fn named_profile<'a>(flags: &'a Flags, variables: &'a Variables) -> Option<(&'a ProfileName, Layer)> {
    let flag = flags.profile.as_ref().map(|name| (name, Layer::Flag));
    flag.or_else(|| Some((variables.profile.as_ref()?, Layer::ProfileVariable)))
}

/// The named profile, else the default one. [`resolve`] uses it unless variables name a client.
pub fn chosen_profile<'a>(
    flags: &'a Flags,
    variables: &'a Variables,
    config: &'a Config,
) -> Option<(&'a ProfileName, Layer)> {
    let named = named_profile(flags, variables);
    named.or_else(|| Some((config.default_profile()?, Layer::DefaultProfile)))
}

/// The environment and the tenant of the flags, else of the variables.
fn place<'a>(flags: &'a Flags, variables: &'a Variables) -> (Option<&'a Environment>, Option<&'a Tenant>) {
    let environment = flags.environment.as_ref().or(variables.environment.as_ref());
    (environment, flags.tenant.as_ref().or(variables.tenant.as_ref()))
}

/// The profile of this name, or an error that suggests the nearest one.
pub fn find_profile<'a>(name: &ProfileName, config: &'a Config) -> Result<&'a Profile, ResolveError> {
    config.profiles().get(name).ok_or_else(|| ResolveError::UnknownProfile {
        name: name.clone(),
        nearest: config.nearest(name.as_str()).cloned(),
    })
}

fn from_profile(
    name: &ProfileName,
    layer: Layer,
    flags: &Flags,
    variables: &Variables,
    config: &Config,
) -> Result<Plan, ResolveError> {
    let profile = find_profile(name, config)?;
    let none = Variables::default();
    let (environment, tenant) = place(flags, if layer == Layer::Flag { &none } else { variables });
    let own = &profile.client;
    let client = Client {
        environment: environment.unwrap_or(&own.environment).clone(),
        tenant: tenant.unwrap_or(&own.tenant).clone(),
        id: own.id.clone(),
    };
    let overriding = overriding(flags, &client, own);
    let (name, profile) = (name.clone(), Box::new(profile.clone()));
    let source = if overriding.is_empty() {
        SecretSource::Store(name, profile)
    } else {
        SecretSource::Withheld(name, profile, overriding)
    };
    Ok(Plan { client, source, layer, hidden: hidden(layer, flags, variables, config) })
}

/// The options and variables that make `client` differ from the profile's own.
fn overriding(flags: &Flags, client: &Client, own: &Client) -> Vec<&'static str> {
    let environment = flags.environment.as_ref().map_or(variable::ENVIRONMENT, |_| "--environment");
    let tenant = flags.tenant.as_ref().map_or(variable::TENANT, |_| "--tenant");
    let differs =
        [(client.environment != own.environment, environment), (client.tenant != own.tenant, tenant)];
    differs.into_iter().filter(|(differs, _)| *differs).map(|(_, name)| name).collect()
}

/// `present` is the variable that names the client, or its secret if there is no client id.
fn from_variables(
    present: &'static str,
    flags: &Flags,
    variables: &Variables,
    config: &Config,
) -> Result<Plan, ResolveError> {
    let (Some(id), Some(secret)) = (&variables.client_id, &variables.client_secret) else {
        let has_id = variables.client_id.is_some();
        let missing = if has_id { variable::CLIENT_SECRET } else { variable::CLIENT_ID };
        return Err(ResolveError::IncompleteClient { present, missing });
    };
    let (environment, tenant) = place(flags, variables);
    // The default profile's environment is not used: nobody said that this secret belongs there.
    let environment = environment.ok_or(ResolveError::NoEnvironment)?.clone();
    let layer = Layer::ClientVariables;
    Ok(Plan {
        client: Client { environment, tenant: tenant.cloned().unwrap_or_default(), id: id.clone() },
        source: SecretSource::Given(secret.clone()),
        layer,
        hidden: hidden(layer, flags, variables, config),
    })
}

/// What is set but overridden, each with what overrides it.
fn hidden(layer: Layer, flags: &Flags, variables: &Variables, config: &Config) -> Vec<String> {
    if layer == Layer::Flag {
        let profile = variables.profile.as_ref().map(|_| variable::PROFILE);
        let names = variables.naming_a_client().chain(variables.naming_a_place()).chain(profile);
        return names.map(|name| format!("{name} (overridden by --profile)")).collect();
    }
    let mut hidden = Vec::new();
    if flags.environment.is_some() && variables.environment.is_some() {
        hidden.push(format!("{} (overridden by --environment)", variable::ENVIRONMENT));
    }
    if flags.tenant.is_some() && variables.tenant.is_some() {
        hidden.push(format!("{} (overridden by --tenant)", variable::TENANT));
    }
    let by = match layer {
        Layer::ProfileVariable => variable::PROFILE,
        Layer::ClientVariables => variable::CLIENT_ID,
        Layer::Flag | Layer::DefaultProfile => return hidden,
    };
    let default = config.default_profile().filter(|default| variables.profile.as_ref() != Some(default));
    hidden.extend(default.map(|default| format!("the default profile `{default}` (overridden by {by})")));
    hidden
}

#[cfg(test)]
mod tests;

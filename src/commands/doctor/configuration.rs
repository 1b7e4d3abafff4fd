//! Checks what the user set: the options, the variables and `config.toml`, and which client they choose.

use std::path::Path;

use crate::app::context::{misspelt, unknown_key};
use crate::domain::client::api_client::Client;
use crate::domain::client::config::Config;
use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::client::resolve::{self, Layer, Plan};
use crate::domain::client::variable::{VariableError, Variables, meant_by};
use crate::domain::text::shell::Shell;
use crate::edge::config_file::HOME;
use crate::edge::{private_file, proxy};
use crate::failure::{Failure, Kind};

use super::{Checks, Context};

/// Variables of other tools that change what this one does, beside [`proxy::VARIABLES`].
const OTHERS: [&str; 8] = [
    "CI",
    "CREDENTIALS_DIRECTORY",
    "DBUS_SESSION_BUS_ADDRESS",
    "NO_PROXY",
    "REQUEST_METHOD",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "no_proxy",
];

/// The client that the options, the variables and `config.toml` choose.
pub(super) struct Configuration {
    pub(super) plan: Option<Plan>,
    /// Where requests go, which may be known without a client.
    pub(super) place: Option<(Environment, Tenant)>,
    /// Nobody has logged in yet, and nothing else is wrong.
    pub(super) is_new: bool,
}

/// Checks `configuration` and `variables`.
pub(super) fn examine(context: &Context<'_>, checks: &mut Checks<'_>) -> Configuration {
    let (mut plan, mut is_new) = (None, false);
    match (context.config(), context.variables()) {
        (Err(failure), _) => drop(checks.fail("configuration", failure)),
        (Ok(config), Err(_)) => configuration(context, config, None, checks),
        (Ok(config), Ok(_)) => match context.plan() {
            Ok(chosen) => {
                configuration(context, config, Some(&chosen), checks);
                plan = Some(chosen);
            }
            Err(failure) if failure.kind != Kind::Credential || !config.profiles().is_empty() => {
                checks.fail("configuration", failure);
            }
            // With --environment, the network alone can be checked.
            Err(_) if context.options.environment.is_some() => {
                checks.skip("configuration", "nobody is logged in yet: corti-auth login");
            }
            Err(failure) => {
                checks.fail("configuration", failure);
                is_new = true;
            }
        },
    }
    judge_variables(context, checks);
    let place = match &plan {
        Some(plan) => Some((plan.client.environment.clone(), plan.client.tenant.clone())),
        None => place_without_a_client(context),
    };
    Configuration { plan, place, is_new }
}

/// The environment and tenant that are chosen. If the variables or `config.toml` are malformed, or the profile does not exist,
/// only --environment and --tenant count.
fn place_without_a_client(context: &Context<'_>) -> Option<(Environment, Tenant)> {
    let flags = context.flags().ok()?;
    let target =
        || Ok::<_, Failure>(resolve::resolve_target(flags, context.variables()?, context.config()?)?);
    let alone = || Some((flags.environment.clone()?, flags.tenant.clone().unwrap_or_default()));
    target().ok().or_else(alone)
}

fn configuration(context: &Context<'_>, config: &Config, plan: Option<&Plan>, checks: &mut Checks<'_>) {
    let path = context.config_file().ok().map(|file| file.path());
    let mut concerns = Vec::new();
    for key in config.unknown_keys() {
        let path = path.as_deref().unwrap_or(Path::new("config.toml"));
        concerns.push((unknown_key(key), Shell::HERE.edit(path)));
    }
    if let Some(concern) = plan.and_then(|plan| plan.client.environment.warning()) {
        concerns.push((concern, "corti-auth doctor --environment eu".to_owned()));
    }
    report("configuration", plan.map_or_else(|| file(context), chosen), concerns, checks);
}

/// What `config.toml` is like, without its folder.
pub(super) fn file(context: &Context<'_>) -> String {
    let Ok(path) = context.config_file().map(|file| file.path()) else {
        return format!("no config.toml, since {HOME} is not set");
    };
    if !path.exists() {
        return "no config.toml".to_owned();
    }
    let mode = private_file::mode(&path).map(|mode| format!(" (mode {mode:o})")).unwrap_or_default();
    match context.config().map(|config| config.profiles().len()) {
        Ok(1) => format!("config.toml{mode} has 1 profile"),
        Ok(count) => format!("config.toml{mode} has {count} profiles"),
        Err(_) => format!("config.toml{mode} cannot be used"),
    }
}

/// Adds the check as ok, or as a warning of the concerns, each with its hint.
fn report(name: &'static str, detail: String, concerns: Vec<(String, String)>, checks: &mut Checks<'_>) {
    let (concerns, mut hints): (Vec<String>, Vec<String>) = concerns.into_iter().unzip();
    hints.dedup();
    if concerns.is_empty() {
        checks.ok(name, detail);
    } else {
        checks.warn(name, format!("{} ({detail})", concerns.join("; ")), Some(hints.join("\n")));
    }
}

/// The client, and where that choice comes from.
fn chosen(plan: &Plan) -> String {
    let Client { environment, tenant, id } = &plan.client;
    let by = match (plan.profile(), plan.layer) {
        (Some(name), Layer::DefaultProfile) => format!("profile `{name}`"),
        (Some(name), layer) => format!("profile `{name}` by {}", layer.as_str()),
        (None, _) => format!("chosen by {}", plan.chosen_by()),
    };
    let hidden: Vec<_> = plan.hidden.iter().map(|hidden| format!("; not used: {hidden}")).collect();
    let hidden = hidden.concat();
    format!("client `{id}` of `{environment}`, tenant `{tenant}`, {by}{hidden}")
}

/// Shows names only: any value may be a misplaced secret.
fn judge_variables(context: &Context<'_>, checks: &mut Checks<'_>) {
    if let Err(VariableError { name, .. }) = Variables::read(|name| context.host.env.get(name), Path::exists)
    {
        let failure = Failure::new(Kind::Configuration, format!("{name} cannot be used as it is set"));
        return drop(checks.fail("variables", failure.hint(Shell::HERE.unset(&[name]))));
    }
    let set = relevant_variables(context);
    let mut concerns = Vec::new();
    for name in &set {
        if let Some(right) = meant_by(name) {
            concerns.push((misspelt(name, right), Shell::HERE.rename(name, right)));
        }
    }
    for name in proxy::unusable(&context.host.env) {
        concerns.push((format!("{name} is not an http or https proxy"), Shell::HERE.unset(&[name])));
    }
    let detail = if set.is_empty() { "none is set".to_owned() } else { format!("set: {}", set.join(", ")) };
    report("variables", detail, concerns, checks);
}

/// The names of the variables that are set and matter, or are misspelt.
pub(super) fn relevant_variables(context: &Context<'_>) -> Vec<String> {
    let matters = |name: &String| {
        name.starts_with("CORTI_") || OTHERS.iter().chain(proxy::VARIABLES).any(|other| other == name)
    };
    context.host.env.names().filter(matters).collect()
}

//! Checks what the user set: the options, the variables and `config.toml`, and which client they choose.

use std::path::Path;

use crate::domain::client::config::Config;
use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::client::resolve::{self, Plan, SecretSource};
use crate::domain::client::variable::{GivenSecret, Variables, meant_by};
use crate::domain::text::shell::quote;
use crate::edge::config_file::ConfigFile;
use crate::edge::{private_file, proxy};
use crate::failure::{Failure, Kind};

use super::{Checks, Context};

/// Variables of other tools that change what this one does.
const OTHERS: [&str; 12] = [
    "ALL_PROXY",
    "CI",
    "CREDENTIALS_DIRECTORY",
    "DBUS_SESSION_BUS_ADDRESS",
    "HTTPS_PROXY",
    "NO_PROXY",
    "REQUEST_METHOD",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "all_proxy",
    "https_proxy",
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
    let variables = Variables::read(|name| context.host.env.get(name), Path::exists);
    let (mut plan, mut is_new) = (None, false);
    match (context.config(), &variables) {
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
            // The network alone was asked about.
            Err(_) if context.options.environment.is_some() => {
                checks.skip("configuration", "nobody is logged in yet: corti-auth login");
            }
            Err(failure) => {
                checks.fail("configuration", failure.context("not logged in"));
                is_new = true;
            }
        },
    }
    judge_variables(context, variables.as_ref().err().map(|error| error.name), checks);
    let place = match &plan {
        Some(plan) => Some((plan.client.environment.clone(), plan.client.tenant.clone())),
        None => place_without_a_client(context, variables.ok().as_ref()),
    };
    Configuration { plan, place, is_new }
}

/// Where the secret of `plan` is, in words.
pub(super) fn secret_place(context: &Context<'_>, plan: &Plan) -> String {
    match &plan.source {
        SecretSource::Given(GivenSecret::Value(_)) => "the environment".to_owned(),
        SecretSource::Given(GivenSecret::File(variable, _)) => format!("the file of {variable}"),
        SecretSource::Store(_, profile) | SecretSource::Withheld(_, profile, _) => {
            let name = context.store(&profile.store).map(|store| store.name().to_owned());
            name.unwrap_or_else(|_| profile.store.as_str().to_owned())
        }
    }
}

/// The environment and tenant that are chosen. If the variables or `config.toml` are malformed, only the options count.
fn place_without_a_client(
    context: &Context<'_>,
    variables: Option<&Variables>,
) -> Option<(Environment, Tenant)> {
    let flags = context.flags().ok()?;
    let both = variables.zip(context.config().ok());
    let target = both.and_then(|(variables, config)| resolve::resolve_target(flags, variables, config).ok());
    // --environment counts even beside a profile that does not exist.
    target.or_else(|| Some((flags.environment.clone()?, flags.tenant.clone().unwrap_or_default())))
}

fn configuration(context: &Context<'_>, config: &Config, plan: Option<&Plan>, checks: &mut Checks<'_>) {
    let file = context.config_file().ok();
    let path = file.as_ref().map(|file| file.path().display().to_string()).unwrap_or_default();
    let mut concerns = Vec::new();
    let mut hints = Vec::new();
    for key in config.unknown_keys() {
        concerns.push(format!("unknown key `{key}` in config.toml"));
        hints = vec![format!("${{EDITOR:-vi}} {}", quote(&path))];
    }
    if let Some(plan) = plan.filter(|plan| !plan.client.environment.is_documented()) {
        concerns.push(format!("`{}` is not an environment that Corti documents", plan.client.environment));
        hints.push("corti-auth doctor --environment eu".to_owned());
    }
    let mode = file.as_ref().and_then(|file| private_file::mode(&file.path()));
    let detail = describe(file.as_ref(), mode, config) + &plan.map(chosen).unwrap_or_default();
    report("configuration", detail, &concerns, &hints, checks);
}

/// Adds the check as ok, or as a warning of the concerns.
fn report(
    name: &'static str,
    detail: String,
    concerns: &[String],
    hints: &[String],
    checks: &mut Checks<'_>,
) {
    match concerns {
        [] => checks.ok(name, detail),
        _ => checks.warn(name, format!("{} ({detail})", concerns.join("; ")), Some(hints.join("\n"))),
    }
}

fn describe(file: Option<&ConfigFile>, mode: Option<u32>, config: &Config) -> String {
    let profiles = match config.profiles().len() {
        1 => "1 profile".to_owned(),
        count => format!("{count} profiles"),
    };
    match (file, mode) {
        (None, _) => "no config.toml, since HOME is not set".to_owned(),
        (Some(file), None) if !file.path().exists() => "no config.toml".to_owned(),
        (Some(_), None) => format!("config.toml has {profiles}"),
        (Some(_), Some(mode)) => format!("config.toml (mode {mode:o}) has {profiles}"),
    }
}

/// The client, and where that choice comes from.
fn chosen(plan: &Plan) -> String {
    let client = &plan.client;
    let profile = plan.profile().map(|name| format!("profile `{name}`, ")).unwrap_or_default();
    let hidden: Vec<_> = plan.hidden.iter().map(|hidden| format!("; not used: {hidden}")).collect();
    format!(
        "; {profile}client `{}` of `{}`, tenant `{}`, by {}{}",
        client.id,
        client.environment,
        client.tenant,
        plan.layer.as_str(),
        hidden.concat()
    )
}

/// Shows names only: any value may be a secret, also one in the wrong place.
fn judge_variables(context: &Context<'_>, malformed: Option<&str>, checks: &mut Checks<'_>) {
    if let Some(name) = malformed {
        let failure = Failure::new(Kind::Configuration, format!("{name} cannot be used as it is set"));
        return drop(checks.fail("variables", failure.hint(format!("unset {name}"))));
    }
    let set = relevant(context);
    let (mut concerns, mut hints) = (Vec::new(), Vec::new());
    for name in &set {
        if let Some(right) = meant_by(name) {
            concerns.push(format!("{name} is set, but not read: the name is {right}"));
            hints.push(format!("export {right}=\"${name}\"; unset {name}"));
        }
    }
    for name in proxy::unusable(&context.host.env) {
        concerns.push(format!("{name} is not an http or https proxy"));
        hints.push(format!("unset {name}"));
    }
    let detail = if set.is_empty() { "none is set".to_owned() } else { format!("set: {}", set.join(", ")) };
    report("variables", detail, &concerns, &hints, checks);
}

/// The names of the set variables that change something, or were meant to.
pub(super) fn relevant(context: &Context<'_>) -> Vec<String> {
    let matters = |name: &String| name.starts_with("CORTI_") || OTHERS.contains(&name.as_str());
    context.host.env.names().filter(matters).collect()
}

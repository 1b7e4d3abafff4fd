//! What the user set: `config.toml`, the options and the variables, and which client that makes.

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

use super::{Context, Findings};

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

/// What follows from what was set.
pub(super) struct Setting {
    /// The client, where one can be named.
    pub(super) plan: Option<Plan>,
    /// Where requests go, which may be known without a client.
    pub(super) place: Option<(Environment, Tenant)>,
    /// Whether everything was understood, and it names no client: nobody logged in yet.
    pub(super) is_new: bool,
}

/// Judges `configuration` and `variables`.
pub(super) fn examine(context: &Context<'_>, findings: &mut Findings<'_>) -> Setting {
    let variables = Variables::read(|name| context.host.env.get(name), Path::exists);
    let config = context.config();
    let mut is_new = false;
    let plan = match (config, &variables) {
        (Err(failure), _) => {
            findings.fail("configuration", "", &failure);
            None
        }
        (Ok(config), Err(_)) => {
            configuration(context, config, None, findings);
            None
        }
        (Ok(config), Ok(_)) => match context.plan() {
            Ok(plan) => {
                configuration(context, config, Some(&plan), findings);
                Some(plan)
            }
            Err(failure) => {
                is_new = failure.kind() == Kind::Credential && config.profiles().is_empty();
                if is_new && context.options.environment.is_some() {
                    // The network alone was asked about.
                    is_new = false;
                    findings.skip("configuration", "nobody is logged in yet: corti-auth login");
                } else {
                    findings.fail("configuration", if is_new { "not logged in" } else { "" }, &failure);
                }
                None
            }
        },
    };
    let malformed = variables.as_ref().err().map(|error| error.name);
    judge_variables(context, malformed, findings);
    let place = match &plan {
        Some(plan) => Some((plan.client.environment.clone(), plan.client.tenant.clone())),
        None => place_without_a_client(context, variables.ok().as_ref()),
    };
    Setting { plan, place, is_new }
}

/// Where the secret of `plan` is, in words.
pub(super) fn secret_place(context: &Context<'_>, plan: &Plan) -> String {
    match &plan.source {
        SecretSource::Given(GivenSecret::Value(_)) => "the environment".to_owned(),
        SecretSource::Given(GivenSecret::File(variable, _)) => format!("the file of {variable}"),
        SecretSource::Store(_, profile) | SecretSource::Withheld(_, profile, _) => {
            match context.store(&profile.store) {
                Ok(store) => store.name().to_owned(),
                Err(_) => profile.store.as_str().to_owned(),
            }
        }
    }
}

/// What the options and the variables say; those that cannot be understood say nothing, and then neither does the file.
fn place_without_a_client(
    context: &Context<'_>,
    variables: Option<&Variables>,
) -> Option<(Environment, Tenant)> {
    let (no_variables, no_config) = (Variables::default(), Config::default());
    let config = context.config().ok().filter(|_| variables.is_some()).unwrap_or(&no_config);
    let flags = context.flags().ok()?;
    let target = resolve::resolve_target(flags, variables.unwrap_or(&no_variables), config).ok();
    // A profile that is not there does not make an option mean less.
    let typed = || Some((flags.environment.clone()?, flags.tenant.clone().unwrap_or_default()));
    target.or_else(typed)
}

fn configuration(context: &Context<'_>, config: &Config, plan: Option<&Plan>, findings: &mut Findings<'_>) {
    let mut concerns: Vec<(String, String)> = Vec::new();
    let file = context.config_file().ok();
    let path = file.as_ref().map(|file| file.path().display().to_string()).unwrap_or_default();
    for key in config.unknown_keys() {
        let concern = format!("`{key}` in config.toml means nothing to this version");
        concerns.push((concern, format!("correct it, or take it out: ${{EDITOR:-vi}} {}", quote(&path))));
    }
    let mode = file.as_ref().and_then(|file| private_file::mode(&file.path()));
    if let Some(plan) = plan.filter(|plan| !plan.client.environment.is_documented()) {
        let concern = format!("`{}` is not an environment that Corti documents", plan.client.environment);
        concerns.push((concern, "the documented ones are eu and us: --environment eu".to_owned()));
    }
    let detail = format!("{}{}", describe(file.as_ref(), mode, config), plan.map(chosen).unwrap_or_default());
    if concerns.is_empty() {
        return findings.ok("configuration", detail);
    }
    let (concerns, hints): (Vec<_>, Vec<_>) = concerns.into_iter().unzip();
    findings.warn("configuration", format!("{} ({detail})", concerns.join("; ")), distinct(hints).join("\n"));
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

/// Which client it is and who says so.
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

/// Names only: a value may be a secret, in the wrong place too.
fn judge_variables(context: &Context<'_>, malformed: Option<&str>, findings: &mut Findings<'_>) {
    if let Some(name) = malformed {
        let failure = Failure::new(Kind::Configuration, format!("{name} cannot be used as it is set"));
        return findings.fail(
            "variables",
            "",
            &failure.hint(format!("unset {name}, or see why: corti-auth status")),
        );
    }
    let set = relevant(context);
    let mut concerns = Vec::new();
    for name in &set {
        if let Some(right) = meant_by(name) {
            let concern = format!("{name} is set, but not read: the name is {right}");
            concerns.push((concern, format!("export {right}=\"${name}\"; unset {name}")));
        }
    }
    for name in proxy::unusable(&context.host.env) {
        let concern = format!("{name} is set to something that is no http or https proxy");
        concerns.push((concern, format!("export {name}=http://HOST:PORT, or: unset {name}")));
    }
    let detail = if set.is_empty() { "none is set".to_owned() } else { format!("set: {}", set.join(", ")) };
    if concerns.is_empty() {
        return findings.ok("variables", detail);
    }
    let (concerns, hints): (Vec<_>, Vec<_>) = concerns.into_iter().unzip();
    findings.warn("variables", format!("{} ({detail})", concerns.join("; ")), hints.join("\n"));
}

/// The names of the variables that are set and make a difference, or seem meant to.
pub(super) fn relevant(context: &Context<'_>) -> Vec<String> {
    let matters = |name: &String| name.starts_with("CORTI_") || OTHERS.contains(&name.as_str());
    context.host.env.names().filter(matters).collect()
}

fn distinct(mut lines: Vec<String>) -> Vec<String> {
    lines.dedup();
    lines
}

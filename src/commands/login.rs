//! `login`: stores a client's secret, after the server has taken it.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::domain::config::{Config, Profile};
use crate::domain::environment::{Environment, KNOWN_LABELS};
use crate::domain::identity::{Client, ClientId, ProfileName, Tenant};
use crate::domain::page::{Page, Tone};
use crate::domain::scope::Ask;
use crate::domain::store_kind::{SecretCommand, StoreKind};
use crate::domain::variable;
use crate::edge::prompt;
use crate::edge::store::StoreError;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

use super::context::Context;
use super::minting::Minter;
use super::secret_input::SecretInput;

/// Store a client's secret in the OS keyring
///
/// Asks for what is not given, checks the secret by minting a token (which is thrown away), and only then stores it. The
/// secret comes from a hidden prompt, standard input or a file; never from the command line or a variable.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth login
  corti-auth login --profile acme-eu --environment eu --client-id acme --secret-stdin < secret.txt
  corti-auth login --store file                      on a machine without a keyring
  corti-auth login --secret-command 'op read op://dev/corti/secret'")]
pub(super) struct LoginArgs {
    /// The client id
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Keep the secret in this store: keyring, file (encrypted with a passphrase) or command
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
    /// Let another secret manager keep the secret: run this, without a shell, whenever it is needed
    #[arg(long, value_name = "CMD ARGS", conflicts_with_all = ["secret_stdin", "secret_file"])]
    secret_command: Option<String>,
    /// Read the secret from standard input
    #[arg(long, conflicts_with = "secret_file")]
    secret_stdin: bool,
    /// Read the secret from this file
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Store the secret without minting a token first
    #[arg(long)]
    no_verify: bool,
}

impl LoginArgs {
    fn secret_input(&self) -> SecretInput {
        match &self.secret_file {
            Some(path) => SecretInput::File(path.clone()),
            None if self.secret_stdin => SecretInput::Stdin,
            None => SecretInput::Prompt,
        }
    }
}

/// A stored credential.
pub(super) struct LoginOutcome {
    profile: ProfileName,
    client: Client,
    store: StoreKind,
    place: String,
    verified: bool,
    is_default: bool,
}

/// # Errors
/// Where a value is missing and nobody can be asked, the store cannot be used, or the server does not take the secret.
pub(super) async fn run(args: &LoginArgs, context: &Context<'_>) -> Result<LoginOutcome, Failure> {
    let (config, file) = (context.config()?, context.config_file()?);
    let name = context.flags()?.profile.clone().or(context.variables()?.profile.clone()).unwrap_or_default();
    let kind = store_kind(args, context)?;
    let client = client(args, context, config, &name).await?;
    let store = context.store(&kind)?;
    let failed = |error: StoreError| Failure::store(&error, &client, &name);
    // Before anybody types a secret that could then not be kept, or not be found again.
    file.prepare()?;
    store.ensure_usable(&client, context.sink).await.map_err(failed)?;
    let secret = match &kind {
        StoreKind::Command(_) => store.read(&client, context.sink).await.map_err(failed)?,
        StoreKind::Keyring | StoreKind::File => args.secret_input().read(context).await?,
    };
    if !args.no_verify {
        Minter::new(context).mint_with(&secret, &client, Some(&name), &Ask::Full).await?;
    }
    if !matches!(kind, StoreKind::Command(_)) {
        store.write(&client, &secret).await.map_err(failed)?;
    }
    let before = config.profiles().get(&name).cloned();
    let config = file.update(|config| {
        config.put(&name, &client, &kind);
        config.clone()
    })?;
    if let Some(before) = before {
        forget(context, &config, &name, &before).await?;
    }
    warn_of_variables(context)?;
    let is_default = config.default_profile() == Some(&name);
    let place = store.place(&client);
    Ok(LoginOutcome { profile: name, client, store: kind, place, verified: !args.no_verify, is_default })
}

fn store_kind(args: &LoginArgs, context: &Context<'_>) -> Result<StoreKind, Failure> {
    let hint = "--store keyring, --store file, or --secret-command 'CMD ARGS'";
    let command = args.secret_command.as_deref().map(SecretCommand::split).transpose();
    let command = command.map_err(|error| Failure::new(Kind::Usage, error).hint(hint))?;
    // A command on the command line is the choice; the variable is for the others.
    let from_variable = context.host.env.get(variable::STORE).filter(|_| command.is_none());
    let (kind, word) = match (&args.store, from_variable) {
        (Some(word), _) => (Kind::Usage, Some(word.clone())),
        (None, Some(word)) => (Kind::Configuration, Some(word)),
        (None, None) => (Kind::Usage, None),
    };
    StoreKind::parse(word.as_deref(), command).map_err(|error| Failure::new(kind, error).hint(hint))
}

/// The profile stood for another client before, or kept its secret elsewhere: nothing uses that secret any more.
async fn forget(
    context: &Context<'_>,
    config: &Config,
    name: &ProfileName,
    before: &Profile,
) -> Result<(), Failure> {
    let now = config.profiles().get(name);
    let same = now.is_some_and(|now| now.client == before.client && now.store == before.store);
    let others_secret = matches!(before.store, StoreKind::Command(_));
    if same || others_secret || !config.sharing(name, &before.client).is_empty() {
        return Ok(());
    }
    let store = context.store(&before.store)?;
    let place = store.place(&before.client);
    match store.delete(&before.client, context.sink).await {
        Ok(true) => context.note(format!("removed the secret that the profile had before, from {place}")),
        Ok(false) => {}
        Err(error) => {
            context
                .warn(format!("the secret that the profile had before is still in {place}: {error}"), None);
        }
    }
    Ok(())
}

fn warn_of_variables(context: &Context<'_>) -> Result<(), Failure> {
    if let Some(name) = context.variables()?.client_variable() {
        let hint = format!("unset {name}, or name the profile: --profile");
        context.warn(format!("{name} is set, and is used rather than the default profile"), Some(&hint));
    }
    Ok(())
}

async fn client(
    args: &LoginArgs,
    context: &Context<'_>,
    config: &Config,
    name: &ProfileName,
) -> Result<Client, Failure> {
    let (flags, variables) = (context.flags()?, context.variables()?);
    let known = config.profiles().get(name).map(|profile| &profile.client);
    let typed = args.client_id.as_deref().map(str::parse::<ClientId>).transpose();
    let typed = typed.map_err(|error| Failure::new(Kind::Usage, error).hint("--client-id ID"))?;
    let environment = match flags.environment.clone().or(variables.environment.clone()) {
        Some(environment) => environment,
        None => ask_environment(context, known).await?,
    };
    let tenant = match flags.tenant.clone().or(variables.tenant.clone()) {
        Some(tenant) => tenant,
        None => ask_tenant(context, known).await?,
    };
    let id = match typed.or(variables.client_id.clone()) {
        Some(id) => id,
        None => ask_client_id(context, known).await?,
    };
    Ok(Client { environment, tenant, id })
}

async fn ask_environment(context: &Context<'_>, known: Option<&Client>) -> Result<Environment, Failure> {
    if !context.may_ask() {
        let missing = || missing("environment", "--environment eu", variable::ENVIRONMENT);
        return known.map(|client| client.environment.clone()).ok_or_else(missing);
    }
    if let Some(client) = known {
        let default = Some(client.environment.to_string());
        return parsed(&prompt::text("Environment (eu, us or a URL)", default, check::<Environment>).await?);
    }
    let choice = prompt::select("Environment", &["eu", "us", "other"]).await?;
    match KNOWN_LABELS.get(choice) {
        Some(label) => parsed(label),
        None => parsed(&prompt::text("Environment (a label or a URL)", None, check::<Environment>).await?),
    }
}

async fn ask_tenant(context: &Context<'_>, known: Option<&Client>) -> Result<Tenant, Failure> {
    let default = known.map(|client| client.tenant.clone()).unwrap_or_default();
    if !context.may_ask() {
        return Ok(default);
    }
    parsed(&prompt::text("Tenant", Some(default.to_string()), check::<Tenant>).await?)
}

async fn ask_client_id(context: &Context<'_>, known: Option<&Client>) -> Result<ClientId, Failure> {
    let known = known.map(|client| client.id.clone());
    if !context.may_ask() {
        return known.ok_or_else(|| missing("client id", "--client-id ID", variable::CLIENT_ID));
    }
    parsed(&prompt::text("Client id", known.map(|id| id.to_string()), check::<ClientId>).await?)
}

fn missing(what: &str, flag: &str, variable: &str) -> Failure {
    Failure::new(Kind::Usage, format!("the {what} is missing, and nobody can be asked for it"))
        .hint(format!("give {flag}, or set {variable}"))
}

fn check<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<(), String> {
    text.trim().parse::<T>().map(drop).map_err(|error| error.to_string())
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Failure> {
    text.trim().parse().map_err(|error: T::Err| Failure::new(Kind::Usage, error.to_string()))
}

impl Outcome for LoginOutcome {
    fn command(&self) -> &'static str {
        "login"
    }

    fn json(&self) -> Value {
        json!({
            "profile": self.profile.as_str(),
            "default": self.is_default,
            "environment": self.client.environment.to_string(),
            "tenant": self.client.tenant.as_str(),
            "client_id": self.client.id.as_str(),
            "store": self.store.as_str(),
            "verified": self.verified,
        })
    }

    fn text(&self) -> Text {
        let Client { environment, tenant, id } = &self.client;
        let verdict = if self.verified { "logged in" } else { "stored, not verified" };
        let named = if self.is_default { String::new() } else { format!(" --profile {}", self.profile) };
        let page = Page::new()
            .toned(Tone::Good, format!("{verdict}: client `{id}` of `{environment}`, tenant `{tenant}`"))
            .field(
                "profile",
                if self.is_default {
                    format!("{} (the default)", self.profile)
                } else {
                    self.profile.to_string()
                },
            )
            .field("secret", format!("in {}", self.place))
            .field("next", format!("corti-auth token --scope transcribe{named}"));
        Text::Message(page)
    }
}

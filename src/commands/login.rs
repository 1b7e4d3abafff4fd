//! `login`: stores a client's secret after Corti has accepted it.

use std::path::PathBuf;

use clap::Args;

use crate::app::context::Context;
use crate::app::credentials::{self, Credential, taken};
use crate::app::secret_input::{SecretInput, no_terminal};
use crate::cli::argument;
use crate::domain::client::api_client::Client;
use crate::domain::client::config::{GivenValues, Profile};
use crate::domain::client::environment::{Environment, KNOWN_LABELS};
use crate::domain::client::identity::{ClientId, Tenant};
use crate::domain::client::secret::ClientSecret;
use crate::domain::client::store_kind::WRITABLE;
use crate::domain::client::variable;
use crate::domain::client::variable::{CLIENT_ID, STORE};
use crate::domain::text::redactor::Redactor;
use crate::domain::text::shell::Shell;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

/// Asks for what is not given, checks the secret by minting a token (which is thrown away), and only then stores it. The
/// secret comes from a hidden prompt, standard input, a file or a command; never from the command line or a variable.
/// A profile that exists keeps its environment, tenant, client id and store: only its secret is replaced.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth login
  corti-auth login --profile acme --environment eu --client-id acme --secret-stdin < secret.txt
  corti-auth login --store file                      on a machine without a keyring
  corti-auth login --secret-command 'op read op://dev/corti/secret'")]
pub(super) struct LoginArgs {
    #[arg(help = format!("The client id [env: {CLIENT_ID}]"))]
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    #[arg(help = format!("keyring, file or command [env: {STORE}]"))]
    #[arg(long, value_name = "STORE", add = argument::offering(&WRITABLE))]
    store: Option<String>,
    /// Run this to get the secret, whenever it is needed
    ///
    /// Another secret manager keeps the secret. The command is run without a shell.
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

/// The choices of the prompt.
const ENVIRONMENTS: [&str; KNOWN_LABELS.len() + 1] = [KNOWN_LABELS[0], KNOWN_LABELS[1], "other"];

pub(super) async fn run(args: &LoginArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    let input = SecretInput { file: args.secret_file.clone(), stdin: args.secret_stdin };
    input.refuse_terminal(context)?;
    let name = credentials::profile_name(context)?;
    let known = context.config()?.profiles().get(&name);
    let given = given_values(args, known, context)?;
    let kind = credentials::store_kind(given.store.as_ref(), known);
    let command = kind.command().cloned();
    let client = if let Some(profile) = known {
        profile.refuse_other_values(&name, &given)?;
        let Client { environment, tenant, id } = &profile.client;
        context.note(format!(
            "Logging in to {environment}, tenant {tenant}, client {id} (from profile `{name}`)"
        ));
        profile.client.clone()
    } else {
        if !context.may_ask() {
            refuse_incomplete(&given, !input.is_prompt() || command.is_some())?;
        }
        context.note(intention(&given, context.may_ask()));
        new_client(given, context).await?
    };
    let credential = Credential::new(context, name, client, kind)?;
    let verify = async |secret: &ClientSecret| {
        if args.no_verify { Ok(()) } else { credential.verify(secret).await }
    };
    let secret = if let Some(command) = command {
        let secret = credential.read().await?;
        let redactor = Redactor::from_iter([secret.secret()]);
        if command.words().iter().any(|word| redactor.finds_in(word)) {
            let message = "the secret command contains the secret, and config.toml keeps it in plain text";
            context.warn(message, Some(&Shell::HERE.read_from("corti-auth login --secret-stdin", "FILE")));
        }
        verify(&secret).await?;
        secret
    } else {
        credential.prepare().await?;
        input.read_verified(context, "login", "Client secret (not shown)", verify).await?
    };
    let done = if args.no_verify { "stored without verifying" } else { "logged in" };
    let (json, page) = credential.log_in(&secret, !args.no_verify, done).await?;
    Ok(Outcome::new("login", json, Text::Message(page)))
}

/// Names all missing values at once, for a new profile if nobody can be asked.
fn refuse_incomplete(given: &GivenValues, has_secret: bool) -> Result<(), Failure> {
    let (has_environment, has_id) = (given.environment.is_some(), given.client_id.is_some());
    // If only the secret is missing, the store is tried first: its failure matters more.
    if has_environment && has_id {
        return Ok(());
    }
    let wanted =
        [(has_environment, "the environment"), (has_id, "the client id"), (has_secret, "the client secret")];
    let missing: Vec<_> = wanted.into_iter().filter(|(has, _)| !has).map(|(_, name)| name).collect();
    let missing = match missing.as_slice() {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        one => one.concat(),
    };
    let login = "corti-auth login --environment eu --client-id ID --secret-stdin";
    Err(no_terminal(&missing).hint(Shell::HERE.read_from(login, "FILE")))
}

/// What is known of a new profile before anything is asked, and what gave it. If nobody is `asked`, the tenant is the default.
fn intention(given: &GivenValues, asked: bool) -> String {
    let GivenValues { environment, tenant, client_id, .. } = given;
    let default = (!asked).then(Tenant::default);
    let tenant_value = tenant.as_ref().map(|it| &it.value).or(default.as_ref());
    let values = [
        environment.as_ref().map(|it| it.value.to_string()),
        tenant_value.map(|it| format!("tenant {it}")),
        client_id.as_ref().map(|it| format!("client {}", it.value)),
    ];
    let values: Vec<_> = values.into_iter().flatten().collect();
    let names = [
        environment.as_ref().map(|it| &it.name),
        tenant.as_ref().map(|it| &it.name),
        client_id.as_ref().map(|it| &it.name),
    ];
    let names: Vec<_> = names.into_iter().flatten().collect();
    let has = |flags: bool| names.iter().any(|name| name.starts_with("--") == flags);
    let sources = match (has(true), has(false)) {
        (false, false) => return "Logging in to Corti, with a new profile".to_owned(),
        (true, false) => "flags",
        (false, true) => "CORTI_* variables",
        (true, true) => "flags and CORTI_* variables",
    };
    let to = if environment.is_some() { "to" } else { "with" };
    format!("Logging in {to} {} (from {sources})", values.join(", "))
}

/// What the flags and the variables give.
fn given_values(
    args: &LoginArgs,
    known: Option<&Profile>,
    context: &Context<'_>,
) -> Result<GivenValues, Failure> {
    let (flags, variables) = (context.flags()?, context.variables()?);
    let typed = args.client_id.as_deref().map(str::parse::<ClientId>).transpose();
    let typed = typed.map_err(|error| {
        Failure::new(Kind::Usage, error).hint("the Corti Console shows it: corti-auth login --client-id ID")
    })?;
    let environment = taken(flags.environment.as_ref(), "--environment");
    let tenant = taken(flags.tenant.as_ref(), "--tenant");
    let (store, command) = (args.store.as_deref(), args.secret_command.as_deref());
    Ok(GivenValues {
        environment: environment.or(taken(variables.environment.as_ref(), variable::ENVIRONMENT)),
        tenant: tenant.or(taken(variables.tenant.as_ref(), variable::TENANT)),
        client_id: taken(typed.as_ref(), "--client-id")
            .or(taken(variables.client_id.as_ref(), variable::CLIENT_ID)),
        store: credentials::named_store(store, command, known, context)?,
    })
}

/// The client of a new profile. Asks for missing values.
async fn new_client(given: GivenValues, context: &Context<'_>) -> Result<Client, Failure> {
    let environment = match given.environment {
        Some(given) => given.value,
        None => ask_environment(context).await?,
    };
    let tenant = match given.tenant {
        Some(given) => given.value,
        None if !context.may_ask() => Tenant::default(),
        None => context.questions().text("Tenant", Some(Tenant::default())).await?,
    };
    let id = match given.client_id {
        Some(given) => given.value,
        None => context.questions().text("Client id", None).await?,
    };
    Ok(Client { environment, tenant, id })
}

async fn ask_environment(context: &Context<'_>) -> Result<Environment, Failure> {
    let choice = context.questions().select("Environment", ENVIRONMENTS.map(str::to_owned).into()).await?;
    match KNOWN_LABELS.get(choice).and_then(|label| label.parse().ok()) {
        Some(known) => Ok(known),
        None => Ok(context.questions().text("Environment (a label or a URL)", None).await?),
    }
}

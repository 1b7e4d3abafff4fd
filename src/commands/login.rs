//! `login`: stores a client's secret, after the server has taken it.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use crate::domain::config::Config;
use crate::domain::environment::{Environment, KNOWN_LABELS};
use crate::domain::identity::{Client, ClientId, ProfileName, Tenant};
use crate::domain::shell::quote;
use crate::domain::store_kind::{SecretCommand, StoreKind, WRITABLE};
use crate::domain::variable::{self, Variables};
use crate::edge::prompt;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

use super::argument;
use super::context::Context;
use super::enrolment::{self, Enrolled, Enrolment};
use super::secret_input::{Purpose, SecretInput};

/// Asks for what is not given, checks the secret by minting a token (which is thrown away), and only then stores it. The
/// secret comes from a hidden prompt, standard input, a file or a command; never from the command line or a variable.
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
    #[arg(long, value_name = "STORE", add = argument::offering(&WRITABLE))]
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
        SecretInput::named(self.secret_file.as_deref(), self.secret_stdin)
    }

    /// What was given beside the secret and the global options, as a command that is advised has to repeat it.
    fn options(&self) -> String {
        let given = [("--client-id", &self.client_id), ("--store", &self.store)];
        let given = given.into_iter().filter_map(|(flag, value)| Some((flag, value.as_deref()?)));
        let text = given.fold(String::new(), |text, (flag, value)| text + " " + flag + " " + &quote(value));
        text + if self.no_verify { " --no-verify" } else { "" }
    }

    /// How the secret was given, in the same way.
    fn secret_options(&self) -> Option<String> {
        let file = self.secret_file.as_ref();
        let file = file.map(|path| format!(" --secret-file {}", quote(&path.display().to_string())));
        let command =
            || self.secret_command.as_ref().map(|command| format!(" --secret-command {}", quote(command)));
        file.or_else(command).or_else(|| self.secret_stdin.then(|| " --secret-stdin < FILE".to_owned()))
    }
}

/// A stored credential.
pub(super) struct LoginOutcome(Enrolled);

/// # Errors
/// Where a value is missing and nobody can be asked, the store cannot be used, or the server does not take the secret.
pub(super) async fn run(args: &LoginArgs, context: &Context<'_>) -> Result<LoginOutcome, Failure> {
    args.secret_input().refuse_terminal(context)?;
    let (config, name) = (context.config()?, enrolment::profile_name(context)?);
    let known = config.profiles().get(&name).map(|profile| &profile.store);
    let kind = store_kind(args.store.as_deref(), args.secret_command.as_deref(), known, context)?;
    if !context.may_ask() && !config.profiles().contains_key(&name) {
        refuse_incomplete(args, context, &kind)?;
    }
    let client = client(args, context, config, &name).await?;
    // Before anybody types a secret that could then not be kept, or not be found again.
    let enrolment = Enrolment::prepare(context, name, client, kind).await?;
    let secret = match enrolment.kept_elsewhere().await? {
        Some(secret) => secret,
        None => args.secret_input().read(context, Purpose::LOGIN.with(args.options())).await?,
    };
    Ok(LoginOutcome(enrolment.complete(&secret, !args.no_verify).await?))
}

/// The store that the flags or the variable name, else the one that the profile has, else the keyring.
///
/// # Errors
/// Where it is none, or lacks its command.
pub(super) fn store_kind(
    flag: Option<&str>,
    command: Option<&str>,
    known: Option<&StoreKind>,
    context: &Context<'_>,
) -> Result<StoreKind, Failure> {
    let hint = "--store keyring, --store file, or --secret-command 'CMD ARGS'";
    let command = command.map(SecretCommand::split).transpose();
    let command = command.map_err(|error| Failure::new(Kind::Usage, error).hint(hint))?;
    // A command on the command line is the choice; the variable is for the others.
    let from_variable = context.host.env.get(variable::STORE).filter(|_| command.is_none());
    let word = flag.or(from_variable.as_deref());
    if let (None, None, Some(known)) = (word, &command, known) {
        return Ok(known.clone());
    }
    StoreKind::parse(word, command).map_err(|error| match (flag, &from_variable) {
        (None, Some(_)) => {
            Failure::new(Kind::Configuration, format!("{}: {error}", variable::STORE)).hint(format!(
                "unset {}, or choose one: corti-auth login --store keyring, or --store file",
                variable::STORE
            ))
        }
        _ => Failure::new(Kind::Usage, error).hint(hint),
    })
}

/// Where nobody can be asked and no profile knows it: all that is missing at once.
fn refuse_incomplete(args: &LoginArgs, context: &Context<'_>, kind: &StoreKind) -> Result<(), Failure> {
    let (flags, variables) = (context.flags()?, context.variables()?);
    let has_environment = flags.environment.is_some() || variables.environment.is_some();
    let has_id = args.client_id.is_some() || variables.client_id.is_some();
    if has_environment && has_id {
        // Whether the secret is missing is known once the store was tried.
        return Ok(());
    }
    let secret = args.secret_options();
    let has_secret = secret.is_some() || matches!(kind, StoreKind::Command(_));
    let wanted = [
        (has_environment, "the environment", " --environment eu"),
        (has_id, "the client id", " --client-id ID"),
        (has_secret, "the client secret", " --secret-stdin < FILE"),
    ];
    let (names, options): (Vec<_>, Vec<_>) =
        wanted.into_iter().filter(|(has, ..)| !has).map(|(_, name, option)| (name, option)).unzip();
    let message = match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => {
            format!("{} and {last} are missing, and nobody can be asked for them", rest.join(", "))
        }
        _ => format!("{} is missing, and nobody can be asked for it", names.concat()),
    };
    Err(Failure::new(Kind::Usage, message).hint(format!(
        "corti-auth login{}{}{}{}",
        context.choice(),
        args.options(),
        options.concat(),
        secret.unwrap_or_default()
    )))
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
    let typed = typed.map_err(|error| {
        Failure::new(Kind::Usage, error).hint("the Corti Console shows it: corti-auth login --client-id ID")
    })?;
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
    let client = Client { environment, tenant, id };
    if let Some(known) = known {
        let said = [flags.environment.is_some(), flags.tenant.is_some(), args.client_id.is_some()];
        refuse_silent_move(name, known, &client, said, variables)?;
    }
    Ok(client)
}

/// A variable that is set for something else would move a profile to another client, and the old one's secret is then
/// removed. Only what is `said` (environment, tenant, client id) on the command line is meant.
fn refuse_silent_move(
    name: &ProfileName,
    known: &Client,
    client: &Client,
    said: [bool; 3],
    variables: &Variables,
) -> Result<(), Failure> {
    let moves = [
        moved(variables.environment.as_ref(), &known.environment),
        moved(variables.tenant.as_ref(), &known.tenant),
        moved(variables.client_id.as_ref(), &known.id),
    ];
    let words = [
        (variable::ENVIRONMENT, "--environment"),
        (variable::TENANT, "--tenant"),
        (variable::CLIENT_ID, "--client-id"),
    ];
    let typed = [client.environment.to_string(), client.tenant.to_string(), client.id.to_string()];
    let typed = words.into_iter().zip(typed).zip(said).filter(|(_, said)| *said).map(|(it, _)| it);
    let unsaid = words.into_iter().zip(moves).zip(said).filter(|(_, said)| !said);
    let moving: Vec<_> = unsaid.filter_map(|((words, value), _)| Some((words, value?))).collect();
    if moving.is_empty() {
        return Ok(());
    }
    let names = moving.iter().map(|((variable, _), _)| *variable).collect::<Vec<_>>();
    let flags = moving.iter().cloned().chain(typed);
    let flags = flags.map(|((_, flag), value)| format!("{flag} {}", quote(&value))).collect::<Vec<_>>();
    let (from, to) = (known.store_user(), client.store_user());
    let message = format!("{} would move the profile `{name}` from `{from}` to `{to}`", names.join(" and "));
    Err(Failure::new(Kind::Configuration, message)
        .hint("give the other client a profile of its own: corti-auth login --profile NAME")
        .hint(format!("or move this one: corti-auth login --profile {name} {}", flags.join(" ")))
        .hint(format!("or keep it where it is: unset {}", names.join(" "))))
}

/// What a variable says, where the profile has something else.
fn moved<T: PartialEq + ToString>(by_variable: Option<&T>, known: &T) -> Option<String> {
    by_variable.filter(|it| *it != known).map(T::to_string)
}

async fn ask_environment(context: &Context<'_>, known: Option<&Client>) -> Result<Environment, Failure> {
    if let Some(client) = known {
        if !context.may_ask() {
            return Ok(client.environment.clone());
        }
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
    match known {
        Some(client) if !context.may_ask() => Ok(client.id.clone()),
        _ => {
            let default = known.map(|client| client.id.to_string());
            parsed(&prompt::text("Client id", default, check::<ClientId>).await?)
        }
    }
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
        self.0.json()
    }

    fn text(&self) -> Text {
        Text::Message(self.0.page(if self.0.verified { "logged in" } else { "stored, not verified" }))
    }
}

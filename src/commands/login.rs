//! `login`: stores a client's secret, after the server has accepted it.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use crate::app::context::Context;
use crate::app::credentials::{self, Enrolled, Enrolment};
use crate::app::secret_input::{Purpose, SecretInput};
use crate::cli::argument;
use crate::domain::client::config::GivenValues;
use crate::domain::client::environment::{Environment, KNOWN_LABELS};
use crate::domain::client::identity::{Client, ClientId, Tenant};
use crate::domain::client::import::Taken;
use crate::domain::client::store_kind::{SecretCommand, StoreKind, WRITABLE};
use crate::domain::client::variable;
use crate::domain::text::shell::quote;
use crate::edge::prompt;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

/// Asks for what is not given, checks the secret by minting a token (which is thrown away), and only then stores it. The
/// secret comes from a hidden prompt, standard input, a file or a command; never from the command line or a variable.
/// A profile that exists keeps its environment, tenant, client id and store: only its secret is replaced.
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
    let name = credentials::profile_name(context)?;
    let known = context.config()?.profiles().get(&name);
    let mut given = given_values(args, known.map(|profile| &profile.store), context)?;
    if let Some(profile) = known {
        let same = profile.refuse_other_values(&name, &given);
        same.map_err(|error| Failure::profile_conflict(error, &name, "corti-auth login"))?;
    }
    let store = given.store.take().map(|store| store.value);
    let kind = store.or(known.map(|profile| profile.store.clone())).unwrap_or(StoreKind::Keyring);
    let client = if let Some(profile) = known {
        profile.client.clone()
    } else {
        if !context.may_ask() {
            refuse_incomplete(args, &given, &kind, context)?;
        }
        new_client(given, context).await?
    };
    let again = format!("corti-auth login --profile {name}");
    // Before anybody types a secret that could then not be kept, or not be found again.
    let enrolment = Enrolment::prepare(context, name, client, kind).await?;
    let secret = match enrolment.kept_elsewhere().await? {
        Some(secret) => secret,
        None => args.secret_input().read(context, Purpose::LOGIN.with(args.options())).await?,
    };
    Ok(LoginOutcome(enrolment.complete(&secret, !args.no_verify, again).await?))
}

/// The store that the flags or the variable name, else the keyring.
///
/// # Errors
/// As [`named_store`].
pub(super) fn store_kind(
    flag: Option<&str>,
    command: Option<&str>,
    context: &Context<'_>,
) -> Result<StoreKind, Failure> {
    let named = named_store(flag, command, None, context)?;
    Ok(named.map_or(StoreKind::Keyring, |named| named.value))
}

/// The store that the flags or the variable name. `command` as a word alone means the command that the profile has.
///
/// # Errors
/// Where it is none, or lacks its command.
pub(super) fn named_store(
    flag: Option<&str>,
    command: Option<&str>,
    known: Option<&StoreKind>,
    context: &Context<'_>,
) -> Result<Option<Taken<StoreKind>>, Failure> {
    let hint = "--store keyring, --store file, or --secret-command 'CMD ARGS'";
    let command = command.map(SecretCommand::split).transpose();
    let command = command.map_err(|error| Failure::new(Kind::Usage, error).hint(hint))?;
    // A command on the command line is the choice; the variable is for the others.
    let from_variable = context.host.env.get(variable::STORE).filter(|_| command.is_none());
    let name = match (&command, flag, &from_variable) {
        (Some(_), _, _) => "--secret-command",
        (None, Some(_), _) => "--store",
        (None, None, Some(_)) => variable::STORE,
        (None, None, None) => return Ok(None),
    };
    let word = flag.or(from_variable.as_deref());
    let known = known.and_then(StoreKind::command).filter(|_| word == Some("command")).cloned();
    match StoreKind::parse(word, command.or(known)) {
        Ok(value) => Ok(Some(Taken { value, name: name.to_owned() })),
        Err(error) if name == variable::STORE => {
            Err(Failure::new(Kind::Configuration, format!("{}: {error}", variable::STORE)).hint(format!(
                "unset {}, or choose one: corti-auth login --store keyring, or --store file",
                variable::STORE
            )))
        }
        Err(error) => Err(Failure::new(Kind::Usage, error).hint(hint)),
    }
}

/// Where nobody can be asked and no profile knows it: all that is missing at once.
fn refuse_incomplete(
    args: &LoginArgs,
    given: &GivenValues,
    kind: &StoreKind,
    context: &Context<'_>,
) -> Result<(), Failure> {
    let (has_environment, has_id) = (given.environment.is_some(), given.client_id.is_some());
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
    let (missing, options): (Vec<_>, Vec<_>) =
        wanted.into_iter().filter(|(has, ..)| !has).map(|(_, name, option)| (name, option)).unzip();
    let message = match missing.split_last() {
        Some((last, rest)) if !rest.is_empty() => {
            format!("{} and {last} are missing, and nobody can be asked for them", rest.join(", "))
        }
        _ => format!("{} is missing, and nobody can be asked for it", missing.concat()),
    };
    Err(Failure::new(Kind::Usage, message).hint(format!(
        "corti-auth login{}{}{}{}",
        context.choice(),
        args.options(),
        options.concat(),
        secret.unwrap_or_default()
    )))
}

/// What the flags and the variables give.
fn given_values(
    args: &LoginArgs,
    known: Option<&StoreKind>,
    context: &Context<'_>,
) -> Result<GivenValues, Failure> {
    let (flags, variables) = (context.flags()?, context.variables()?);
    let typed = args.client_id.as_deref().map(str::parse::<ClientId>).transpose();
    let typed = typed.map_err(|error| {
        Failure::new(Kind::Usage, error).hint("the Corti Console shows it: corti-auth login --client-id ID")
    })?;
    Ok(GivenValues {
        environment: first(
            (&flags.environment, "--environment"),
            (&variables.environment, variable::ENVIRONMENT),
        ),
        tenant: first((&flags.tenant, "--tenant"), (&variables.tenant, variable::TENANT)),
        client_id: first((&typed, "--client-id"), (&variables.client_id, variable::CLIENT_ID)),
        store: named_store(args.store.as_deref(), args.secret_command.as_deref(), known, context)?,
    })
}

/// The flag's value, else the variable's.
fn first<T: Clone>(flag: (&Option<T>, &str), variable: (&Option<T>, &str)) -> Option<Taken<T>> {
    let taken =
        |(value, name): (&Option<T>, &str)| value.clone().map(|value| Taken { value, name: name.to_owned() });
    taken(flag).or_else(|| taken(variable))
}

/// The client of a new profile. What is not named is asked for.
async fn new_client(given: GivenValues, context: &Context<'_>) -> Result<Client, Failure> {
    let environment = match given.environment {
        Some(given) => given.value,
        None => ask_environment().await?,
    };
    let tenant = match given.tenant {
        Some(given) => given.value,
        None if !context.may_ask() => Tenant::default(),
        None => {
            let default = Some(Tenant::default().to_string());
            parsed(&prompt::text("Tenant", default, check::<Tenant>).await?)?
        }
    };
    let id = match given.client_id {
        Some(given) => given.value,
        None => parsed(&prompt::text("Client id", None, check::<ClientId>).await?)?,
    };
    Ok(Client { environment, tenant, id })
}

async fn ask_environment() -> Result<Environment, Failure> {
    let choice = prompt::select("Environment", &["eu", "us", "other"]).await?;
    match KNOWN_LABELS.get(choice) {
        Some(label) => parsed(label),
        None => parsed(&prompt::text("Environment (a label or a URL)", None, check::<Environment>).await?),
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

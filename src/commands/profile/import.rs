//! `profile import`: a client out of a `.env` file into a store and a profile.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::app::context::Context;
use crate::app::credentials::{self, Enrolled, Enrolment};
use crate::cli::argument;
use crate::commands::login;
use crate::domain::client::config::GivenValues;
use crate::domain::client::dotenv;
use crate::domain::client::identity::{Client, ProfileName};
use crate::domain::client::import::{Import, Taken};
use crate::domain::client::secret::ClientSecret;
use crate::domain::client::store_kind::{StoreKind, WRITABLE};
use crate::domain::text::event::Event;
use crate::domain::text::page::{Page, Tone};
use crate::domain::text::shell::quote;
use crate::edge::{input, prompt};
use crate::failure::{Failure, Kind};
use crate::output::Text;

/// How much of a file is read. A `.env` has a few kilobytes.
const LIMIT: usize = 1024 * 1024;

/// Import a client from a .env file
///
/// Takes the environment, the tenant, the client id and the secret from a file of NAME=VALUE lines: `CORTI_CLIENT_ID`
/// and the vendor's other names, those of its examples (`CORTI__CLIENTID`), and the plain ones (`CLIENT_ID`). Names
/// with the prefix win. Shows what is taken from where, asks, and then does what login does. The file is left as it
/// is: delete it afterwards.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth profile import .env
  corti-auth profile import acme.env --profile acme --yes
  corti-auth profile import acme.env --store file    on a machine without a keyring")]
pub(in crate::commands) struct ImportArgs {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Keep the secret in this store: keyring or file (encrypted with a passphrase)
    #[arg(long, value_name = "STORE", add = argument::offering(&WRITABLE))]
    store: Option<String>,
    /// Import without asking
    #[arg(short, long)]
    yes: bool,
    /// Store the secret without minting a token first
    #[arg(long)]
    no_verify: bool,
}

/// An imported client.
pub(in crate::commands) struct ImportOutcome {
    enrolled: Enrolled,
    file: PathBuf,
    origins: Origins,
}

/// The name that each value was taken from.
struct Origins {
    environment: String,
    tenant: String,
    client_id: String,
    client_secret: String,
}

/// What an import would store.
struct Draft {
    name: ProfileName,
    client: Client,
    secret: ClientSecret,
    origins: Origins,
    passed_over: Vec<String>,
}

/// # Errors
/// Where the file names no client, nobody agrees, or as `login` fails.
pub(super) async fn run(args: &ImportArgs, context: &Context<'_>) -> Result<ImportOutcome, Failure> {
    let import = read(&args.file).await?;
    let draft = draft(import, &args.file, context)?;
    if let Some(word) = args.store.as_deref().filter(|word| !["keyring", "file"].contains(word)) {
        return Err(Failure::new(Kind::Usage, format!("an import cannot keep a secret in `{word}`"))
            .hint("--store keyring, or --store file"));
    }
    let known = context.config()?.profiles().get(&draft.name).map(|profile| &profile.store);
    let store = login::named_store(args.store.as_deref(), None, known, context)?;
    let kind = store.as_ref().map(|named| &named.value).or(known).unwrap_or(&StoreKind::Keyring).clone();
    refuse_other_values(&draft, store, &args.file, context)?;
    agree(args, &draft, &kind, context).await?;
    let Draft { name, client, secret, origins, .. } = draft;
    let enrolment = Enrolment::prepare(context, name.clone(), client, kind).await?;
    let again = format!("corti-auth profile import {} --profile {name}", quote(&as_operand(&args.file)));
    let enrolled = enrolment.complete(&secret, !args.no_verify, again).await?;
    Ok(ImportOutcome { enrolled, file: args.file.clone(), origins })
}

async fn read(path: &Path) -> Result<Import, Failure> {
    let bytes = input::read(Some(path), LIMIT).await.map_err(|reason| {
        Failure::new(Kind::Usage, format!("cannot read `{}`: {reason}", path.display()))
            .hint("name a file of NAME=VALUE lines: corti-auth profile import FILE.env")
    })?;
    let wrong = |error: anyhow::Error| {
        Failure::caused(Kind::Configuration, error.context(format!("cannot import `{}`", path.display())))
            .hint("mend the file, or give the values to login: corti-auth login --help")
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong(anyhow::Error::msg("it is not UTF-8 text")))?;
    let entries = dotenv::parse(text).map_err(|error| wrong(error.into()))?;
    Import::read(&entries).map_err(|error| wrong(error.into()))
}

/// The file's values; the flags are over them, and variables are not asked: the file was named.
fn draft(import: Import, path: &Path, context: &Context<'_>) -> Result<Draft, Failure> {
    let missing = |what: &str, names: &str| {
        Failure::new(Kind::Configuration, format!("`{}` has no {what} ({names})", path.display()))
    };
    let flags = context.flags()?;
    let flag = |name: &str| name.to_owned();
    let (environment, environment_name) = match (&flags.environment, import.environment) {
        (Some(value), _) => (value.clone(), flag("--environment")),
        (None, Some(Taken { value, name })) => (value, name),
        (None, None) => {
            return Err(missing("environment", "CORTI_ENVIRONMENT").hint("say which: --environment eu"));
        }
    };
    let (tenant, tenant_name) = match (&flags.tenant, import.tenant) {
        (Some(value), _) => (value.clone(), flag("--tenant")),
        (None, Some(Taken { value, name })) => (value, name),
        (None, None) => Default::default(),
    };
    let login = "store it by login: corti-auth login";
    let id = import.client_id.ok_or_else(|| missing("client id", "CORTI_CLIENT_ID").hint(login))?;
    let secret = import.client_secret;
    let secret = secret.ok_or_else(|| missing("client secret", "CORTI_CLIENT_SECRET").hint(login))?;
    Ok(Draft {
        name: credentials::profile_name(context)?,
        client: Client { environment, tenant, id: id.value },
        secret: secret.value,
        origins: Origins {
            environment: environment_name,
            tenant: tenant_name,
            client_id: id.name,
            client_secret: secret.name,
        },
        passed_over: import.passed_over,
    })
}

/// A profile that exists keeps its client and its store.
fn refuse_other_values(
    draft: &Draft,
    store: Option<Taken<StoreKind>>,
    file: &Path,
    context: &Context<'_>,
) -> Result<(), Failure> {
    let Some(profile) = context.config()?.profiles().get(&draft.name) else { return Ok(()) };
    let Client { environment, tenant, id } = &draft.client;
    let origin = |name: &str| match name {
        "" => "the default".to_owned(),
        flag if flag.starts_with("--") => flag.to_owned(),
        name => format!("{name} in {}", file.display()),
    };
    let given = GivenValues {
        environment: Some(Taken { value: environment.clone(), name: origin(&draft.origins.environment) }),
        tenant: Some(Taken { value: tenant.clone(), name: origin(&draft.origins.tenant) }),
        client_id: Some(Taken { value: id.clone(), name: origin(&draft.origins.client_id) }),
        store,
    };
    let command = format!("corti-auth profile import {}", quote(&as_operand(file)));
    let conflict = |error| Failure::profile_conflict(error, &draft.name, &command);
    profile.refuse_other_values(&draft.name, &given).map_err(|error| conflict(error.into()))?;
    let Some(program) = profile.store.command() else { return Ok(()) };
    let message = format!("the profile `{}` gets its secret from the command `{program}`", draft.name);
    Err(conflict(anyhow::Error::msg(message)))
}

async fn agree(
    args: &ImportArgs,
    draft: &Draft,
    kind: &StoreKind,
    context: &Context<'_>,
) -> Result<(), Failure> {
    let asks = !args.yes && context.may_ask();
    let quiet = context.options.quiet || context.options.json;
    if asks || !quiet {
        context.sink.event(Event::Preview(draft.page(&args.file).field("store", kind.as_str())));
    }
    if !draft.client.environment.is_documented() {
        let message = format!("`{}` is not an environment that Corti documents", draft.client.environment);
        context.warn(message, None);
    }
    if args.yes {
        return Ok(());
    }
    if !asks {
        return Err(Failure::new(Kind::Usage, "nobody can be asked whether this is meant")
            .hint("if it is, say so: --yes"));
    }
    if prompt::confirm(format!("Import it as profile `{}`?", draft.name)).await? {
        return Ok(());
    }
    // Not success: `import FILE && rm FILE` must keep the file.
    context.note("nothing is imported");
    Err(Failure::new(Kind::Interrupted, "nothing is imported: the answer was no"))
}

impl Draft {
    /// What is taken from where. Of the secret its length only.
    fn page(&self, path: &Path) -> Page {
        let Client { environment, tenant, id } = &self.client;
        let from = |value: String, name: &str| match name {
            "" => format!("{value}  (the default: the file names none)"),
            name => format!("{value}  (from {name})"),
        };
        let secret = format!("{} characters", self.secret.secret().length());
        let page = Page::new()
            .toned(Tone::Strong, format!("{} has a client:", path.display()))
            .field("environment", from(environment.to_string(), &self.origins.environment))
            .field("tenant", from(tenant.to_string(), &self.origins.tenant))
            .field("client", from(id.to_string(), &self.origins.client_id))
            .field("secret", from(secret, &self.origins.client_secret))
            .field("profile", self.name.as_str());
        let other = |page: Page, text: &String| page.toned_field("not taken", Tone::Dim, text);
        self.passed_over.iter().fold(page, other)
    }
}

impl ImportOutcome {
    /// The fields of the JSON object.
    pub(super) fn json(&self) -> Value {
        let mut fields = self.enrolled.json();
        let Origins { environment, tenant, client_id, client_secret } = &self.origins;
        let from = json!({
            "environment": environment,
            "tenant": (!tenant.is_empty()).then_some(tenant),
            "client_id": client_id,
            "client_secret": client_secret,
        });
        if let Some(fields) = fields.as_object_mut() {
            fields.insert("taken_from".to_owned(), from);
            fields.insert("file".to_owned(), self.file.display().to_string().into());
        }
        fields
    }

    /// The same for a person.
    pub(super) fn text(&self) -> Text {
        let done = if self.enrolled.verified { "imported" } else { "imported, not verified" };
        let delete = format!("it has the secret in plain text: rm {}", quote(&as_operand(&self.file)));
        Text::Message(self.enrolled.page(done).toned_field("delete the file", Tone::Caution, delete))
    }
}

/// A path that no program takes for an option.
fn as_operand(path: &Path) -> String {
    let text = path.display().to_string();
    if text.starts_with('-') { format!("./{text}") } else { text }
}

//! `profile import`: a client out of a `.env` file into a store and a profile.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::app::context::Context;
use crate::app::credentials::{self, Credential};
use crate::cli::argument;
use crate::domain::client::api_client::Client;
use crate::domain::client::config::GivenValues;
use crate::domain::client::dotenv;
use crate::domain::client::environment::Environment;
use crate::domain::client::identity::{ClientId, ProfileName, Tenant};
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

/// What an import would store.
struct Draft {
    name: ProfileName,
    environment: Taken<Environment>,
    /// Its name is empty where it is the default.
    tenant: Taken<Tenant>,
    id: Taken<ClientId>,
    secret: Taken<ClientSecret>,
    passed_over: Vec<String>,
}

/// The outcome as JSON and as text.
pub(super) async fn run(args: &ImportArgs, context: &Context<'_>) -> Result<(Value, Text), Failure> {
    let import = read(&args.file).await?;
    let draft = draft(import, &args.file, context)?;
    if let Some(word) = args.store.as_deref().filter(|word| !WRITABLE.contains(word)) {
        return Err(Failure::new(Kind::Usage, format!("an import cannot keep a secret in `{word}`"))
            .hint("--store keyring, or --store file"));
    }
    let known = context.config()?.profiles().get(&draft.name);
    let store = credentials::named_store(args.store.as_deref(), None, known, context)?;
    let kind = credentials::store_kind(store.as_ref(), known);
    if let Some(profile) = known {
        let given = draft.given(store, &args.file);
        let same = profile.refuse_other_values(&draft.name, &given);
        same.map_err(|error| Failure::profile_conflict(error, &draft.name))?;
    }
    agree(args, &draft, &kind, context).await?;
    let taken_from = json!({
        "environment": draft.environment.name,
        "tenant": (!draft.tenant.name.is_empty()).then_some(draft.tenant.name),
        "client_id": draft.id.name,
        "client_secret": draft.secret.name,
    });
    let client =
        Client { environment: draft.environment.value, tenant: draft.tenant.value, id: draft.id.value };
    let credential = Credential::new(context, draft.name, client, kind)?;
    credential.prepare().await?;
    let stored = credential.log_in(&draft.secret.value, !args.no_verify).await?;
    let file = args.file.display().to_string();
    let done = if stored.verified { "imported" } else { "imported, not verified" };
    let page = stored
        .page(done)
        .toned(Tone::Caution, format!("warning: {file} still holds the secret in plain text"))
        .line(format!("hint: rm {}", quote(&file)));
    let mut json = stored.json();
    if let Some(fields) = json.as_object_mut() {
        fields.insert("taken_from".to_owned(), taken_from);
        fields.insert("file".to_owned(), file.into());
    }
    Ok((json, Text::Message(page)))
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
    let environment = flagged(flags.environment.as_ref(), "--environment").or(import.environment);
    let tenant = flagged(flags.tenant.as_ref(), "--tenant").or(import.tenant);
    let login = "store it by login: corti-auth login";
    Ok(Draft {
        name: credentials::profile_name(context)?,
        environment: environment
            .ok_or_else(|| missing("environment", "CORTI_ENVIRONMENT").hint("say which: --environment eu"))?,
        tenant: tenant.unwrap_or(Taken { value: Tenant::default(), name: String::new() }),
        id: import.client_id.ok_or_else(|| missing("client id", "CORTI_CLIENT_ID").hint(login))?,
        secret: import
            .client_secret
            .ok_or_else(|| missing("client secret", "CORTI_CLIENT_SECRET").hint(login))?,
        passed_over: import.passed_over,
    })
}

fn flagged<T: Clone>(value: Option<&T>, flag: &str) -> Option<Taken<T>> {
    value.cloned().map(|value| Taken { value, name: flag.to_owned() })
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
    let environment = &draft.environment.value;
    if !environment.is_documented() {
        let message = format!("`{environment}` is not an environment that Corti documents");
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
    /// The values to compare with those of a profile that exists, each with where it comes from.
    fn given(&self, store: Option<Taken<StoreKind>>, file: &Path) -> GivenValues {
        fn told<T: Clone>(taken: &Taken<T>, file: &Path) -> Taken<T> {
            let name = match taken.name.as_str() {
                "" => "the default".to_owned(),
                flag if flag.starts_with("--") => flag.to_owned(),
                name => format!("{name} in {}", file.display()),
            };
            Taken { value: taken.value.clone(), name }
        }
        GivenValues {
            environment: Some(told(&self.environment, file)),
            tenant: Some(told(&self.tenant, file)),
            client_id: Some(told(&self.id, file)),
            store,
        }
    }

    /// What is taken from where. Of the secret its length only.
    fn page(&self, path: &Path) -> Page {
        let from = |value: &dyn std::fmt::Display, name: &str| match name {
            "" => format!("{value}  (the default: the file names none)"),
            name => format!("{value}  (from {name})"),
        };
        let Self { name, environment, tenant, id, secret, passed_over } = self;
        let length = format!("{} characters", secret.value.secret().length());
        let page = Page::new()
            .toned(Tone::Strong, format!("{} has a client:", path.display()))
            .field("environment", from(&environment.value, &environment.name))
            .field("tenant", from(&tenant.value, &tenant.name))
            .field("client", from(&id.value, &id.name))
            .field("secret", from(&length, &secret.name))
            .field("profile", name.as_str());
        passed_over.iter().fold(page, |page, text| page.toned_field("not taken", Tone::Dim, text))
    }
}

//! `profile import`: stores a client from a `.env` file as a profile.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::app::context::{Context, Options};
use crate::app::credentials::{self, Credential, taken};
use crate::cli::argument;
use crate::domain::client::api_client::Client;
use crate::domain::client::config::GivenValues;
use crate::domain::client::dotenv;
use crate::domain::client::identity::{ProfileName, Tenant};
use crate::domain::client::import::{Import, Taken};
use crate::domain::client::secret::ClientSecret;
use crate::domain::client::store_kind::{StoreKind, WRITABLE};
use crate::domain::text::event::Event;
use crate::domain::text::page::{Page, Tone};
use crate::domain::text::shell::{Shell, quote};
use crate::edge::input;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

/// How much of a file is read, in bytes. A `.env` has a few kilobytes.
const LIMIT: usize = 1024 * 1024;

/// Import a client from a .env file
///
/// Reads the environment, the tenant, the client id and the secret from NAME=VALUE lines, under Corti's names
/// (`CORTI_CLIENT_ID`, `CORTI__CLIENTID`) or without the prefix (`CLIENT_ID`). Names with the prefix win. Shows each
/// value's name, asks, and then does what login does. The file is not changed: delete it afterwards.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth profile import .env
  corti-auth profile import acme.env --profile acme --yes
  corti-auth profile import acme.env --store file    on a machine without a keyring")]
pub(in crate::commands) struct ImportArgs {
    /// The .env file
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
    client: Client,
    secret: Taken<ClientSecret>,
    /// The variables or options that gave the environment, the tenant and the client id. Empty for the default.
    names: [String; 3],
    passed_over: Vec<String>,
}

pub(super) async fn run(args: &ImportArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    let draft = draft(read(&args.file).await?, &args.file, context)?;
    if let Some(word) = args.store.as_deref().filter(|word| !WRITABLE.contains(word)) {
        return Err(Failure::new(
            Kind::Usage,
            format!("import cannot use --store {word}; use keyring or file"),
        )
        .hint("corti-auth profile import FILE --store keyring"));
    }
    let known = context.config()?.profiles().get(&draft.name);
    let store = credentials::named_store(args.store.as_deref(), None, known, context)?;
    let kind = credentials::store_kind(store.as_ref(), known);
    if let Some(profile) = known {
        profile.refuse_other_values(&draft.name, &draft.given(store, &args.file))?;
    }
    confirm(args, &draft, &kind, context).await?;
    let Draft { name, client, secret, names: [environment, tenant, id], .. } = draft;
    let credential = Credential::new(context, name, client, kind)?;
    credential.prepare().await?;
    if !args.no_verify {
        credential.verify(&secret.value).await?;
    }
    let done = if args.no_verify { "imported without verifying" } else { "imported" };
    let (mut json, page) = credential.log_in(&secret.value, !args.no_verify, done).await?;
    let file = args.file.display().to_string();
    json["taken_from"] = json!({
        "environment": environment,
        "tenant": Some(tenant).filter(|name| !name.is_empty()),
        "client_id": id,
        "client_secret": secret.name,
    });
    json["file"] = json!(file);
    let page = page
        .toned(Tone::Caution, format!("warning: {file} still holds the secret in plain text"))
        .line(format!("hint: {}", Shell::HERE.remove_file(&file)));
    Ok(Outcome::new("profile-import", json, Text::Message(page)))
}

async fn read(path: &Path) -> Result<Import, Failure> {
    let bytes = input::read(Some(path), LIMIT).await.map_err(|reason| {
        Failure::new(Kind::Usage, format!("cannot read `{}`: {reason}", path.display()))
            .hint("name a file of NAME=VALUE lines: corti-auth profile import FILE.env")
    })?;
    let wrong = |error: anyhow::Error| {
        Failure::caused(Kind::Configuration, error.context(format!("cannot import `{}`", path.display())))
            .hint("correct the file, or give the values to login: corti-auth login --help")
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong(anyhow::Error::msg("it is not UTF-8 text")))?;
    let entries = dotenv::parse(text).map_err(|error| wrong(error.into()))?;
    Import::read(&entries).map_err(|error| wrong(error.into()))
}

/// The file's values, unless the options give others. Variables do not count: the file was named.
fn draft(import: Import, path: &Path, context: &Context<'_>) -> Result<Draft, Failure> {
    let missing = |what: &str, names: &str, hint: &str| {
        let message = format!("`{}` has no {what} ({names})", path.display());
        Failure::new(Kind::Configuration, message).hint(hint)
    };
    let flags = context.flags()?;
    let environment = taken(flags.environment.as_ref(), "--environment").or(import.environment);
    let environment = environment
        .ok_or_else(|| missing("environment", "CORTI_ENVIRONMENT", "say which: --environment eu"))?;
    let tenant = taken(flags.tenant.as_ref(), "--tenant").or(import.tenant);
    let tenant = tenant.unwrap_or(Taken { value: Tenant::default(), name: String::new() });
    let login = "store it with login: corti-auth login";
    let id = import.client_id.ok_or_else(|| missing("client id", "CORTI_CLIENT_ID", login))?;
    let secret = import.client_secret;
    Ok(Draft {
        name: credentials::profile_name(context)?,
        client: Client { environment: environment.value, tenant: tenant.value, id: id.value },
        secret: secret.ok_or_else(|| missing("client secret", "CORTI_CLIENT_SECRET", login))?,
        names: [environment.name, tenant.name, id.name],
        passed_over: import.passed_over,
    })
}

/// Shows what would be stored, and asks.
async fn confirm(
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
    if let Some(message) = draft.client.environment.warning() {
        context.warn(message, None);
    }
    if !args.yes && !asks {
        let message = "this import needs a confirmation, and there is no terminal";
        return Err(Failure::new(Kind::Usage, message).hint(args.confirmed(context)));
    }
    let question = format!("Import it as profile `{}`?", draft.name);
    if args.yes || context.questions().confirm(&question).await? {
        return Ok(());
    }
    // Not a success: `import FILE && rm FILE` must keep the file.
    context.note("cancelled; nothing was imported");
    Err(Failure::new(Kind::Interrupted, "cancelled; nothing was imported"))
}

impl ImportArgs {
    /// The same command, with a yes.
    fn confirmed(&self, context: &Context<'_>) -> String {
        let file = quote(&self.file.display().to_string());
        let Options { environment, tenant, .. } = context.options;
        let options = [("environment", environment), ("tenant", tenant), ("store", &self.store)];
        let options = options.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let options: Vec<_> = options.map(|(name, value)| format!(" --{name} {}", quote(value))).collect();
        let options = options.concat();
        let no_verify = if self.no_verify { " --no-verify" } else { "" };
        format!("corti-auth profile import {file}{}{options}{no_verify} --yes", context.profile_option())
    }
}

impl Draft {
    /// The values to compare with those of a profile that exists, each with where it comes from.
    fn given(&self, store: Option<Taken<StoreKind>>, file: &Path) -> GivenValues {
        let [environment, tenant, id] = self.names.each_ref().map(|name| match name.as_str() {
            "" => "the default".to_owned(),
            flag if flag.starts_with("--") => flag.to_owned(),
            name => format!("{name} in {}", file.display()),
        });
        let client = self.client.clone();
        GivenValues {
            environment: Some(Taken { value: client.environment, name: environment }),
            tenant: Some(Taken { value: client.tenant, name: tenant }),
            client_id: Some(Taken { value: client.id, name: id }),
            store,
        }
    }

    /// Each value with its source. For the secret, only the length.
    fn page(&self, path: &Path) -> Page {
        let from = |value: String, name: &str| match name {
            "" => format!("{value}  (default; not in the file)"),
            name => format!("{value}  (from {name})"),
        };
        let Client { environment, tenant, id } = &self.client;
        let [environment_name, tenant_name, id_name] = &self.names;
        let length = self.secret.value.secret().length();
        let length = format!("{length} character{}", if length == 1 { "" } else { "s" });
        let page = Page::new()
            .toned(Tone::Strong, format!("{} has a client:", path.display()))
            .field("environment", from(environment.to_string(), environment_name))
            .field("tenant", from(tenant.to_string(), tenant_name))
            .field("client", from(id.to_string(), id_name))
            .field("secret", from(length, &self.secret.name))
            .field("profile", self.name.as_str());
        self.passed_over.iter().fold(page, |page, text| page.toned_field("ignored", Tone::Dim, text))
    }
}

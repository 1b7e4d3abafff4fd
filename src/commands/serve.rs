//! `serve`: the backend in front of Corti, for frontends and programs that must not hold its credentials.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::app::context::{self as app, Context};
use crate::app::tokens::Tokens;
use crate::domain::client::api_client::Client;
use crate::domain::client::resolve::{Layer, Plan, SecretSource};
use crate::domain::client::secret::Secret;
use crate::domain::client::variable::GivenSecret;
use crate::domain::gateway::caller::KEY_PREFIX;
use crate::domain::gateway::config::{Config, Listen, TicketKeys};
use crate::domain::gateway::operation;
use crate::domain::gateway::rules::Permissions;
use crate::domain::gateway::ticket::{Keys, MIN_KEY_BYTES};
use crate::domain::text::event::Event;
use crate::domain::text::page::{Page, Tone};
use crate::domain::text::shell::quote;
use crate::edge::listener::Source;
use crate::edge::{loopback, mounted_secret, private_file, process};
use crate::failure::{Failure, Kind};
use crate::gateway::{self, Setup};
use crate::output;
use crate::output::{Outcome, Text};
use crate::sandbox::Sandbox;

/// The longest `serve.toml`, in bytes.
const LONGEST_CONFIG: usize = 512 * 1024;

/// The longest key of tickets, in bytes.
const LONGEST_KEY: usize = 4096;

/// A frontend asks this server instead of Corti. Callers prove who they are, by a JWT of your identity provider or an API key;
/// `serve.toml` says what each group may do; the server adds Corti's token. A browser gets at most a limited token.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth serve --dev                          for development, with a key made now
  corti-auth serve --dev --static ./page --port 0
  corti-auth serve --new-key batch                make an API key, and its line for serve.toml
  corti-auth serve --config serve.toml --check    show what each group may do
  corti-auth serve --config serve.toml

docs/serve.md has a whole serve.toml.")]
pub(super) struct ServeArgs {
    /// Read the rules from this file [default: serve.toml in the configuration folder]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Serve on this machine only, without a file: one key, which may do everything
    #[arg(long, conflicts_with = "config")]
    dev: bool,
    /// With --dev: serve the files of this folder, too
    #[arg(long = "static", value_name = "DIR", requires = "dev")]
    folder: Option<PathBuf>,
    /// With --dev: listen on this port; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8744, requires = "dev")]
    port: u16,
    /// With --dev: let pages of this origin call, such as `http://localhost:5173`
    #[arg(long, value_name = "URL", requires = "dev")]
    origin: Vec<String>,
    /// With --dev: put an emulated Corti behind it, even if you are logged in
    #[arg(long, requires = "dev")]
    sandbox: bool,
    /// Show what each group may do, and stop
    #[arg(long, conflicts_with_all = ["dev", "new_key"])]
    check: bool,
    /// Make an API key of this name, print it once with its line for serve.toml, and stop
    #[arg(long, value_name = "NAME", conflicts_with_all = ["dev", "config"])]
    new_key: Option<String>,
}

pub(super) async fn run(args: &ServeArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    if let Some(name) = &args.new_key {
        return new_key(name);
    }
    if args.dev {
        return dev(args, context).await;
    }
    let path = match &args.config {
        Some(path) => path.clone(),
        None => context.config_file()?.folder().join("serve.toml"),
    };
    let config = read_config(&path)?;
    if args.check {
        return Ok(Outcome::new("serve_check", check_json(&config), Text::Page(check_page(&config))));
    }
    let stop = process::asked_to_stop();
    let named = config.profile.clone();
    let options =
        app::Options { profile: context.options.profile.clone().or(named), ..context.options.clone() };
    let context = Context::new(context.host, &options, context.sink)?;
    let plan = context.plan()?;
    let mut sources = Vec::new();
    for address in &config.listen {
        sources.push(bind(address).await?);
    }
    let metrics = match &config.metrics {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let listening: Vec<String> = sources.iter().chain(&metrics).map(Source::address).collect();
    context.note(format!("listening on {}; behind it: {}", listening.join(", "), behind(&plan)));
    let hosts = vec![authority(&config.public_url)];
    let ticket_keys = ticket_keys(&config)?;
    let setup = Setup { config, plan, ticket_keys, hosts, page: None, sources, metrics, logs: true };
    gateway::run(&Tokens::new(&context), setup, stop, stopped_twice()).await?;
    Ok(Outcome::silent())
}

/// Whoever asks twice does not want to wait for the others.
async fn stopped_twice() {
    process::asked_to_stop().await;
    process::asked_to_stop().await;
}

/// The client that is behind the gateway.
fn behind(plan: &Plan) -> String {
    let Client { environment, tenant, id } = &plan.client;
    format!("client {id} of {environment}, tenant {tenant}")
}

async fn bind(address: &Listen) -> Result<Source, Failure> {
    Source::bind(address).await.map_err(|error| {
        Failure::new(Kind::Usage, format!("cannot listen on {address}: {error}"))
            .hint("choose another address in `listen` of serve.toml")
    })
}

/// `host:port`, as a `Host` header has it.
fn authority(url: &url::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn read_config(path: &Path) -> Result<Config, Failure> {
    let name = path.display().to_string();
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let read = private_file::refuse_exposed(folder).and_then(|()| private_file::open(path));
    let bytes = read.and_then(|file| crate::edge::host::read_bounded(file, LONGEST_CONFIG));
    let bytes = bytes.map_err(|error| {
        let failure = Failure::new(Kind::Configuration, format!("cannot read `{name}`: {error}"));
        match private_file::Exposed::of(&error) {
            Some(_) => {
                failure.hint(format!("chmod go-w {} {}", quote(&folder.display().to_string()), quote(&name)))
            }
            None => failure.hint("without a file, for development: corti-auth serve --dev"),
        }
    })?;
    let parsed = std::str::from_utf8(&bytes).map_err(|_| "it is not UTF-8 text".to_owned());
    let parsed = parsed.and_then(|text| Config::parse(text).map_err(|error| error.to_string()));
    parsed.map_err(|reason| {
        Failure::new(Kind::Configuration, format!("`{name}`: {}", reason.trim_end()))
            .hint("docs/serve.md has a whole serve.toml")
    })
}

fn ticket_keys(config: &Config) -> Result<Keys, Failure> {
    let Some(TicketKeys { key_file, old_key_file }) = &config.ticket else {
        let mut key = zeroize::Zeroizing::new([0; MIN_KEY_BYTES]);
        getrandom::fill(key.as_mut()).map_err(no_random)?;
        return Ok(Keys::new(&config.public_url, &[*key]));
    };
    let read = |path: &PathBuf| {
        let name = path.display().to_string();
        let failed = |reason: String| {
            Failure::new(Kind::Configuration, format!("cannot use the ticket key in `{name}`: {reason}"))
                .hint(format!("(umask 077; head -c 32 /dev/urandom | base64 > {})", quote(&name)))
        };
        let bytes = mounted_secret::read(path, LONGEST_KEY).map_err(|error| failed(error.to_string()))?;
        if bytes.len() < MIN_KEY_BYTES {
            return Err(failed(format!("it has fewer than {MIN_KEY_BYTES} bytes")));
        }
        Ok(zeroize::Zeroizing::new(bytes))
    };
    let keys = std::iter::once(key_file).chain(old_key_file).map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(Keys::new(&config.public_url, &keys.iter().map(|key| key.as_slice()).collect::<Vec<_>>()))
}

fn no_random(error: getrandom::Error) -> Failure {
    Failure::new(Kind::Unexpected, format!("the operating system gave no random bytes: {error}"))
}

/// A new API key, and its SHA-256 in hex.
fn api_key() -> Result<(Secret, String), Failure> {
    let random = [loopback::random_text().map_err(no_random)?, loopback::random_text().map_err(no_random)?];
    let key = Secret::new(format!("{KEY_PREFIX}{}{}", random[0].expose(), random[1].expose()));
    let hex = format!("{:x}", Sha256::digest(key.expose().as_bytes()));
    Ok((key, hex))
}

fn new_key(name: &str) -> Result<Outcome, Failure> {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_bare) {
        let message = format!("`{name}` is not a key's name: use letters, digits, - and _");
        return Err(Failure::new(Kind::Usage, message).hint("corti-auth serve --new-key batch"));
    }
    let (key, sha256) = api_key()?;
    let line = format!("{name} = {{ sha256 = \"{sha256}\", groups = [\"{name}\"] }}");
    let text =
        format!("{}\n\n# in serve.toml; only the caller keeps the key itself\n[keys]\n{line}", key.expose());
    let json = json!({ "name": name, "sha256": sha256, "line": line });
    Ok(Outcome {
        secret: Some(("key", key)),
        ..Outcome::new("serve_key", json, Text::Datum(Secret::new(text)))
    })
}

fn check_json(config: &Config) -> Value {
    let groups = config.groups().into_iter().map(|group| {
        let permissions = config.permissions(&[group.to_owned()].into());
        let operations: Vec<Value> =
            permissions.operations.iter().map(|(name, own)| json!({ "name": name, "own": own })).collect();
        (group.to_owned(), json!({ "operations": operations, "limits": limits(&permissions) }))
    });
    json!({ "groups": groups.collect::<serde_json::Map<_, _>>() })
}

fn check_page(config: &Config) -> Page {
    config.groups().into_iter().fold(Page::new(), |page, group| {
        let permissions = config.permissions(&[group.to_owned()].into());
        let page = page.toned(Tone::Strong, group);
        let of = |own: bool| {
            let names = permissions.operations.iter().filter(|(_, is_own)| **is_own == own);
            names.map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
        };
        let (all, own) = (of(false), of(true));
        let page = if all.is_empty() { page } else { page.field("  may", all) };
        let page = if own.is_empty() { page } else { page.field("  own only", own) };
        page.field("  limits", limits(&permissions))
    })
}

fn limits(permissions: &Permissions) -> String {
    let limits = &permissions.limits;
    let session = jiff::SignedDuration::try_from(limits.session).unwrap_or_default();
    format!(
        "{} (burst {}), {} WebSockets of {session:#}, bodies of {}, tokens {}",
        limits.rate, limits.burst, limits.sockets, limits.body, limits.tokens
    )
}

/// Serves on loopback, with a key made now.
async fn dev(args: &ServeArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    let stop = process::asked_to_stop();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], args.port));
    let source = Source::bind(&Listen::Tcp(address)).await.map_err(|error| {
        Failure::new(Kind::Usage, format!("cannot listen on {address}: {error}"))
            .hint("take a free port: corti-auth serve --dev --port 0")
    })?;
    let address = source.address();
    let other_name = address.replace("127.0.0.1", "localhost");
    let (key, sha256) = api_key()?;
    let url = format!("http://{address}");
    let mut origins = vec![url.clone(), format!("http://{other_name}")];
    origins.extend(args.origin.iter().cloned());
    let text = format!(
        "listen = [{address:?}]\npublic_url = {url:?}\norigins = {origins:?}\n\
         [keys]\ndev = {{ sha256 = \"{sha256}\", groups = [\"dev\"] }}\n\
         [limits]\nrate = \"100/s\"\nburst = 200\nsockets = 20\ntokens = \"120/min\"\n\
         [[rule]]\ngroups = [\"dev\"]\nallow = {:?}\n",
        operation::names()
    );
    let config = Config::parse(&text).map_err(|error| {
        Failure::new(Kind::Usage, error).hint("corti-auth serve --dev --origin http://localhost:5173")
    })?;
    let page = args.folder.as_deref().map(gateway::Page::new).transpose().map_err(|error| {
        Failure::new(Kind::Usage, format!("cannot serve the folder of --static: {error}"))
            .hint("name a folder with an index.html: corti-auth serve --dev --static ./page")
    })?;
    let known = match context.plan() {
        _ if args.sandbox => None,
        Ok(plan) => Some(plan),
        // Nobody is logged in. A configuration that is wrong is an error, and no reason for a sandbox.
        Err(failure) if failure.kind == Kind::Credential => None,
        Err(failure) => return Err(failure),
    };
    let is_sandbox = known.is_none();
    let (plan, sandbox) = if let Some(plan) = known {
        (plan, None)
    } else {
        let sandbox = crate::app::sandbox::start_own("sandbox", context.host.clock).await?;
        (plan_of(&sandbox), Some(sandbox))
    };
    let behind = if is_sandbox { "an emulated Corti (sandbox)".to_owned() } else { behind(&plan) };
    let ready = json!({ "url": url, "key": key.expose(), "behind": behind, "sandbox": is_sandbox });
    context.sink.event(Event::Datum(
        dev_page(&url, &key, &behind, page.is_some()),
        output::with_schema("serve", ready),
    ));
    let hosts = vec![address, other_name];
    let ticket_keys = ticket_keys(&config)?;
    // A program that starts it reads one line.
    let logs = !context.options.json;
    let setup = Setup { config, plan, ticket_keys, hosts, page, sources: vec![source], metrics: None, logs };
    let tokens = Tokens::new(context);
    let serving = gateway::run(&tokens, setup, stop, stopped_twice());
    match sandbox {
        None => serving.await?,
        Some(sandbox) => tokio::select! {
            served = serving => served?,
            () = sandbox.serve(std::future::pending()) => {}
        },
    }
    Ok(Outcome::silent())
}

/// The plan to use a sandbox's client.
fn plan_of(sandbox: &Sandbox) -> Plan {
    let (tenant, id, secret) = sandbox.client();
    let client =
        Client { environment: sandbox.environment().clone(), tenant: tenant.clone(), id: id.clone() };
    let source = SecretSource::Given(GivenSecret::Value(secret.clone()));
    Plan { client, source, layer: Layer::ClientVariables, hidden: Vec::new() }
}

fn dev_page(url: &str, key: &Secret, behind: &str, has_page: bool) -> Page {
    let key = key.expose();
    let page = Page::new()
        .toned(Tone::Dim, format!("# A gateway for development; behind it: {behind}. Ctrl-C stops it."))
        .field("url", url)
        .field("key", key);
    let page = if has_page { page.field("page", format!("{url}/")) } else { page };
    page.toned(Tone::Dim, "# A limited token, as a frontend asks for it:")
        .line(format!(
            "curl {url}/broker/v1/token -H 'Authorization: Bearer {key}' --json '{{\"scopes\":[\"transcribe\"]}}'"
        ))
        .toned(Tone::Dim, "# The REST API, with @corti/sdk or any client:")
        .line(format!("curl {url}/corti/v2/languages/ -H 'Authorization: Bearer {key}'"))
}

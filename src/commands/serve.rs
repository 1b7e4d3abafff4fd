//! `serve`: the gateway in front of Corti. Reads the configuration and the keys, and runs the gateway.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value, json};
use url::Url;

use crate::app::context::{self as app, Context};
use crate::app::tokens::Tokens;
use crate::domain::client::api_client::Client;
use crate::domain::client::resolve::Plan;
use crate::domain::gateway::config::{Config, Listen};
use crate::domain::gateway::rules::Permissions;
use crate::domain::text::page::{Page, Tone};
use crate::domain::text::shell::quote;
use crate::edge::listener::Source;
use crate::edge::{host, private_file, process};
use crate::failure::{Failure, Kind};
use crate::gateway::{self, Setup};
use crate::output::{Outcome, Text};

mod dev;
mod keys;

/// The longest `serve.toml`, in bytes.
const LONGEST_CONFIG: usize = 512 * 1024;

/// Frontends call this server instead of Corti. Callers prove who they are, by a JWT of your identity provider or an API key;
/// `serve.toml` says what each group may do; the server adds Corti's token. A browser gets at most a limited token.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth serve --dev                          for development, with a key made now
  corti-auth serve --dev --static ./page --port 0
  corti-auth serve --new-key batch                make an API key, and its lines for serve.toml
  corti-auth serve --config serve.toml --check    show what each group may do
  corti-auth serve --config serve.toml

docs/serve.md has a whole serve.toml.")]
pub(super) struct ServeArgs {
    /// Read the rules from this file [default: serve.toml]
    ///
    /// The default is in the folder of config.toml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Serve on this machine only, with a new key and no file
    ///
    /// The key may do everything. It is printed once.
    #[arg(long, conflicts_with = "config")]
    dev: bool,
    /// With --dev: serve the files of this folder, too
    #[arg(long = "static", value_name = "DIR", requires = "dev")]
    folder: Option<PathBuf>,
    /// With --dev: listen on this port; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8744, requires = "dev")]
    port: u16,
    /// With --dev: allow requests from pages of this origin
    ///
    /// Such as `http://localhost:5173`.
    #[arg(long, value_name = "URL", requires = "dev")]
    origin: Vec<String>,
    /// With --dev: use the sandbox, even if you are logged in
    #[arg(long, requires = "dev")]
    sandbox: bool,
    /// Show what each group may do, and stop; reads no secrets
    #[arg(long, conflicts_with_all = ["dev", "new_key"])]
    check: bool,
    /// Make an API key of this name; print it once, with its lines for serve.toml
    #[arg(long, value_name = "NAME", conflicts_with_all = ["dev", "config"])]
    new_key: Option<String>,
}

pub(super) async fn run(args: &ServeArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    if let Some(name) = &args.new_key {
        return keys::new_key(name);
    }
    if args.dev {
        return dev::run(args, context).await;
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
    let profile = context.options.profile.clone().or(config.profile.clone());
    let options = app::Options { profile, ..context.options.clone() };
    let context = Context::new(context.host, &options, context.sink)?;
    let (plan, tokens) = (context.plan()?, Tokens::new(&context));
    let (ticket_keys, engine_key_hash) = (keys::of_tickets(&config)?, keys::of_engine(&config)?);
    let secret = tokens.secret(&plan).await?;
    let mut sources = Vec::new();
    for address in &config.listen {
        sources.push(bind(address, "listen")?);
    }
    let metrics = config.metrics.as_ref().map(|address| bind(address, "metrics")).transpose()?;
    let listening: Vec<String> = sources.iter().chain(&metrics).map(Source::address).collect();
    context.note(format!("listening on {}; forwards to {}", listening.join(", "), behind(&plan)));
    let hosts = vec![authority(&config.public_url)];
    let setup = Setup {
        config,
        plan,
        secret,
        ticket_keys,
        engine_key_hash,
        hosts,
        page: None,
        sources,
        metrics,
        logs: true,
    };
    gateway::run(&tokens, setup, stop, stopped_twice()).await?;
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

/// Listens on an address that `setting` of serve.toml names.
fn bind(address: &Listen, setting: &str) -> Result<Source, Failure> {
    Source::bind(address).map_err(|error| {
        Failure::new(Kind::Usage, format!("cannot listen on {address}: {error}"))
            .hint(format!("choose another address for `{setting}` in serve.toml"))
    })
}

/// `host:port`, as a `Host` header has it.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn read_config(path: &Path) -> Result<Config, Failure> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = path.file_name().unwrap_or_default().display();
    let unreadable = |name: &Path| {
        let (name, file) = (name.display().to_string(), file.to_string());
        move |error: std::io::Error| {
            let message = match error.kind() {
                ErrorKind::NotFound => format!("there is no {file} in `{}`", folder.display()),
                _ => format!("cannot use `{name}`: {error}"),
            };
            let failure = Failure::new(Kind::Configuration, message);
            match private_file::Exposed::of(&error) {
                Some(_) => failure.hint(format!("chmod go-w {}", quote(&name))),
                None => failure.hint("without a file, for development: corti-auth serve --dev"),
            }
        }
    };
    private_file::refuse_exposed(folder).map_err(unreadable(folder))?;
    let bytes = private_file::open(path).and_then(|file| host::read_bounded(file, LONGEST_CONFIG));
    let bytes = bytes.map_err(unreadable(path))?;
    let parsed = std::str::from_utf8(&bytes).map_err(|_| "it is not UTF-8 text".to_owned());
    let parsed = parsed.and_then(|text| Config::parse(text).map_err(|error| error.to_string()));
    parsed.map_err(|reason| {
        let name = path.display().to_string();
        Failure::new(Kind::Configuration, format!("`{name}`: {}", reason.trim_end()))
            .hint(format!("check it again: corti-auth serve --check --config {}", quote(&name)))
    })
}

/// Each group, and what it may do.
fn groups(config: &Config) -> impl Iterator<Item = (&str, Permissions)> {
    config.groups().into_iter().map(|group| (group, config.permissions(&[group.to_owned()].into())))
}

fn check_json(config: &Config) -> Value {
    let groups = groups(config).map(|(group, permissions)| (group.to_owned(), permissions.to_json()));
    let decide = config.decide.as_ref().map(|decide| json!({ "full": decide.full }));
    json!({ "groups": groups.collect::<Map<_, _>>(), "decide": decide })
}

fn check_page(config: &Config) -> Page {
    let forward_auth = config.decide.as_ref().map(|decide| {
        if decide.full { "on; the engine gets full tokens" } else { "on, for WebSockets only" }
    });
    let warning =
        config.decides_on_the_network().then_some("tokens reach the engine over the network without TLS");
    let page = Page::new().optional("forward-auth", forward_auth).optional("warning", warning);
    groups(config).fold(page, |page, (group, permissions)| {
        let of = |own: bool| {
            let names = permissions.operations.iter().filter(|(_, is_own)| **is_own == own);
            let names = names.map(|(name, _)| *name).collect::<Vec<_>>().join(" ");
            (!names.is_empty()).then_some(names)
        };
        let limits = &permissions.limits;
        page.toned(Tone::Strong, group)
            .optional("  may", of(false))
            .optional("  own only", of(true))
            .field(
                "  rate",
                format!("{} (burst {}), {} concurrent", limits.rate, limits.burst, limits.requests),
            )
            .field("  tokens", limits.tokens.to_string())
            .field("  sockets", format!("{}, each up to {:#}", limits.sockets, limits.session()))
            .field("  body", limits.body.to_string())
    })
}

//! `serve --dev`: serves on loopback, with a key made now, and with an emulated Corti if nobody is logged in.

use std::path::Path;

use serde_json::json;
use url::Url;

use super::{ServeArgs, authority, behind, keys, stopped_twice};
use crate::app::context::Context;
use crate::app::tokens::Tokens;
use crate::domain::client::api_client::Client;
use crate::domain::client::resolve::{Layer, Plan, SecretSource};
use crate::domain::client::secret::Secret;
use crate::domain::client::variable::GivenSecret;
use crate::domain::gateway::config::{Config, Listen};
use crate::domain::gateway::operation;
use crate::domain::text::event::Event;
use crate::domain::text::page::{Page, Tone};
use crate::edge::listener::Source;
use crate::edge::process;
use crate::failure::{Failure, Kind};
use crate::gateway::{self, Setup};
use crate::output::{Outcome, with_schema};
use crate::sandbox::Sandbox;

pub(super) async fn run(args: &ServeArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    let stop = process::asked_to_stop();
    let page = args.folder.as_deref().map(gateway::Page::new).transpose().map_err(|error| {
        let folder = args.folder.as_deref().unwrap_or(Path::new("")).display();
        Failure::new(Kind::Usage, format!("cannot serve the folder `{folder}`: {error}"))
            .hint("name a folder with an index.html: corti-auth serve --dev --static ./page")
    })?;
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], args.port));
    let source = Source::bind(&Listen::Tcp(address)).map_err(|error| {
        Failure::new(Kind::Usage, format!("cannot listen on {address}: {error}"))
            .hint("take a free port: corti-auth serve --dev --port 0")
    })?;
    // Without the port where it is the usual one: browsers leave it out.
    let urls: Vec<Url> =
        source.hosts().iter().filter_map(|it| Url::parse(&format!("http://{it}")).ok()).collect();
    let origins: Vec<String> = urls.iter().map(|url| url.origin().ascii_serialization()).collect();
    let hosts = urls.iter().map(authority).collect();
    let url = origins.first().cloned().unwrap_or_default();
    let (key, sha256) = keys::api_key()?;
    let config = config(&url, &[origins.as_slice(), &args.origin].concat(), &sha256)?;
    let (plan, sandbox) = plan(args, context).await?;
    let behind = if sandbox.is_some() { "an emulated Corti (sandbox)".to_owned() } else { behind(&plan) };
    let ready = json!({ "url": url, "key": key.expose(), "behind": behind, "sandbox": sandbox.is_some() });
    let text = ready_page(&url, &key, &behind, page.is_some());
    let tokens = Tokens::new(context);
    let setup = Setup {
        ticket_keys: keys::of_tickets(&config)?,
        engine_key_hash: None,
        secret: tokens.secret(&plan).await?,
        config,
        plan,
        hosts,
        page,
        sources: vec![source],
        metrics: None,
        // A program that starts it reads one line.
        logs: !context.options.json,
    };
    context.sink.event(Event::Datum(text, with_schema("serve", ready)));
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

/// One group, with every operation.
fn config(url: &str, origins: &[String], sha256: &str) -> Result<Config, Failure> {
    let text = format!(
        "listen = [\"127.0.0.1:0\"]\npublic_url = {url:?}\norigins = {origins:?}\n\
         [keys]\ndev = {{ sha256 = \"{sha256}\", groups = [\"dev\"] }}\n\
         [limits]\nrate = \"100/s\"\nburst = 200\nsockets = 20\ntokens = \"120/min\"\n\
         [[rule]]\ngroups = [\"dev\"]\nallow = {:?}\n",
        operation::names()
    );
    Config::parse(&text).map_err(|error| {
        Failure::new(Kind::Usage, error).hint("corti-auth serve --dev --origin http://localhost:5173")
    })
}

/// The client that is logged in, or that of a new sandbox.
async fn plan(args: &ServeArgs, context: &Context<'_>) -> Result<(Plan, Option<Sandbox>), Failure> {
    match context.plan() {
        Ok(plan) if !args.sandbox => return Ok((plan, None)),
        // A configuration that is wrong is an error, and no reason for a sandbox.
        Err(failure) if failure.kind != Kind::Credential && !args.sandbox => return Err(failure),
        _ => {}
    }
    let sandbox = crate::app::sandbox::start_own("sandbox", context.host.clock).await?;
    let (tenant, id, secret) = sandbox.client();
    let client =
        Client { environment: sandbox.environment().clone(), tenant: tenant.clone(), id: id.clone() };
    let source = SecretSource::Given(GivenSecret::Value(secret.clone()));
    Ok((Plan { client, source, layer: Layer::ClientVariables, hidden: Vec::new() }, Some(sandbox)))
}

fn ready_page(url: &str, key: &Secret, behind: &str, has_page: bool) -> Page {
    let key = key.expose();
    Page::new()
        .toned(Tone::Dim, format!("# A gateway for development. It forwards to {behind}. Ctrl-C stops it."))
        .field("url", url)
        .field("key", key)
        .optional("page", has_page.then(|| format!("{url}/")))
        .toned(Tone::Dim, "# A limited token, as a frontend asks for it:")
        .line(format!(
            "curl {url}/broker/v1/token -H 'Authorization: Bearer {key}' --json '{{\"scopes\":[\"transcribe\"]}}'"
        ))
        .toned(Tone::Dim, "# The REST API, with @corti/sdk or any client:")
        .line(format!("curl {url}/corti/v2/languages/ -H 'Authorization: Bearer {key}'"))
}

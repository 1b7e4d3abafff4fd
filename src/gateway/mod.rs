//! `serve`: the backend in front of Corti. Callers prove who they are, rules decide what each may do, and the gateway adds
//! the token. A caller never gets more than a limited token.
//!
//! Tokens are minted, and keys of identity providers fetched, on the task that runs `run`; requests wait for them.

mod admission;
mod answer;
mod broker;
mod decide;
mod forward;
mod identify;
mod kept;
mod linger;
mod minter;
mod owners;
mod page;
mod recent;
mod record;
mod state;
mod throttle;
mod tunnel;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, HOST, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use axum::routing::{any, get};
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use url::Url;

use kept::Kept;
use minter::Minter;
use recent::Recent;
use record::{Journal, Metrics};
use state::{Gateway, Phase, needed};
use throttle::Throttle;

use crate::app::tokens::Tokens;
use crate::domain::client::api_client::Client;
use crate::domain::client::resolve::Plan;
use crate::domain::client::secret::ClientSecret;
use crate::domain::gateway::config::Config;
use crate::domain::gateway::ticket::Keys;
use crate::edge::listener::{self, Bounds, Source};
use crate::failure::{Failure, Kind};
use crate::output::LineWriter;

pub(crate) use page::Page;

/// What the peers of a gateway may take up: a call opens a connection to Corti, too, and bodies are passed on as they come.
const BOUNDS: Bounds = Bounds { connections: 16 * 1024, files_each: 2, bodies: None };

/// How many tokens may be asked for at once.
const MINTS: usize = 256;

/// How long open requests may take once the gateway accepts no more.
const LAST_REQUESTS: Duration = Duration::from_secs(30);

/// How long the last WebSockets may take to end.
const LAST_SOCKETS: Duration = Duration::from_secs(1);

/// What a gateway needs.
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) plan: Plan,
    pub(crate) secret: ClientSecret,
    pub(crate) ticket_keys: Keys,
    /// The SHA-256 of the engine's key.
    pub(crate) engine_key_hash: Option<[u8; 32]>,
    /// The `Host` headers that name this gateway.
    pub(crate) hosts: Vec<String>,
    pub(crate) page: Option<Page>,
    pub(crate) sources: Vec<Source>,
    pub(crate) metrics: Option<Source>,
    /// Whether requests are logged.
    pub(crate) logs: bool,
}

/// Serves until `stop` completes, then drains. Completes at once when `stop_now` does.
pub(crate) async fn run(
    tokens: &Tokens<'_>,
    setup: Setup,
    stop: impl Future<Output = ()>,
    stop_now: impl Future<Output = ()>,
) -> Result<(), Failure> {
    listener::raise_file_limit();
    let Setup { config, plan, secret, ticket_keys, engine_key_hash, hosts, page, sources, metrics, logs } =
        setup;
    let counters = Metrics::new();
    let lost = counters.lost_lines.clone();
    let lines = logs.then(|| LineWriter::start(move |count| _ = lost.inc_by(count)));
    let (mints, mut asked) = mpsc::channel(MINTS);
    let Client { environment, tenant, .. } = plan.client.clone();
    let api = environment.api_host();
    let url = Url::parse(&api).map_err(|error| Failure::new(Kind::Configuration, error.to_string()))?;
    let clock = tokens.context.host.clock;
    let gateway = Arc::new(Gateway {
        client: tokens.http.streaming(&url).await?,
        api,
        environment,
        tenant,
        clock,
        hosts,
        page,
        ticket_keys,
        engine_key_hash,
        issuers: config.issuers.iter().map(|issuer| (issuer.clone(), Kept::new(clock))).collect(),
        verified: Recent::default(),
        tokens: needed(&config).into_iter().map(|token| (token, Kept::new(clock))).collect(),
        mints,
        owners: Recent::default(),
        permitted: Recent::default(),
        throttle: Throttle::default(),
        journal: Arc::new(Journal {
            metrics: counters,
            lines: lines.clone(),
            hash_callers: config.log.hash_callers,
        }),
        phase: watch::Sender::new(Phase::Serving),
        config,
    });
    let minter = Minter::new(tokens, &plan, secret, &gateway);
    tokio::select! {
        () = listen(&gateway, sources, metrics) => {}
        () = drain(&gateway, stop) => {}
        () = stop_now => {}
        never = minter.keep_all() => match never {},
        () = minter.answer_all(&mut asked) => {}
        never = shrink(&gateway) => match never {},
    }
    drop(timeout(LAST_SOCKETS, gateway.end()).await);
    if let Some(lines) = lines {
        lines.finish();
    }
    Ok(())
}

/// Answers requests until the gateway accepts no more, and the last connection has ended.
async fn listen(gateway: &Arc<Gateway>, sources: Vec<Source>, metrics: Option<Source>) {
    let stopped = || gateway.reached(Phase::Cutting);
    let answering = Arc::clone(gateway);
    let answer = move |request: Request| answer::answer(Arc::clone(&answering), request);
    // `/decide/` comes after the CORS layer, which answers preflights with 200: an engine takes any 200 for a yes.
    let router = Router::new()
        .fallback(answer.clone())
        .layer(answer::cors(gateway))
        .route("/decide/{*asked}", any(answer));
    // They share this process's files.
    let bounds = Bounds { files_each: BOUNDS.files_each * sources.len(), ..BOUNDS };
    let serving = sources.into_iter().map(|source| {
        let router = health(gateway).merge(router.clone());
        listener::serve(source, bounds, router, || {}, stopped()).boxed_local()
    });
    let measured = metrics.map(|source| {
        let (text, hosts) = (Arc::clone(gateway), source.hosts());
        let answer = get(async move |headers: HeaderMap| {
            // Against DNS rebinding, as for requests.
            let is_own = |own: &String| headers.get(HOST).is_some_and(|host| host == own.as_str());
            if !hosts.is_empty() && !hosts.iter().any(is_own) {
                return (StatusCode::MISDIRECTED_REQUEST, "the Host header names another server\n")
                    .into_response();
            }
            let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
            ([(CONTENT_TYPE, kind)], text.measured()).into_response()
        });
        let router = health(gateway).route("/metrics", answer);
        listener::serve(source, Bounds::default(), router, || {}, stopped()).boxed_local()
    });
    join_all(serving.chain(measured)).await;
}

/// After `stop`: `/readyz` says no, then WebSockets are cut, and the last requests have a time to end.
async fn drain(gateway: &Gateway, stop: impl Future<Output = ()>) {
    stop.await;
    gateway.phase.send_replace(Phase::Draining);
    sleep(gateway.config.drain.delay).await;
    gateway.phase.send_replace(Phase::Cutting);
    sleep(gateway.config.drain.spread + LAST_REQUESTS).await;
}

/// Forgets the counters of callers who have done nothing for a while.
async fn shrink(gateway: &Gateway) -> Infallible {
    loop {
        sleep(Duration::from_secs(60)).await;
        gateway.throttle.shrink();
    }
}

/// `/healthz`: the process runs. `/readyz`: it can serve, and is not about to stop.
fn health(gateway: &Arc<Gateway>) -> Router {
    let gateway = Arc::clone(gateway);
    let ready = get(async move || {
        if gateway.is_ready() {
            (StatusCode::OK, "ready\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
        }
    });
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", ready)
}

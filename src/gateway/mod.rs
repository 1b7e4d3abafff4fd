//! `serve`: the backend in front of Corti. Callers prove who they are, rules decide what each may do, and the gateway adds
//! the token. A caller never gets more than a limited token.
//!
//! Tokens are minted, and keys of identity providers fetched, on the task that runs `run`; requests wait for them.

mod answer;
mod broker;
mod identify;
mod inline;
mod kept;
mod minter;
mod owners;
mod page;
mod recent;
mod record;
mod state;
mod throttle;
mod tunnel;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::routing::get;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use url::Url;

use kept::Kept;
use minter::Minter;
use recent::Recent;
use record::{Journal, Metrics};
use state::{Gateway, Phase, needed};
use throttle::Throttle;

use crate::app::tokens::Tokens;
use crate::domain::client::resolve::Plan;
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

/// A gateway, ready to run.
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) plan: Plan,
    pub(crate) ticket_keys: Keys,
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
    let Setup { config, plan, ticket_keys, hosts, page, sources, metrics, logs } = setup;
    let lines = logs.then(LineWriter::start);
    let (mints, mut asked) = mpsc::channel(MINTS);
    let (environment, tenant) = (plan.client.environment.clone(), plan.client.tenant.clone());
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
        issuers: config.issuers.iter().map(|issuer| (issuer.clone(), Kept::new(clock))).collect(),
        verified: Recent::default(),
        tokens: needed(&config).into_iter().map(|token| (token, Kept::new(clock))).collect(),
        mints,
        shared: Mutex::default(),
        owners: Recent::default(),
        throttle: Throttle::default(),
        journal: Arc::new(Journal {
            metrics: Metrics::new(),
            lines: lines.clone(),
            hash_callers: config.log.hash_callers,
        }),
        phase: watch::Sender::new(Phase::Serving),
        config,
    });
    let minter = Minter {
        tokens,
        plan: &plan,
        secret: tokens.secret(&plan).await?.into(),
        rejected: None.into(),
        gateway: &gateway,
    };
    let router = Router::new().fallback({
        let gateway = Arc::clone(&gateway);
        move |request: Request| answer::answer(Arc::clone(&gateway), request)
    });
    let router = router.layer(answer::cors(&gateway));
    let stopped = || {
        let mut phases = gateway.phase.subscribe();
        async move { drop(phases.wait_for(|phase| *phase == Phase::Cutting).await) }
    };
    // They share this process's files.
    let bounds = Bounds { files_each: BOUNDS.files_each * sources.len(), ..BOUNDS };
    let serving = sources.into_iter().map(|source| {
        let router = health(&gateway).merge(router.clone());
        listener::serve(source, bounds, router, || {}, stopped()).boxed_local()
    });
    let measured = metrics.map(|source| {
        let text = Arc::clone(&gateway);
        let answer = get(async move || {
            let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
            ([(CONTENT_TYPE, kind)], text.measured())
        });
        let router = health(&gateway).route("/metrics", answer);
        listener::serve(source, Bounds::default(), router, || {}, stopped()).boxed_local()
    });
    let served = join_all(serving.chain(measured));
    let drained = async {
        stop.await;
        gateway.phase.send_replace(Phase::Draining);
        sleep(gateway.config.drain.delay).await;
        gateway.phase.send_replace(Phase::Cutting);
        sleep(gateway.config.drain.spread + LAST_REQUESTS).await;
    };
    let shrink = async {
        loop {
            sleep(Duration::from_secs(60)).await;
            gateway.throttle.shrink();
        }
    };
    tokio::select! {
        _ = served => {}
        () = drained => {}
        () = stop_now => {}
        never = minter.keep_all() => match never {},
        () = minter.answer_all(&mut asked) => {}
        () = shrink => {}
    }
    if let Some(lines) = lines {
        lines.finish();
    }
    Ok(())
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

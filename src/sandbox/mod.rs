//! The sandbox: Corti on this machine, for tests and for people without an account.
//!
//! It promises what an HTTP or WebSocket client can observe and a client library acts on:
//!
//! - **Tokens.** The token endpoint of one Keycloak realm grants `client_credentials` to one client, by form or Basic
//!   authentication, with the scopes of Corti's realm. Wrong tenants, methods, grants, clients, secrets and scopes, repeated
//!   parameters, unencoded percent signs and foreign browser pages get Keycloak 26's status and `error`. Tokens have a service
//!   account's claims; the discovery document and the key set lead to the key that signed them.
//! - **The API.** Interactions are created, listed, shown, changed and deleted; languages and fact groups are listed. Tokens,
//!   tenants and scopes are checked and bodies validated, with the errors of Corti's API. The agents API always answers 404.
//! - **WebSockets.** `/transcribe` and `/streams` check the token before the upgrade, validate the configuration, count audio
//!   and answer `flush` and `end`. Nothing is transcribed.
//! - **Faults.** Settings make it slow, wrong or unavailable, at the start and through the control endpoint (`control.rs`).
//! - **Safety.** It listens on loopback only, keeps its state in memory and logs nothing.
//! - **Bounded memory.** It keeps 2,000 interactions of at most 32 KiB, and deletes the oldest when one more is created.
//!   Bodies and WebSocket messages are at most 1 MiB; `edge/listener` bounds the connections.
//!
//! What only another Keycloak would notice is out of scope: `tests/it/contract` lists it with the reasons.

mod authorization;
mod catalogue;
mod configuration;
mod control;
mod cors;
mod credentials;
mod discovery;
mod faults;
mod interaction;
mod interaction_store;
mod interactions;
mod oauth_error;
mod problem;
mod realm;
mod session;
mod settings;
mod socket;
mod state;
mod token;
mod validation;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::HeaderMap;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{any, get, post};
use oauth_error::OauthError;
use problem::Problem;
use realm::{Realm, SigningKey};
use state::{AppState, Shared};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::domain::client::environment::Environment;
use crate::domain::client::identity::{ClientId, Tenant};
use crate::domain::client::secret::{ClientSecret, Secret};
use crate::edge::clock::Clock;
use crate::edge::{listener, loopback};

pub use settings::{ApiFault, Settings};

/// The longest request body, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// How long open requests and sockets may take to end at shutdown, so that the sandbox ends within a second.
const GRACE: Duration = Duration::from_millis(800);

/// How to start a sandbox.
#[derive(Clone, Debug)]
pub struct Options {
    /// A loopback address; port 0 takes any free port.
    pub bind: SocketAddr,
    /// The only tenant.
    pub tenant: Tenant,
    /// The only API client of that tenant.
    pub client_id: ClientId,
    /// The client's secret. A random one if none is given.
    pub client_secret: Option<ClientSecret>,
    /// The clock of tokens and timestamps.
    pub clock: Clock,
    /// The settings at the start.
    pub settings: Settings,
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Other machines could reach the address. The sandbox sends its tokens over plain http.
    #[error("{} is not a loopback address", .0.ip())]
    NotLoopback(SocketAddr),
    /// Another program listens there.
    #[error("{0} is already in use")]
    InUse(SocketAddr),
    /// The operating system refused the address.
    #[error("cannot listen on {0}")]
    Bind(SocketAddr, #[source] io::Error),
    /// The signing key could not be made.
    #[error("cannot make the sandbox's signing key")]
    Key(#[source] rsa::Error),
    /// The operating system has no random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

/// A sandbox that has its address and its keys, and does not serve yet.
pub struct Sandbox {
    listener: TcpListener,
    shared: Arc<Shared>,
}

impl Sandbox {
    /// Takes the address, and makes the signing key and, unless one is given, the client secret.
    pub async fn bind(options: Options) -> Result<Self, SandboxError> {
        if !options.bind.ip().is_loopback() {
            return Err(SandboxError::NotLoopback(options.bind));
        }
        let refused = |error: io::Error| match error.kind() {
            io::ErrorKind::AddrInUse => SandboxError::InUse(options.bind),
            _ => SandboxError::Bind(options.bind, error),
        };
        let listener = TcpListener::bind(options.bind).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let environment = environment(address)?;
        // It takes seconds in an unoptimised build, so it runs outside the thread that serves.
        let key = tokio::task::spawn_blocking(SigningKey::new)
            .await
            .map_err(|_| SandboxError::Key(rsa::Error::Internal))?
            .map_err(SandboxError::Key)?;
        let shared = Shared {
            environment,
            realm: Mutex::new(Realm::new(
                options.tenant.clone(),
                options.client_id.clone(),
                address.ip(),
                key,
            )),
            tenant: options.tenant,
            client_id: options.client_id,
            client_secret: options.client_secret.map_or_else(credentials::random_secret, Ok)?,
            control_token: loopback::random_text()?,
            counters: Mutex::default(),
            stop: watch::Sender::new(false),
            clock: options.clock,
            settings: Mutex::new(options.settings),
            interactions: Mutex::default(),
        };
        Ok(Self { listener, shared: Arc::new(shared) })
    }

    /// Its URL: `http://127.0.0.1:PORT` or `http://[::1]:PORT`.
    pub fn environment(&self) -> &Environment {
        &self.shared.environment
    }

    /// Its tenant, client and secret.
    pub fn client(&self) -> (&Tenant, &ClientId, &ClientSecret) {
        (&self.shared.tenant, &self.shared.client_id, &self.shared.client_secret)
    }

    /// The bearer of the control endpoint under `/_sandbox/`.
    pub fn control_token(&self) -> &Secret {
        &self.shared.control_token
    }

    /// Serves until `shutdown` resolves; then closes open sockets, and after [`GRACE`] everything else.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, shared } = self;
        let stopping = async {
            shutdown.await;
            shared.stop.send_replace(true);
        };
        let router = router(Arc::clone(&shared));
        let serving = listener::serve(
            listener,
            listener::Bounds::default(),
            router,
            || shared.counters().connections += 1,
            stopping,
        );
        let grace = async {
            drop(shared.stop.subscribe().wait_for(|stopped| *stopped).await);
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            () = serving => {}
            () = grace => {}
        }
    }
}

/// The environment at `address`, without an IPv6 scope id: a URL cannot have one.
fn environment(address: SocketAddr) -> Result<Environment, SandboxError> {
    let address_and_port = SocketAddr::new(address.ip(), address.port());
    format!("http://{address_and_port}").parse().map_err(|_| SandboxError::NotLoopback(address))
}

fn router(shared: Arc<Shared>) -> Router {
    let token = post(token::endpoint)
        .route_layer(from_fn_with_state(Arc::clone(&shared), faults::token_request))
        .options(async |headers: HeaderMap| cors::preflight(&headers, "POST, OPTIONS"));
    let preflight_get = async |headers: HeaderMap| cors::preflight(&headers, "GET");
    let realm = Router::new()
        .route("/protocol/openid-connect/token", token)
        .route("/protocol/openid-connect/certs", get(discovery::certs).options(preflight_get))
        .route("/.well-known/openid-configuration", get(discovery::configuration).options(preflight_get))
        .fallback(async || OauthError::NO_PATH)
        .method_not_allowed_fallback(async || OauthError::NO_METHOD)
        .layer(from_fn_with_state(Arc::clone(&shared), other_tenants));
    let collection = get(interactions::list).post(interactions::create);
    let item = get(interactions::get).patch(interactions::update).delete(interactions::delete);
    let rest = Router::new()
        .route("/interactions", collection.clone())
        .route("/interactions/", collection)
        .route("/interactions/{id}", item)
        .route("/languages", get(catalogue::languages))
        .route("/languages/", get(catalogue::languages))
        .route("/factgroups", get(catalogue::fact_groups))
        .route("/factgroups/", get(catalogue::fact_groups))
        .route("/agentic/{*path}", any(problem::no_agent))
        .route_layer(from_fn_with_state(Arc::clone(&shared), authorization::rest));
    let sockets = Router::new()
        .route("/transcribe", get(socket::transcribe))
        .route("/interactions/{id}/streams", get(socket::streams));
    let failing = from_fn_with_state(Arc::clone(&shared), faults::api_request);
    Router::new()
        .nest("/realms/{tenant}", realm)
        .nest("/v2", rest.layer(failing.clone()))
        .nest("/audio-bridge/v2", sockets.layer(failing))
        .fallback(async || Problem::NO_PATH)
        .layer(from_fn_with_state(Arc::clone(&shared), faults::any_request))
        // Added last: the faults above do not apply to it.
        .nest("/_sandbox", control::router(Arc::clone(&shared)))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(shared)
}

/// Refuses every tenant but the sandbox's own.
async fn other_tenants(
    State(shared): AppState,
    tenant: Result<Path<String>, PathRejection>,
    request: Request,
    next: Next,
) -> Result<Response, OauthError> {
    match tenant {
        Ok(Path(tenant)) if tenant == shared.tenant.as_str() => Ok(next.run(request).await),
        _ => Err(OauthError::NO_REALM),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(bind: &str) -> Options {
        Options {
            bind: bind.parse().unwrap(),
            tenant: Tenant::default(),
            client_id: "sandbox".parse().unwrap(),
            client_secret: None,
            clock: Clock,
            settings: Settings::default(),
        }
    }

    #[tokio::test]
    async fn only_loopback_is_bound() {
        for bind in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:127.0.0.1]:0"] {
            let error = Sandbox::bind(options(bind)).await.err().unwrap();
            assert!(matches!(error, SandboxError::NotLoopback(_)), "{bind}: {error}");
        }
    }

    #[tokio::test]
    async fn an_address_in_use_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = Sandbox::bind(options(&address.to_string())).await.err().unwrap();
        assert_eq!(error.to_string(), format!("{address} is already in use"));
    }

    #[test]
    fn the_environment_is_the_address() {
        for (address, url) in [("127.0.0.1:8", "http://127.0.0.1:8"), ("[::1%7]:8", "http://[::1]:8")] {
            assert_eq!(environment(address.parse().unwrap()).unwrap().to_string(), url);
        }
    }
}

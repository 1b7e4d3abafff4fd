//! Corti, emulated on loopback: a Keycloak realm's token endpoint and keys, the interactions API and the two
//! sockets, on one port. It keeps everything in memory, logs nothing and never listens beyond this machine.
//! The shapes are those of Corti's documentation and SDKs, and of Keycloak 26 for the realm.

mod agentic;
mod catalogue;
mod configuration;
mod control;
mod credentials;
mod discovery;
mod fallback;
mod fault;
mod field;
mod form;
mod guard;
mod interactions;
mod key;
mod knobs;
mod ledger;
mod listing;
mod origin;
mod problem;
mod realm;
mod record;
mod refusal;
mod session;
mod socket;
mod state;
mod token;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{any, get};
use key::SigningKey;
use realm::Realm;
use state::{Identity, Shared};
use tokio::net::TcpListener;

use crate::domain::client::environment::Environment;
use crate::domain::client::identity::{ClientId, Tenant};
use crate::domain::client::secret::{ClientSecret, Secret};
use crate::edge::clock::Clock;
use crate::edge::{listener, loopback};

pub use knobs::{ApiFault, KnobError, Knobs};

/// The longest request body and the longest WebSocket message, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// How long requests and sockets that are under way may take to end once the sandbox shuts down. It ends within 1 s.
const GRACE: Duration = Duration::from_millis(800);

/// What a sandbox is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// A loopback address; port 0 takes any free port.
    pub bind: SocketAddr,
    /// The only tenant there is.
    pub tenant: Tenant,
    /// The only API client of that tenant.
    pub client_id: ClientId,
    /// The client's secret; a random one where none is given.
    pub client_secret: Option<ClientSecret>,
    /// What tokens and timestamps go by.
    pub clock: Clock,
    /// What it does wrong from the start.
    pub knobs: Knobs,
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The address reaches beyond this machine. The sandbox hands its tokens out over plain http.
    #[error("{0} is not a loopback address")]
    NotLoopback(SocketAddr),
    /// Another program listens there.
    #[error("{address} is already in use")]
    InUse {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// The operating system refused the address.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What it said.
        source: io::Error,
    },
    /// The knobs cannot be set like this.
    #[error(transparent)]
    Knobs(#[from] KnobError),
    /// No RSA key could be made.
    #[error("cannot make the sandbox's signing key")]
    Key(#[source] rsa::Error),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    Random(getrandom::Error),
}

/// An emulated Corti that has its address and its keys, and does not serve yet.
pub struct Sandbox {
    listener: TcpListener,
    shared: Arc<Shared>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("environment", self.environment()).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Takes the address, and makes the signing key and, unless one is given, the client secret.
    pub async fn bind(options: Options) -> Result<Self, SandboxError> {
        if !options.bind.ip().is_loopback() {
            return Err(SandboxError::NotLoopback(options.bind));
        }
        options.knobs.check()?;
        let listener = TcpListener::bind(options.bind).await.map_err(|error| refused(options.bind, error))?;
        let address = listener.local_addr().map_err(|error| refused(options.bind, error))?;
        let environment = environment(address)?;
        // Seconds of arithmetic in an unoptimised build: not on the thread that serves.
        let key = tokio::task::spawn_blocking(SigningKey::new)
            .await
            .map_err(|_| SandboxError::Key(rsa::Error::Internal))?
            .map_err(SandboxError::Key)?;
        let realm = Realm::new(options.tenant.clone(), address.ip(), key);
        let identity = Identity {
            environment,
            tenant: options.tenant,
            client_id: options.client_id,
            client_secret: options.client_secret.map_or_else(credentials::random_secret, Ok)?,
            control_token: loopback::random_text().map_err(SandboxError::Random)?,
        };
        let shared = Shared::new(identity, options.clock, realm, options.knobs);
        Ok(Self { listener, shared: Arc::new(shared) })
    }

    /// Where it answers: `http://127.0.0.1:PORT` or `http://[::1]:PORT`.
    pub fn environment(&self) -> &Environment {
        &self.shared.environment
    }

    /// The tenant, the client and the secret that it knows.
    pub fn client(&self) -> (&Tenant, &ClientId, &ClientSecret) {
        (&self.shared.tenant, &self.shared.client_id, &self.shared.client_secret)
    }

    /// The bearer of the control endpoint under `/_sandbox/`.
    pub fn control_token(&self) -> &Secret {
        &self.shared.control_token
    }

    /// Serves until `shutdown` resolves; then ends open sockets, and whatever has not ended after [`GRACE`].
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, shared } = self;
        let stopping = async {
            shutdown.await;
            shared.stop.send_replace(true);
        };
        let admit = |stream| fault::admitted(stream, Arc::clone(&shared));
        let serving = listener::serve(listener, router(Arc::clone(&shared)), admit, stopping);
        tokio::select! {
            () = serving => {}
            () = grace(&shared) => {}
        }
    }
}

/// Resolves [`GRACE`] after the shutdown began.
async fn grace(shared: &Shared) {
    drop(shared.stop.subscribe().wait_for(|stopped| *stopped).await);
    tokio::time::sleep(GRACE).await;
}

fn refused(address: SocketAddr, source: io::Error) -> SandboxError {
    if source.kind() == io::ErrorKind::AddrInUse {
        SandboxError::InUse { address }
    } else {
        SandboxError::Bind { address, source }
    }
}

/// The environment that `address` is. Built from address and port alone: an IPv6 scope id has no place in a
/// URL.
fn environment(address: SocketAddr) -> Result<Environment, SandboxError> {
    let place = SocketAddr::new(address.ip(), address.port());
    format!("http://{place}").parse().map_err(|_| SandboxError::NotLoopback(address))
}

fn router(shared: Arc<Shared>) -> Router {
    let collection = get(interactions::list).post(interactions::create);
    let item = get(interactions::show_one).patch(interactions::update).delete(interactions::remove);
    let token = any(token::endpoint)
        .layer(DefaultBodyLimit::max(token::MAX_BODY))
        .layer(from_fn_with_state(Arc::clone(&shared), fault::token_request));
    let (certs, configuration) = (any(discovery::certs), any(discovery::configuration));
    let realm = Router::new()
        .route("/protocol/openid-connect/token", token.clone())
        .route("/protocol/openid-connect/token/", token)
        .route("/protocol/openid-connect/certs", certs.clone())
        .route("/protocol/openid-connect/certs/", certs)
        .route("/.well-known/openid-configuration", configuration.clone())
        .route("/.well-known/openid-configuration/", configuration)
        .fallback(fallback::nothing)
        .layer(from_fn(fallback::readable));
    let rest = Router::new()
        .route("/interactions", collection.clone())
        .route("/interactions/", collection)
        .route("/interactions/{id}", item)
        .route("/languages", get(catalogue::languages))
        .route("/languages/", get(catalogue::languages))
        .route("/factgroups", get(catalogue::fact_groups))
        .route("/factgroups/", get(catalogue::fact_groups))
        .route("/agentic/{*path}", any(agentic::nothing));
    let sockets = Router::new()
        .route("/transcribe", get(socket::transcribe))
        .route("/interactions/{id}/streams", get(socket::streams));
    let failing = from_fn_with_state(Arc::clone(&shared), fault::api_request);
    Router::new()
        .nest("/realms/{tenant}", realm)
        .route("/realms/{tenant}/", any(fallback::itself))
        .nest("/v2", rest.layer(failing.clone()))
        .nest("/audio-bridge/v2", sockets.layer(failing))
        .fallback(problem::no_route)
        .layer(from_fn_with_state(Arc::clone(&shared), fault::every_answer))
        .nest("/_sandbox", control::router())
        .layer(DefaultBodyLimit::max(MAX_BYTES))
        .with_state(shared)
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
            knobs: Knobs::default(),
        }
    }

    #[tokio::test]
    async fn only_loopback_is_bound() {
        for bind in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:127.0.0.1]:0"] {
            let error = Sandbox::bind(options(bind)).await.unwrap_err();
            assert!(matches!(error, SandboxError::NotLoopback(_)), "{bind}: {error}");
        }
    }

    #[tokio::test]
    async fn an_address_in_use_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = Sandbox::bind(options(&address.to_string())).await.unwrap_err();
        assert_eq!(error.to_string(), format!("{address} is already in use"));
    }

    #[test]
    fn the_environment_is_the_address() {
        for (address, url) in [("127.0.0.1:8", "http://127.0.0.1:8"), ("[::1%7]:8", "http://[::1]:8")] {
            assert_eq!(environment(address.parse().unwrap()).unwrap().to_string(), url);
        }
    }
}

//! The state that all handlers share. No lock is held across an `await`.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::sync::watch;
use uuid::Uuid;

use crate::domain::client::environment::Environment;
use crate::domain::client::identity::{ClientId, Tenant};
use crate::domain::client::secret::{ClientSecret, Secret};
use crate::domain::corti::websocket::streams_url;
use crate::edge::clock::Clock;
use crate::edge::thread::lock;

use super::interaction_store::InteractionStore;
use super::realm::Realm;
use super::settings::Settings;

/// The state, as handlers get it.
pub(super) type AppState = State<Arc<Shared>>;

/// The sandbox's state.
pub(super) struct Shared {
    pub(super) environment: Environment,
    pub(super) tenant: Tenant,
    pub(super) client_id: ClientId,
    pub(super) client_secret: ClientSecret,
    pub(super) control_token: Secret,
    /// True after the shutdown has begun.
    pub(super) stop: watch::Sender<bool>,
    pub(super) clock: Clock,
    pub(super) realm: Mutex<Realm>,
    pub(super) settings: Mutex<Settings>,
    pub(super) counters: Mutex<Counters>,
    pub(super) interactions: Mutex<InteractionStore>,
}

impl Shared {
    /// The time by the sandbox's clock, which a setting can change.
    pub(super) fn now(&self) -> Timestamp {
        let now = self.clock.now();
        now.checked_add(SignedDuration::from_secs(self.settings().clock_skew)).unwrap_or(now)
    }

    pub(super) fn realm(&self) -> MutexGuard<'_, Realm> {
        lock(&self.realm)
    }

    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        lock(&self.settings)
    }

    pub(super) fn counters(&self) -> MutexGuard<'_, Counters> {
        lock(&self.counters)
    }

    pub(super) fn interactions(&self) -> MutexGuard<'_, InteractionStore> {
        lock(&self.interactions)
    }

    /// The environment with the name in the request's `Host`. As in Keycloak, `localhost` and `127.0.0.1` are two issuers. A name
    /// that is not this machine's is ignored.
    pub(super) fn environment_of(&self, headers: &HeaderMap) -> Environment {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.filter(|host| host.parse::<Authority>().is_ok());
        let named = host.and_then(|host| format!("http://{host}").parse().ok());
        named.unwrap_or_else(|| self.environment.clone())
    }

    /// The URL of an interaction's WebSocket, without a token, as in Corti's answers.
    pub(super) fn streams_url(&self, id: Uuid) -> String {
        // Cannot fail for the address of a sandbox.
        streams_url(&self.environment, &self.tenant, id).map(String::from).unwrap_or_default()
    }
}

/// Counters since the start.
#[derive(Default, Serialize)]
pub(super) struct Counters {
    /// Connections that were accepted.
    pub(super) connections: u64,
    /// `POST` requests to the tenant's token endpoint.
    pub(super) token_requests: u64,
    /// Access tokens that were signed.
    pub(super) tokens: u64,
}

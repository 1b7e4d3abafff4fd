//! What every handler shares: the one client of the one tenant, the realm, the interactions, the knobs, the counters
//! and the shutdown signal. No lock is held across an `await`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use crate::domain::client::environment::Environment;
use crate::domain::client::identity::{ClientId, Tenant};
use crate::domain::client::secret::{ClientSecret, Secret};
use crate::domain::corti::websocket::streams_url;
use crate::edge::clock::Clock;

use super::knobs::Knobs;
use super::ledger::Ledger;
use super::realm::Realm;

/// The sandbox's state.
pub(super) struct Shared {
    pub(super) environment: Environment,
    pub(super) tenant: Tenant,
    pub(super) client_id: ClientId,
    pub(super) client_secret: ClientSecret,
    pub(super) control_token: Secret,
    pub(super) counters: Counters,
    /// Turns true once, at shutdown.
    pub(super) stop: watch::Sender<bool>,
    clock: Clock,
    realm: Mutex<Arc<Realm>>,
    knobs: Mutex<Knobs>,
    ledger: Mutex<Ledger>,
}

/// What a sandbox knows before it serves.
pub(super) struct Identity {
    pub(super) environment: Environment,
    pub(super) tenant: Tenant,
    pub(super) client_id: ClientId,
    pub(super) client_secret: ClientSecret,
    pub(super) control_token: Secret,
}

impl Shared {
    /// The state of a sandbox that holds no interactions yet.
    pub(super) fn new(identity: Identity, clock: Clock, realm: Realm, knobs: Knobs) -> Self {
        let Identity { environment, tenant, client_id, client_secret, control_token } = identity;
        let (stop, _) = watch::channel(false);
        Self {
            environment,
            tenant,
            client_id,
            client_secret,
            control_token,
            counters: Counters::default(),
            stop,
            clock,
            realm: Mutex::new(Arc::new(realm)),
            knobs: Mutex::new(knobs),
            ledger: Mutex::default(),
        }
    }

    /// The time by the sandbox's clock, which a knob may set wrong.
    pub(super) fn now(&self) -> Timestamp {
        let now = self.clock.now();
        now.checked_add(self.knobs().skew()).unwrap_or(now)
    }

    /// The realm as it is now.
    pub(super) fn realm(&self) -> Arc<Realm> {
        Arc::clone(&unpoisoned(&self.realm))
    }

    /// Replaces the realm.
    pub(super) fn set_realm(&self, realm: Realm) {
        *unpoisoned(&self.realm) = Arc::new(realm);
    }

    /// The knobs.
    pub(super) fn knobs(&self) -> MutexGuard<'_, Knobs> {
        unpoisoned(&self.knobs)
    }

    /// The interactions.
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        unpoisoned(&self.ledger)
    }

    /// The address of an interaction's WebSocket, without a token, as Corti gives it.
    pub(super) fn streams_url(&self, id: Uuid) -> String {
        // A loopback address takes every path.
        streams_url(&self.environment, &self.tenant, id).map(String::from).unwrap_or_default()
    }
}

/// A handler that panicked cannot have left anything half changed: every change is one assignment.
fn unpoisoned<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was counted since the start.
#[derive(Default)]
pub(super) struct Counters {
    connections: AtomicU64,
    token_requests: AtomicU64,
    tokens: AtomicU64,
}

impl Counters {
    /// A connection was accepted, and not dropped.
    pub(super) fn connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// A token of the known tenant was asked for by POST, whatever the answer.
    pub(super) fn token_request(&self) {
        self.token_requests.fetch_add(1, Ordering::Relaxed);
    }

    /// An access token was signed.
    pub(super) fn token(&self) {
        self.tokens.fetch_add(1, Ordering::Relaxed);
    }

    /// The counters by name.
    pub(super) fn to_json(&self) -> Value {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        json!({
            "connections": read(&self.connections),
            "token_requests": read(&self.token_requests),
            "tokens": read(&self.tokens),
        })
    }
}

//! What every handler shares: the one client of the one tenant, the realm's key, the interactions, and the
//! shutdown signal. The interactions are behind a lock that is never held across an `await`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::ledger::Ledger;
use super::realm::Realm;
use crate::domain::environment::Environment;
use crate::domain::identity::{ClientId, Tenant};
use crate::domain::secret::ClientSecret;
use crate::edge::clock::Clock;

/// The sandbox's state.
pub(super) struct Shared {
    pub(super) environment: Environment,
    pub(super) tenant: Tenant,
    pub(super) client_id: ClientId,
    pub(super) client_secret: ClientSecret,
    pub(super) clock: Clock,
    pub(super) realm: Realm,
    /// Turns true once, at shutdown. Every open WebSocket holds a receiver.
    pub(super) stop: watch::Sender<bool>,
    ledger: Mutex<Ledger>,
}

impl Shared {
    /// The state of a sandbox that holds no interactions yet.
    pub(super) fn new(
        environment: Environment,
        tenant: Tenant,
        client_id: ClientId,
        client_secret: ClientSecret,
        clock: Clock,
        realm: Realm,
    ) -> Self {
        let (stop, _) = watch::channel(false);
        let ledger = Mutex::default();
        Self { environment, tenant, client_id, client_secret, clock, realm, stop, ledger }
    }

    /// The interactions. A handler that panicked cannot have left them half changed: every change is one
    /// assignment.
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address of an interaction's WebSocket, without a token, as Corti gives it.
    pub(super) fn streams_url(&self, id: impl std::fmt::Display) -> String {
        let (sockets, tenant) = (self.environment.socket_url(), &self.tenant);
        format!("{sockets}/interactions/{id}/streams?tenant-name={tenant}")
    }
}

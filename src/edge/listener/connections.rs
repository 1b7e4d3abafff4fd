//! The connections that a listener has, and which of them is closed to make room.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

/// The fewest connections that may be open, however low the limit of open files is.
pub(super) const MIN_CONNECTIONS: usize = 4;

/// How many bytes may be held of requests that have not arrived in full, over all connections.
const BODIES_LIMIT: usize = 64 * 1024 * 1024;

/// All open connections of a listener.
pub(super) struct Connections {
    state: Mutex<State>,
    /// A connection has ended, or its request was answered.
    changed: Notify,
}

struct State {
    open: BTreeMap<u64, Connection>,
    next_id: u64,
    /// How many connections there may be.
    bound: usize,
    /// The sum of [`Connection::body`].
    bodies: usize,
}

struct Connection {
    phase: Phase,
    /// When it was opened, or when its last request was answered.
    since: Instant,
    /// How many bytes of the request's body have arrived.
    body: usize,
    close: Arc<Notify>,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    /// The head of the next request is not complete.
    Idle,
    /// The head is complete, and the body is not.
    Reading,
    /// The request is complete, and not answered.
    Answering,
    /// It carries another protocol than HTTP, such as WebSocket. It is never told to close.
    Upgraded,
    /// It was told to close.
    Closing,
}

impl Connections {
    pub(super) fn new(bound: usize) -> Self {
        let state = State { open: BTreeMap::new(), next_id: 0, bound, bodies: 0 };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a connection.
    pub(super) fn add(self: &Arc<Self>) -> ConnectionGuard {
        let (mut state, close) = (self.state(), Arc::new(Notify::new()));
        let id = state.next_id;
        state.next_id += 1;
        let connection =
            Connection { phase: Phase::Idle, since: Instant::now(), body: 0, close: Arc::clone(&close) };
        state.open.insert(id, connection);
        ConnectionGuard { connections: Arc::clone(self), id, close }
    }

    /// Returns once another connection may be added. Closes the oldest one without a complete request, if there is one.
    pub(super) async fn make_room(&self) {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.state();
                if state.open.len() < state.bound {
                    return;
                }
                let staying = state.open.values().filter(|it| it.phase != Phase::Closing);
                if staying.count() >= state.bound {
                    state.close_oldest();
                }
            }
            changed.await;
        }
    }

    /// Closes the oldest connection without a complete request, if there is one.
    pub(super) fn close_oldest(&self) {
        self.state().close_oldest();
    }

    /// Closes every connection without a complete request.
    pub(super) fn close_incomplete(&self) {
        while self.state().close_oldest() {}
    }

    /// Returns once every connection has ended.
    pub(super) async fn emptied(&self) {
        loop {
            let changed = self.changed.notified();
            if self.state().open.is_empty() {
                return;
            }
            changed.await;
        }
    }
}

impl State {
    /// Closes the oldest connection without a complete request, and says whether there was one.
    fn close_oldest(&mut self) -> bool {
        let incomplete = |it: &&mut Connection| matches!(it.phase, Phase::Idle | Phase::Reading);
        let oldest = self.open.values_mut().filter(incomplete).min_by_key(|it| it.since);
        let Some(oldest) = oldest else { return false };
        oldest.phase = Phase::Closing;
        self.bodies -= std::mem::take(&mut oldest.body);
        oldest.close.notify_one();
        true
    }
}

/// Counts as one connection until it is dropped.
pub(super) struct ConnectionGuard {
    connections: Arc<Connections>,
    id: u64,
    close: Arc<Notify>,
}

impl ConnectionGuard {
    /// Returns once this connection is to be closed.
    pub(super) async fn closed(&self) {
        self.close.notified().await;
    }

    /// The head of a request has arrived.
    pub(super) fn head_is_complete(&self) {
        self.pass(Phase::Idle, Phase::Reading);
    }

    /// A part of a request's body has arrived.
    pub(super) fn body_grew(&self, bytes: usize) {
        let mut state = self.connections.state();
        let Some(connection) = state.open.get_mut(&self.id) else { return };
        if connection.phase == Phase::Reading {
            connection.body += bytes;
            state.bodies += bytes;
        }
        while state.bodies > BODIES_LIMIT && state.close_oldest() {}
    }

    /// The whole request has arrived.
    pub(super) fn request_is_complete(&self) {
        self.pass(Phase::Reading, Phase::Answering);
    }

    /// The answer switches the protocol. False where that is refused: half of the connections that there may be are upgraded
    /// already, and the other half is for requests.
    pub(super) fn upgrade(&self) -> bool {
        let mut state = self.connections.state();
        let upgraded = state.open.values().filter(|it| it.phase == Phase::Upgraded).count();
        let has_room = upgraded < state.bound / 2;
        if has_room && let Some(connection) = state.open.get_mut(&self.id) {
            connection.phase = Phase::Upgraded;
        }
        has_room
    }

    /// The answer is there, whether the whole request has arrived or not.
    pub(super) fn is_answered(&self) {
        let mut state = self.connections.state();
        let Some(connection) = state.open.get_mut(&self.id) else { return };
        if !matches!(connection.phase, Phase::Upgraded | Phase::Closing) {
            (connection.phase, connection.since) = (Phase::Idle, Instant::now());
        }
        let body = std::mem::take(&mut connection.body);
        state.bodies -= body;
        drop(state);
        self.connections.changed.notify_waiters();
    }

    fn pass(&self, from: Phase, to: Phase) {
        if let Some(connection) = self.connections.state().open.get_mut(&self.id)
            && connection.phase == from
        {
            connection.phase = to;
        }
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        let mut state = self.connections.state();
        if let Some(connection) = state.open.remove(&self.id) {
            state.bodies -= connection.body;
        }
        drop(state);
        self.connections.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn is_closed(guard: &ConnectionGuard) -> bool {
        guard.closed().now_or_never().is_some()
    }

    #[tokio::test]
    async fn the_oldest_without_a_complete_request_makes_room() {
        let connections = Arc::new(Connections::new(3));
        let [first, second, third] = [(), (), ()].map(|()| connections.add());
        // The first is being answered; the second was answered just now, so the third is the oldest.
        first.head_is_complete();
        first.request_is_complete();
        second.head_is_complete();
        second.request_is_complete();
        second.is_answered();
        assert!(connections.make_room().now_or_never().is_none());
        assert_eq!([&first, &second, &third].map(is_closed), [false, false, true]);
        // It is on its way out: no other is closed for the same newcomer.
        assert!(connections.make_room().now_or_never().is_none() && !is_closed(&second));
        drop(third);
        assert!(connections.make_room().now_or_never().is_some());
    }

    #[tokio::test]
    async fn where_all_are_being_answered_the_next_that_is_done_makes_room() {
        let connections = Arc::new(Connections::new(1));
        let only = connections.add();
        only.head_is_complete();
        only.request_is_complete();
        let mut room = std::pin::pin!(connections.make_room());
        assert!(room.as_mut().now_or_never().is_none() && !is_closed(&only));
        only.is_answered();
        assert!(room.as_mut().now_or_never().is_none() && is_closed(&only));
        drop(only);
        assert!(room.now_or_never().is_some());
    }

    #[tokio::test]
    async fn an_upgraded_connection_is_never_closed() {
        let connections = Arc::new(Connections::new(2));
        let [upgraded, idle] = [(), ()].map(|()| connections.add());
        assert!(upgraded.upgrade());
        upgraded.is_answered();
        assert!(connections.make_room().now_or_never().is_none());
        assert_eq!([&upgraded, &idle].map(is_closed), [false, true]);
        connections.close_incomplete();
        assert!(!is_closed(&upgraded));
    }

    #[tokio::test]
    async fn at_most_half_of_the_connections_are_upgraded() {
        let connections = Arc::new(Connections::new(4));
        let [first, second, third] = [(), (), ()].map(|()| connections.add());
        assert!(first.upgrade() && second.upgrade() && !third.upgrade());
        drop(first);
        assert!(third.upgrade());
    }

    #[tokio::test]
    async fn bodies_that_do_not_end_are_bounded_together() {
        let connections = Arc::new(Connections::new(9));
        let [first, second, silent] = [(), (), ()].map(|()| connections.add());
        for guard in [&first, &second] {
            guard.head_is_complete();
            guard.body_grew(BODIES_LIMIT / 2);
        }
        assert_eq!([&first, &second, &silent].map(is_closed), [false; 3]);
        second.body_grew(1);
        assert_eq!([&first, &second, &silent].map(is_closed), [true, false, false]);
    }

    #[tokio::test]
    async fn a_body_that_ends_after_its_answer_protects_nothing() {
        let connections = Arc::new(Connections::new(1));
        let only = connections.add();
        only.head_is_complete();
        only.is_answered();
        only.request_is_complete();
        assert!(connections.make_room().now_or_never().is_none() && is_closed(&only));
    }
}

//! Counts a listener's connections. If there are too many, closes the one that has waited longest for a request.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use crate::edge::thread::lock;

/// The fewest connections that may be open, however low the limit of open files is.
pub(super) const MIN_CONNECTIONS: usize = 4;

/// All open connections of a listener.
pub(super) struct Connections {
    slots: Arc<Semaphore>,
    upgrades: Arc<Semaphore>,
    /// The requests that have not arrived in full, the oldest first. An idle connection waits for one.
    incomplete: Mutex<BTreeMap<u64, Request>>,
    next_id: AtomicU64,
    /// How many bytes of incomplete request bodies may be held, if they are held at all.
    bodies: Option<usize>,
    /// Told when a connection begins to wait for a request.
    began: Notify,
}

struct Request {
    /// Whether its connection has had none before.
    is_first: bool,
    /// How many bytes of its body have arrived.
    body: usize,
    close: Arc<Notify>,
}

impl Connections {
    /// At most `bound` connections, half of them upgraded: the other half is for requests.
    pub(super) fn new(bound: usize, bodies: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            slots: Arc::new(Semaphore::new(bound)),
            upgrades: Arc::new(Semaphore::new(bound / 2)),
            incomplete: Mutex::default(),
            next_id: AtomicU64::new(0),
            bodies,
            began: Notify::new(),
        })
    }

    /// Returns once there is room for another connection. Closes the oldest one without a complete request, if it has to.
    pub(super) async fn slot(&self) -> Slot {
        loop {
            // Not by polling `acquire_owned`: tokio makes it wait after many accepted connections, though there is room.
            if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
                return Some(slot);
            }
            // Registered first: a connection that goes idle in between must not be missed.
            let began = self.began.notified();
            self.close_oldest();
            tokio::select! {
                slot = Arc::clone(&self.slots).acquire_owned() => return slot.ok(),
                () = began => {}
            }
        }
    }

    /// Closes the oldest connection without a complete request. Returns whether there was one.
    pub(super) fn close_oldest(&self) -> bool {
        close_first(&mut lock(&self.incomplete))
    }

    /// Adds a connection. It keeps `open` until it has ended.
    pub(super) fn add(self: &Arc<Self>, slot: Slot, open: watch::Receiver<()>) -> Connection {
        let connection = Connection {
            connections: Arc::clone(self),
            close: Arc::default(),
            next_request: Mutex::default(),
            first_head: Notify::new(),
            upgrade: Mutex::default(),
            _slot: slot,
            _open: open,
        };
        connection.await_head(true);
        connection
    }

    /// Closes the connections that wait for another request than their first.
    pub(super) fn close_idle(&self) {
        lock(&self.incomplete).retain(|_, request| {
            if !request.is_first {
                request.close.notify_one();
            }
            request.is_first
        });
    }
}

fn close_first(requests: &mut BTreeMap<u64, Request>) -> bool {
    let first = requests.pop_first();
    first.map(|(_, request)| request.close.notify_one()).is_some()
}

/// Room for one connection, given back when it is dropped. Always `Some`: nobody closes the semaphore.
pub(super) type Slot = Option<OwnedSemaphorePermit>;

/// Counts as one connection until it is dropped.
pub(super) struct Connection {
    connections: Arc<Connections>,
    close: Arc<Notify>,
    /// While the head of the next request is awaited.
    next_request: Mutex<Option<IncompleteRequest>>,
    first_head: Notify,
    upgrade: Mutex<Option<OwnedSemaphorePermit>>,
    _slot: Slot,
    _open: watch::Receiver<()>,
}

impl Connection {
    /// Returns once this connection is to be closed.
    pub(super) async fn closed(&self) {
        self.close.notified().await;
    }

    /// The head of a request has arrived. It counts as incomplete until the result is dropped.
    pub(super) fn head_arrived(&self) -> Option<IncompleteRequest> {
        self.first_head.notify_one();
        lock(&self.next_request).take()
    }

    /// Returns once the head of the first request has arrived.
    pub(super) async fn first_head_arrived(&self) {
        self.first_head.notified().await;
    }

    /// The last request was answered: from now on, this connection may be closed for another one.
    pub(super) fn await_request(&self) {
        self.await_head(false);
    }

    fn await_head(&self, is_first: bool) {
        let id = self.connections.next_id.fetch_add(1, Ordering::Relaxed);
        let request = Request { is_first, body: 0, close: Arc::clone(&self.close) };
        lock(&self.connections.incomplete).insert(id, request);
        let request = IncompleteRequest { connections: Arc::clone(&self.connections), id };
        // Dropped after the lock is released, because its drop takes the other lock.
        let before = lock(&self.next_request).replace(request);
        drop(before);
        self.connections.began.notify_waiters();
    }

    /// Whether [`Self::upgrade`] would have room now.
    pub(super) fn may_upgrade(&self) -> bool {
        self.connections.upgrades.available_permits() > 0
    }

    /// The answer switches to another protocol, such as WebSocket. Returns false if too many connections are upgraded already.
    pub(super) fn upgrade(&self) -> bool {
        let permit = Arc::clone(&self.connections.upgrades).try_acquire_owned().ok();
        let has_room = permit.is_some();
        *lock(&self.upgrade) = permit;
        has_room
    }
}

/// A request that has not arrived in full, for as long as this exists.
pub(super) struct IncompleteRequest {
    connections: Arc<Connections>,
    id: u64,
}

impl IncompleteRequest {
    /// A part of its body has arrived. Closes the oldest connections if all of them together hold too many bytes of bodies.
    pub(super) fn body_grew(&self, bytes: usize) {
        let Some(limit) = self.connections.bodies else { return };
        let mut requests = lock(&self.connections.incomplete);
        if let Some(request) = requests.get_mut(&self.id) {
            request.body += bytes;
        }
        while requests.values().map(|request| request.body).sum::<usize>() > limit {
            close_first(&mut requests);
        }
    }
}

impl Drop for IncompleteRequest {
    fn drop(&mut self) {
        lock(&self.connections.incomplete).remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;

    use super::*;

    const BODIES: usize = 1000;

    fn open<const N: usize>(connections: &Arc<Connections>) -> [Connection; N] {
        std::array::from_fn(|_| {
            connections.add(connections.slot().now_or_never().unwrap(), watch::channel(()).1)
        })
    }

    fn is_closed(connection: &Connection) -> bool {
        connection.closed().now_or_never().is_some()
    }

    #[tokio::test]
    async fn the_oldest_without_a_complete_request_makes_room() {
        let connections = Connections::new(3, Some(BODIES));
        let [first, second, third] = open(&connections);
        // The first is being answered; the second was answered just now, so the third is the oldest.
        drop(first.head_arrived());
        drop(second.head_arrived());
        second.await_request();
        let mut slot = pin!(connections.slot());
        assert!(slot.as_mut().now_or_never().is_none());
        assert_eq!([&first, &second, &third].map(is_closed), [false, false, true]);
        // It is being closed: no other is closed for the same newcomer.
        assert!(slot.as_mut().now_or_never().is_none() && !is_closed(&second));
        drop(third);
        assert!(slot.now_or_never().is_some());
    }

    #[tokio::test]
    async fn where_all_are_being_answered_the_next_that_is_done_makes_room() {
        let connections = Connections::new(1, Some(BODIES));
        let [only] = open(&connections);
        drop(only.head_arrived());
        let mut slot = pin!(connections.slot());
        assert!(slot.as_mut().now_or_never().is_none() && !is_closed(&only));
        only.await_request();
        assert!(slot.as_mut().now_or_never().is_none() && is_closed(&only));
        drop(only);
        assert!(slot.now_or_never().is_some());
    }

    #[tokio::test]
    async fn an_upgraded_connection_is_never_closed() {
        let connections = Connections::new(2, Some(BODIES));
        let [upgraded, idle] = open(&connections);
        drop(upgraded.head_arrived());
        assert!(upgraded.upgrade());
        assert!(connections.slot().now_or_never().is_none());
        assert_eq!([&upgraded, &idle].map(is_closed), [false, true]);
        while connections.close_oldest() {}
        assert!(!is_closed(&upgraded));
    }

    #[tokio::test]
    async fn at_most_half_of_the_connections_are_upgraded() {
        let connections = Connections::new(4, Some(BODIES));
        let [first, second, third] = open(&connections);
        assert!(first.upgrade() && second.upgrade() && !third.upgrade());
        drop(first);
        assert!(third.upgrade());
    }

    #[tokio::test]
    async fn bodies_that_do_not_end_are_bounded_together() {
        let connections = Connections::new(9, Some(BODIES));
        let [first, second, silent] = open(&connections);
        let requests = [&first, &second].map(|connection| connection.head_arrived().unwrap());
        for request in &requests {
            request.body_grew(BODIES / 2);
        }
        assert_eq!([&first, &second, &silent].map(is_closed), [false; 3]);
        requests[1].body_grew(1);
        assert_eq!([&first, &second, &silent].map(is_closed), [true, false, false]);
    }

    #[tokio::test]
    async fn a_body_that_ends_after_its_answer_protects_nothing() {
        let connections = Connections::new(1, Some(BODIES));
        let [only] = open(&connections);
        let body = only.head_arrived();
        only.await_request();
        drop(body);
        assert!(connections.slot().now_or_never().is_none() && is_closed(&only));
    }

    /// More in a row than tokio lets one task do before it makes every resource wait.
    #[tokio::test]
    async fn a_burst_closes_no_connection_while_there_is_room() {
        let (connections, (open, _)) = (Connections::new(1000, None), watch::channel(()));
        let mut all = Vec::new();
        for _ in 0..500 {
            let slot = connections.slot().await;
            all.push(Arc::new(connections.add(slot, open.subscribe())));
        }
        assert_eq!(lock(&connections.incomplete).len(), all.len());
    }
}

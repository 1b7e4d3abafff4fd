//! What is written about a request: a line of JSON, and metrics. Neither has a path, a query, a header or a body.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Instant;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use serde_json::json;

use crate::domain::client::secret::fingerprint;
use crate::edge::clock::Clock;
use crate::output::LineWriter;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct OfRequest {
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct OfOperation {
    operation: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct OfMint {
    pub(super) scope: &'static str,
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct OfScope {
    pub(super) scope: &'static str,
}

/// The metrics. The values of labels are of closed sets.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<OfRequest, Counter>,
    seconds: Family<OfOperation, Histogram>,
    pub(super) sockets: Gauge<i64, AtomicI64>,
    pub(super) socket_bytes: Counter<u64, AtomicU64>,
    pub(super) mints: Family<OfMint, Counter>,
    pub(super) token_seconds_left: Family<OfScope, Gauge>,
    pub(super) key_fetches: Family<OfMint, Counter>,
    pub(super) lost_lines: Counter,
}

/// The upper bounds of the histogram, in seconds.
const BUCKETS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("corti_auth");
        let requests = Family::default();
        let seconds = Family::<OfOperation, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        let (sockets, socket_bytes) = (Gauge::default(), Counter::default());
        let (mints, token_seconds_left, key_fetches) =
            (Family::default(), Family::default(), Family::default());
        registry.register("requests", "Requests by operation and outcome", requests.clone());
        registry.register_with_unit("request", "Time to the answer's head", Unit::Seconds, seconds.clone());
        registry.register("sockets", "Open WebSockets", sockets.clone());
        registry.register("socket_bytes", "Bytes through WebSockets, both ways", socket_bytes.clone());
        registry.register("mints", "Tokens asked for", mints.clone());
        registry.register(
            "token_seconds_left",
            "How long the current token is good",
            token_seconds_left.clone(),
        );
        registry.register("key_fetches", "Key sets fetched from identity providers", key_fetches.clone());
        let lost_lines = Counter::default();
        registry.register("lost_lines", "Lines of the log that nobody read in time", lost_lines.clone());
        Self {
            registry,
            requests,
            seconds,
            sockets,
            socket_bytes,
            mints,
            token_seconds_left,
            key_fetches,
            lost_lines,
        }
    }

    /// All metrics, in the text format of `OpenMetrics`.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // A String takes everything.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

/// Where records go.
pub(super) struct Journal {
    pub(super) metrics: Metrics,
    /// `None` where nobody wants them.
    pub(super) lines: Option<LineWriter>,
    pub(super) hash_callers: bool,
}

/// A request, from its head to the end of its answer. Written when it is dropped.
pub(super) struct Record {
    journal: Arc<Journal>,
    started: Instant,
    pub(super) id: String,
    pub(super) caller: Option<String>,
    pub(super) operation: &'static str,
    pub(super) status: u16,
    /// The code of a refusal, `ok`, or how a WebSocket ended.
    pub(super) outcome: &'static str,
    /// The ids of tokens that were handed out.
    pub(super) token_id: Option<String>,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
}

impl Record {
    pub(super) fn new(journal: &Arc<Journal>, id: String) -> Self {
        Self {
            journal: Arc::clone(journal),
            started: Instant::now(),
            id,
            caller: None,
            operation: "none",
            status: 0,
            outcome: "aborted",
            token_id: None,
            bytes_in: 0,
            bytes_out: 0,
        }
    }

    /// Counts bytes to the caller. A method, so that a closure takes the record and not one of its numbers.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
    }

    /// How a WebSocket ended.
    pub(super) fn ended(mut self, outcome: &'static str) {
        self.outcome = outcome;
    }

    /// The answer's head is ready.
    pub(super) fn answered(&mut self, status: u16) {
        self.status = status;
        let Self { journal, operation, outcome, .. } = self;
        let metrics = &journal.metrics;
        metrics.requests.get_or_create(&OfRequest { operation, outcome }).inc();
        metrics
            .seconds
            .get_or_create(&OfOperation { operation })
            .observe(self.started.elapsed().as_secs_f64());
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let hashed = |id: &String| if self.journal.hash_callers { fingerprint(id) } else { id.clone() };
        let line = json!({
            "time": Clock.now().to_string(),
            "request": self.id,
            "caller": self.caller.as_ref().map(hashed),
            "operation": self.operation,
            "outcome": self.outcome,
            "status": self.status,
            "token": self.token_id,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "ms": u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        if let Some(lines) = &self.journal.lines
            && !lines.write(line.to_string())
        {
            self.journal.metrics.lost_lines.inc();
        }
    }
}

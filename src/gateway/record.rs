//! What is written about a request: a line of JSON, and metrics. Neither has a path, a query, a header or a body.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Instant;

use axum::body::{Body, Bytes};
use http_body_util::BodyExt as _;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry, Unit};
use serde::Serialize;
use uuid::Uuid;

use super::throttle::Open;
use crate::domain::client::secret::fingerprint;
use crate::edge::clock::Clock;
use crate::edge::thread::lock;
use crate::output::LineWriter;

/// The labels of a metric. Their values are of closed sets.
type Labels<const N: usize> = [(&'static str, &'static str); N];

pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Labels<2>, Counter>,
    seconds: Family<Labels<1>, Histogram>,
    pub(super) sockets: Gauge,
    pub(super) socket_bytes: Counter,
    pub(super) mints: Family<Labels<2>, Counter>,
    pub(super) token_seconds_left: Family<Labels<1>, Gauge>,
    pub(super) key_fetches: Family<Labels<1>, Counter>,
    pub(super) lost_lines: Counter,
}

/// The upper bounds of the histogram, in seconds.
const BUCKETS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

impl Metrics {
    pub(super) fn new() -> Self {
        fn add<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
            let metric = M::default();
            registry.register(name, help, metric.clone());
            metric
        }
        let mut all = Registry::with_prefix("corti_auth");
        let seconds = Family::<_, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        all.register_with_unit(
            "request",
            "Time until the response headers were sent",
            Unit::Seconds,
            seconds.clone(),
        );
        Self {
            requests: add(&mut all, "requests", "Requests by operation and outcome"),
            seconds,
            sockets: add(&mut all, "sockets", "Open WebSockets"),
            socket_bytes: add(&mut all, "socket_bytes", "Bytes through WebSockets, both ways"),
            mints: add(&mut all, "mints", "Token requests"),
            token_seconds_left: add(
                &mut all,
                "token_seconds_left",
                "Remaining lifetime of the current token",
            ),
            key_fetches: add(&mut all, "key_fetches", "Key sets fetched from identity providers"),
            lost_lines: add(&mut all, "lost_lines", "Lines of the log that could not be written"),
            registry: all,
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

/// What the log says about a request.
#[derive(Serialize)]
pub(super) struct Entry {
    pub(super) request: Uuid,
    pub(super) caller: Option<String>,
    pub(super) operation: &'static str,
    /// The code of a refusal, `ok`, or that a WebSocket was opened or how it ended.
    pub(super) outcome: &'static str,
    status: u16,
    /// The id (`jti`) of an issued token.
    pub(super) token: Option<String>,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    #[serde(flatten)]
    entry: &'a Entry,
    ms: u128,
}

/// A request. Its line is written when everything that belongs to it has ended: its answer's body, or its WebSocket. A WebSocket
/// has one more, when it opens: it may last for hours, and a process that is killed writes nothing any more.
pub(super) struct Record {
    journal: Arc<Journal>,
    started: Instant,
    entry: Mutex<Entry>,
    /// Counts the request as open until its record is dropped.
    pub(super) open: OnceLock<Open>,
}

impl Record {
    pub(super) fn new(journal: &Arc<Journal>) -> Self {
        let entry = Entry {
            request: Uuid::new_v4(),
            caller: None,
            operation: "none",
            outcome: "aborted",
            status: 0,
            token: None,
            bytes_in: 0,
            bytes_out: 0,
        };
        Self {
            journal: Arc::clone(journal),
            started: Instant::now(),
            entry: Mutex::new(entry),
            open: OnceLock::new(),
        }
    }

    pub(super) fn entry(&self) -> MutexGuard<'_, Entry> {
        lock(&self.entry)
    }

    /// Who asks.
    pub(super) fn set_caller(&self, id: &str) {
        let caller = if self.journal.hash_callers { fingerprint(id) } else { id.to_owned() };
        self.entry().caller = Some(caller);
    }

    /// A WebSocket is open.
    pub(super) fn opened(&self) {
        let outcome = mem::replace(&mut self.entry().outcome, "opened");
        self.write();
        self.entry().outcome = outcome;
    }

    /// The answer's head is ready.
    pub(super) fn answered(&self, status: u16, outcome: &'static str) {
        let mut entry = self.entry();
        (entry.status, entry.outcome) = (status, outcome);
        let Metrics { requests, seconds, .. } = &self.journal.metrics;
        let operation = ("operation", entry.operation);
        requests.get_or_create(&[operation, ("outcome", outcome)]).inc();
        seconds.get_or_create(&[operation]).observe(self.started.elapsed().as_secs_f64());
    }

    fn write(&self) {
        let Some(lines) = &self.journal.lines else { return };
        let entry = self.entry();
        let line = Line {
            time: format!("{:.3}", Clock.now()),
            entry: &entry,
            ms: self.started.elapsed().as_millis(),
        };
        lines.write(serde_json::to_string(&line).unwrap_or_default());
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.write();
    }
}

/// Counts a body's bytes in a number of its record, and holds the record until the body's end.
pub(super) fn counted(body: Body, record: &Arc<Record>, number: fn(&mut Entry) -> &mut u64) -> Body {
    let record = Arc::clone(record);
    Body::new(body.inspect_frame(move |frame| {
        *number(&mut record.entry()) += frame.data_ref().map_or(0, Bytes::len) as u64;
    }))
}

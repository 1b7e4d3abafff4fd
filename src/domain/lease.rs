//! Whether a token that was minted before will do.

use std::time::Duration;

/// How much of a token that was minted before will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reuse {
    /// `--min-ttl`: how long a token must live at least; `None` for the usual margin.
    pub min_ttl: Option<Duration>,
    /// Whether the cache is used.
    pub mode: Mode,
}

/// Whether the cache is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A cached token, if it will do; else a new one, which is cached.
    Cached,
    /// A new token, which is cached.
    Refresh,
    /// A new token, and the cache is neither read nor written.
    NoCache,
}

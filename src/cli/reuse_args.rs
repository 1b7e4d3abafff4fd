//! `--min-ttl`, `--refresh`, `--no-cache`: whether a token that was minted before will do.

use std::time::Duration;

use clap::Args;

use crate::app::context::Context;
use crate::cli::argument;
use crate::domain::token::reuse::{Mode, Reuse};

/// The options of every command that hands a token out.
#[derive(Debug, Args)]
pub(crate) struct ReuseArgs {
    /// Require at least this much remaining lifetime, such as 30s or 2m; else exit with 10
    #[arg(long, value_name = "DURATION", value_parser = argument::duration)]
    min_ttl: Option<Duration>,
    /// Mint a new token, even where a cached one is still good
    #[arg(long)]
    refresh: bool,
    /// Neither use nor fill the cache of tokens; `CORTI_AUTH_NO_CACHE` does the same
    #[arg(long, conflicts_with = "refresh")]
    no_cache: bool,
}

impl ReuseArgs {
    /// What these options and the variable ask for.
    pub(crate) fn reuse(&self, context: &Context<'_>) -> Reuse {
        let mode = if self.no_cache {
            Mode::NoCache
        } else if self.refresh {
            Mode::Refresh
        } else {
            Mode::Cached
        };
        let Reuse { mode: by_default, .. } = context.default_reuse();
        let mode = if by_default == Mode::NoCache { by_default } else { mode };
        Reuse { min_ttl: self.min_ttl, preferred_ttl: None, mode }
    }
}

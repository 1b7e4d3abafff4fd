//! `--min-ttl`, `--refresh`, `--no-cache`: whether a token that was minted before will do.

use std::time::Duration;

use clap::Args;

use crate::domain::lease::{Mode, Reuse};
use crate::domain::variable;

use super::argument;
use super::context::Context;

/// The options of every command that hands a token out.
#[derive(Debug, Args)]
pub(super) struct ReuseArgs {
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
    pub(super) fn reuse(&self, context: &Context<'_>) -> Reuse {
        let mode = if self.no_cache {
            Mode::NoCache
        } else if self.refresh {
            Mode::Refresh
        } else {
            Mode::Cached
        };
        Reuse { min_ttl: self.min_ttl, ..default(context, mode) }
    }
}

/// For commands without these options.
pub(super) fn by_default(context: &Context<'_>) -> Reuse {
    default(context, Mode::Cached)
}

fn default(context: &Context<'_>, mode: Mode) -> Reuse {
    let off = context.host.env.get(variable::NO_CACHE).is_some_and(|value| variable::is_on(&value));
    Reuse { min_ttl: None, preferred_ttl: None, mode: if off { Mode::NoCache } else { mode } }
}

//! What several commands need of clap: global options, shared options, usage errors.

pub(crate) mod argument;
pub(crate) mod format_args;
pub(crate) mod globals;
pub(crate) mod lazy_args;
pub(crate) mod token_args;
pub(crate) mod usage;

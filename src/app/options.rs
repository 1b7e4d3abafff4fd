//! The options that every command takes.

use std::path::PathBuf;
use std::time::Duration;

/// The options that every command takes, as they stand on the command line.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) profile: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) json: bool,
    pub(crate) no_input: bool,
    pub(crate) quiet: bool,
    /// How long one request may take.
    pub(crate) timeout: Duration,
    pub(crate) ca_cert: Option<PathBuf>,
    pub(crate) config_dir: Option<PathBuf>,
}

//! The outside world, one thing per file: clock, environment, file system, keyring, network, terminal. Every call to a server
//! or a keyring has a deadline. Decisions are made elsewhere.

pub mod age_file;
mod children;
pub mod clock;
pub mod config_file;
pub mod connectivity;
pub mod host;
pub mod http;
pub mod http_error;
pub mod input;
pub mod keychain_error;
pub mod keyring;
pub mod listener;
pub mod lock;
pub mod loopback;
pub mod mounted_secret;
#[cfg(unix)]
mod peer;
pub mod private_file;
pub mod process;
pub mod program;
pub mod prompt;
pub mod proxy;
pub mod refresh_endpoint;
#[cfg(unix)]
mod relay;
pub mod secret_command;
pub mod socket;
pub mod store;
mod store_error;
pub mod system;
pub mod text;
pub mod thread;
mod tls_error;
pub mod token_cache;

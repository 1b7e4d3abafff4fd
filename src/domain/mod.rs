//! What the tool knows: environments, scopes, secrets, grants, tokens, interactions.
//!
//! Pure values and functions. Nothing here does I/O, reads a clock or an environment variable, or is `async`;
//! what depends on the time takes `now`. No module here names another part of the crate.

pub mod client;
pub mod corti;
pub mod explain;
pub mod gateway;
pub mod text;
pub mod token;

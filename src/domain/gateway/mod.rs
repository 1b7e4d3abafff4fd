//! The decisions of `serve`: who asks, which operation of Corti's API it is, and whether the rules allow it.
//!
//! Requests are matched against a fixed table, never against patterns from serve.toml, and what goes to Corti is built from that
//! table.

pub mod caller;
pub mod config;
pub mod credential;
pub mod limits;
pub mod operation;
pub mod refusal;
pub mod rules;
pub mod ticket;

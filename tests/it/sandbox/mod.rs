//! Clients of the sandbox's API and its WebSockets, for its tests.

pub mod api;
pub mod talk;

//! What the tests of the sandbox share: a client of its API, and one of its WebSockets.

pub mod api;
pub mod talk;

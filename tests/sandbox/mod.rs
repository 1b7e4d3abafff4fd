//! What the tests of the sandbox share: a client of its API, and one of its WebSockets.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

pub mod api;
pub mod talk;

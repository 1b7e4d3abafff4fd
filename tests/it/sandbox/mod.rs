//! Clients of the sandbox's API and of its WebSockets.

pub mod api;
pub mod websocket;

//! The Corti API: requests, interactions, WebSockets, refusals, and what a token opens.

pub mod audio;
pub mod capability;
pub mod interaction;
pub mod message;
pub mod problem;
pub mod request;
pub mod websocket;

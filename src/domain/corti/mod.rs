//! Corti's API: requests, interactions, WebSockets, errors, and what a token opens.

pub mod access;
pub mod audio;
pub mod challenge;
pub mod interaction;
pub mod message;
pub mod pasted_url;
pub mod problem;
pub mod request;
pub mod websocket;

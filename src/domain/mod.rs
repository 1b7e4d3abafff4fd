//! What the tool knows: environments, scopes, secrets, grants, tokens, interactions.
//!
//! Pure values and functions. Nothing here does I/O, reads a clock or an environment variable, or is `async`;
//! what depends on the time takes `now`. No module here names another part of the crate.

pub mod audio;
pub mod cache_key;
pub mod capability;
pub mod comparison;
pub mod config;
pub mod diagnosis;
pub mod dotenv;
pub mod environment;
pub mod event;
pub mod explanation;
pub mod grant;
pub mod handover;
pub mod identity;
pub mod import;
pub mod inspection;
pub mod interaction;
pub mod jwks;
pub mod jwt;
pub mod lease;
pub mod lines;
pub mod message;
pub mod page;
pub mod paste;
pub mod problem;
pub mod quotation;
pub mod redactor;
pub mod rendering;
pub mod request;
pub mod requirement;
pub mod resolve;
pub mod scope;
pub mod secret;
pub mod shell;
pub mod signature;
pub mod store_kind;
pub mod variable;
pub mod verification;
pub mod websocket;

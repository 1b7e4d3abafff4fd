//! Chooses the client: environment, tenant, id, profiles, variables, `config.toml`.

pub mod api_client;
pub mod config;
pub mod dotenv;
pub mod environment;
pub mod identity;
pub mod import;
pub mod invalid;
pub mod resolve;
pub mod secret;
pub mod store_kind;
pub mod variable;

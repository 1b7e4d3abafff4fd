//! What several commands need: the context, tokens, the API, credentials, input.

pub(crate) mod api;
pub(crate) mod caller;
pub(crate) mod checks;
pub(crate) mod context;
pub(crate) mod credentials;
pub(crate) mod delivery;
pub(crate) mod input;
pub(crate) mod interrupt;
pub(crate) mod route;
pub(crate) mod sandbox;
pub(crate) mod secret_input;
pub(crate) mod secret_state;
pub(crate) mod spinner;
pub(crate) mod token_source;
pub(crate) mod tokens;

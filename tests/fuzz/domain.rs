//! The domain of corti-auth, included from `src/`.

#[path = "../../src/domain/mod.rs"]
pub mod domain;

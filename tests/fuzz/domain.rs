//! The domain of corti-auth, as it is in `src/`.

#[path = "../../src/domain/mod.rs"]
pub mod domain;

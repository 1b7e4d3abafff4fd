//! Tokens: scopes, the grant, claims, verification, reuse and output formats.

pub mod cache_key;
pub mod claim_error;
pub mod claims;
pub mod comparison;
pub mod format;
pub mod grant;
pub mod inspection;
pub mod jwks;
pub mod jwt;
pub mod limited_only;
pub mod pasted;
pub mod public_key;
pub mod report;
pub mod reuse;
pub mod scope;
pub mod signature;
pub mod verification;

//! Explains why a request failed, and judges what `doctor` checks.

mod answer_kind;
mod cause;
pub mod causes;
mod challenge;
pub mod diagnosis;
pub mod discovery;
pub mod evidence;
mod redaction;
pub mod saved_exchange;
pub mod used_token;

//! Explains why a request failed, and judges what `doctor` checks.

mod answer;
mod cause;
pub mod causes;
pub mod diagnosis;
pub mod discovery;
pub mod evidence;
mod redaction;
pub mod saved_exchange;

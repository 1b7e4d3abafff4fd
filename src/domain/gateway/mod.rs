//! The decisions of `serve`: who asks, which operation of Corti's API it is, and whether the rules allow it.
//!
//! What is asked for never meets a pattern of a user's: rules name operations of a closed table, and what goes to Corti is
//! built from that table.

pub mod caller;
pub mod config;
pub mod limits;
pub mod operation;
pub mod place;
pub mod refusal;
pub mod rules;
pub mod ticket;

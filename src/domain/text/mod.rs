//! What is shown: pages, events, quoting, and the redaction of secrets.

pub mod duration;
pub mod event;
pub mod excerpt;
pub mod field;
pub mod lines;
pub mod page;
pub mod redactor;
pub mod shell;
pub mod words;

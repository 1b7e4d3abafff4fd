//! What is shown: pages, events, quoting, and the secrets that are taken out of it.

pub mod event;
pub mod lines;
pub mod page;
pub mod quotation;
pub mod redactor;
pub mod shell;

//! Corti's tokens on the command line: client secrets in the OS keyring, limited and full tokens, what a token may do.
//!
//! - [`domain`] knows: environments, scopes, secrets, grants, tokens. Pure values.
//! - [`edge`] touches: the keyring, the network, files, the terminal. One outside thing per file.
//! - [`sandbox`] is Corti, emulated on this machine.
//! - [`commands`] are the subcommands: arguments in, an outcome or a [`failure`] out.
//! - [`output`] prints; nothing else does.
//!
//! `ARCHITECTURE.md` has the map and the rules.

use std::process::ExitCode;

use commands::{Invocation, Parsed};
use edge::host::Host;
use failure::{Failure, Kind};
use output::Printer;

mod app;
mod cli;
pub mod commands;
pub mod domain;
pub mod edge;
pub mod failure;
pub mod output;
pub mod sandbox;

/// Runs the command line in `host` and says how it ended.
pub fn run(host: &Host) -> ExitCode {
    edge::process::harden();
    match commands::parse(host) {
        Parsed::Run(invocation) => execute(&invocation, host),
        Parsed::Show(text) => finish(&Printer::default(), Printer::default().generated(&text), None),
        Parsed::Wrong { printer, failure, text } => {
            printer.usage(&failure, &text);
            failure.exit_code()
        }
    }
}

fn execute(invocation: &Invocation, host: &Host) -> ExitCode {
    let printer = Printer::new(invocation.style(host));
    let mut outcome = match commands::dispatch(invocation, host, &printer) {
        Ok(outcome) => outcome,
        Err(failure) => {
            printer.fail(&failure);
            return failure.exit_code();
        }
    };
    let written = printer.emit(outcome.as_ref());
    match outcome.verdict() {
        Some(failure) if written.is_ok() => {
            printer.fail(&failure);
            failure.exit_code()
        }
        _ if written.is_ok() => failure::code_of_program(outcome.program_code()),
        _ => finish(&printer, written, outcome.undo()),
    }
}

/// `undo` is what to run about a thing that was made, where nobody could be told of it.
fn finish(printer: &Printer, written: std::io::Result<()>, undo: Option<String>) -> ExitCode {
    let Err(error) = written else { return ExitCode::SUCCESS };
    let failure = Failure::new(Kind::Unexpected, format!("cannot write to stdout: {error}"));
    let failure = undo.into_iter().fold(failure, Failure::hint);
    printer.fail(&failure);
    failure.exit_code()
}

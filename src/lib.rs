//! Corti's tokens on the command line: client secrets in the OS keyring, limited and full tokens, what a token may do.
//!
//! - [`domain`]: pure values and rules
//! - [`edge`]: one outside resource per file
//! - [`sandbox`]: Corti, emulated on this machine
//! - `gateway`: the server of `serve`
//! - `commands`: the subcommands, which return an outcome or a [`failure`]
//! - [`output`]: the only file that prints
//!
//! `ARCHITECTURE.md` has the map and the rules.

use std::process::ExitCode;

use commands::{Cli, Parsed};
use edge::host::Host;
use failure::Failure;
use output::Printer;

mod app;
mod cli;
mod commands;
pub mod domain;
pub mod edge;
pub mod failure;
mod gateway;
pub mod output;
pub mod sandbox;

/// Runs the command line in `host`, and returns the exit code.
pub fn run(host: &Host) -> ExitCode {
    edge::process::harden();
    match commands::parse(host) {
        Parsed::Run(cli) => execute(&cli, host),
        Parsed::Show(text) => {
            let printer = Printer::default();
            match printer.print_text(&text) {
                Ok(()) => ExitCode::SUCCESS,
                Err(failure) => fail(&printer, &failure),
            }
        }
        Parsed::Wrong(failure, style, text) => {
            Printer::new(style).usage(&failure, &text);
            failure.exit_code()
        }
    }
}

fn execute(cli: &Cli, host: &Host) -> ExitCode {
    let printer = Printer::new(cli.globals.style(host));
    let outcome = match commands::dispatch(cli, host, &printer) {
        Ok(outcome) => outcome,
        Err(failure) => return fail(&printer, &failure),
    };
    if let Err(failure) = printer.emit(&outcome) {
        return fail(&printer, &outcome.undo.into_iter().fold(failure, Failure::hint));
    }
    match outcome.failure {
        Some(failure) => fail(&printer, &failure),
        None => failure::code_of_program(outcome.program_code),
    }
}

fn fail(printer: &Printer, failure: &Failure) -> ExitCode {
    printer.fail(failure);
    failure.exit_code()
}

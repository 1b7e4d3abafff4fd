//! `corti-auth`: the process around the library.

use std::process::ExitCode;

use corti_auth::edge::host::Host;

fn main() -> ExitCode {
    corti_auth::run(&Host::from_os())
}

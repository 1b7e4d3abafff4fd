//! Says why a program cannot be run.

use super::{Failure, Kind};
use crate::domain::text::shell::{Shell, quote};
use crate::edge::program::ProgramError;

impl From<ProgramError> for Failure {
    fn from(error: ProgramError) -> Self {
        let (kind, hint) = match &error {
            ProgramError::NotFound(name) => (Kind::NotFound, Shell::HERE.find_program(name)),
            ProgramError::NoInterpreter(name) => (Kind::NotFound, format!("head -n 1 {}", quote(name))),
            ProgramError::NotExecutable(name, _) => {
                (Kind::NotExecutable, Shell::HERE.show_rights("-l", name))
            }
        };
        Self::caused(kind, error).hint(hint)
    }
}

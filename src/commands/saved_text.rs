//! Text that somebody saved: from a file, or from standard input.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use crate::edge::host::{read_bounded, read_stdin};
use crate::failure::{Failure, Kind};

/// Whether a file's name stands for standard input.
pub(super) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Reads `what`, at most `limit` bytes of it; what is no text in it becomes `U+FFFD`.
///
/// # Errors
/// A usage failure where it cannot be read, or is longer.
pub(super) fn read(what: &str, path: &Path, limit: usize) -> Result<String, Failure> {
    let (bytes, source) = if is_stdin(path) {
        (read_stdin(limit), "standard input".to_owned())
    } else {
        (File::open(path).and_then(|file| read_bounded(file, limit)), format!("`{}`", path.display()))
    };
    let bytes = bytes.map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::InvalidData => "give one alone",
            _ => "name a file that can be read, or - for standard input",
        };
        Failure::new(Kind::Usage, format!("cannot read the {what} from {source}: {error}")).hint(hint)
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

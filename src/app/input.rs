//! Reads a file that the command line names, or standard input for `-`.

use std::path::Path;

use zeroize::Zeroizing;

use crate::app::context::Context;
use crate::edge::input;

/// What is read, in words: `None` is standard input.
pub(crate) fn name(file: Option<&Path>) -> String {
    file.map_or_else(|| "standard input".to_owned(), |path| format!("`{}`", path.display()))
}

/// Reads a text of at most `limit` bytes, to the end, on another thread: a pipe that nobody writes to must not hold back Ctrl-C.
/// Standard input must not be a terminal. The error says what was read and what failed: `` `x.json`: no such file``.
pub(crate) async fn read(
    path: &Path,
    limit: usize,
    context: &Context<'_>,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let file = file(path, context)?;
    input::read(file, limit).await.map_err(|error| format!("{}: {error}", name(file)))
}

/// As [`read`], for what is not text.
pub(crate) async fn read_bytes(
    path: &Path,
    limit: usize,
    context: &Context<'_>,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let file = file(path, context)?;
    input::read_bytes(file, limit).await.map_err(|error| format!("{}: {error}", name(file)))
}

fn file<'a>(path: &'a Path, context: &Context<'_>) -> Result<Option<&'a Path>, String> {
    let file = Some(path).filter(|path| path.as_os_str() != "-");
    if file.is_none() && context.host.terminal.stdin {
        return Err("standard input: it is a terminal, not a pipe".to_owned());
    }
    Ok(file)
}

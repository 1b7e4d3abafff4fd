//! A file that was named on the command line, or standard input where its name is `-`.

use std::path::Path;

use zeroize::Zeroizing;

use crate::edge::input;

use super::context::Context;

/// Reads it to its end, at most `limit` bytes. It is read beside the runtime: a pipe that nobody writes to must not hold
/// Ctrl-C back.
///
/// # Errors
/// What was read, and why it cannot be: `` `x.json`: no such file``.
pub(super) async fn read(
    path: &Path,
    limit: usize,
    context: &Context<'_>,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let is_stdin = path.as_os_str() == "-";
    let source = if is_stdin { "standard input".to_owned() } else { format!("`{}`", path.display()) };
    if is_stdin && context.host.terminal.stdin {
        return Err(format!("{source}: it is a terminal, and a pipe is wanted"));
    }
    let read = input::read((!is_stdin).then_some(path), limit).await;
    read.map_err(|error| format!("{source}: {error}"))
}

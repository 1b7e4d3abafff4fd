//! A file that was named on the command line, or standard input where its name is `-`.

use std::path::Path;

use zeroize::Zeroizing;

use crate::app::context::Context;
use crate::edge::input;

/// Nobody types what a command reads from standard input.
///
/// # Errors
/// Where it is a terminal.
pub(crate) fn refuse_terminal(context: &Context<'_>) -> Result<(), String> {
    let refusal = || "standard input: it is a terminal, and a pipe is wanted".to_owned();
    if context.host.terminal.stdin { Err(refusal()) } else { Ok(()) }
}

/// Reads it to its end, at most `limit` bytes. It is read beside the runtime: a pipe that nobody writes to must not hold
/// Ctrl-C back.
///
/// # Errors
/// What was read, and why it cannot be: `` `x.json`: no such file``.
pub(crate) async fn read(
    path: &Path,
    limit: usize,
    context: &Context<'_>,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let is_stdin = path.as_os_str() == "-";
    let source = if is_stdin { "standard input".to_owned() } else { format!("`{}`", path.display()) };
    if is_stdin {
        refuse_terminal(context)?;
    }
    let read = input::read((!is_stdin).then_some(path), limit).await;
    read.map_err(|error| format!("{source}: {error}"))
}

//! A file that was named on the command line, or standard input where its name is `-`.

use std::fs::File;
use std::path::Path;

use crate::edge::host::{read_bounded, read_stdin};
use crate::edge::thread;

use super::context::Context;

/// Reads it to its end, at most `limit` bytes. It is read beside the runtime: a pipe that nobody writes to must not hold
/// Ctrl-C back.
///
/// # Errors
/// What was read, and why it cannot be: `` `x.json`: no such file``.
pub(super) async fn read(path: &Path, limit: usize, context: &Context<'_>) -> Result<Vec<u8>, String> {
    let is_stdin = path.as_os_str() == "-";
    let source = if is_stdin { "standard input".to_owned() } else { format!("`{}`", path.display()) };
    if is_stdin && context.host.terminal.stdin {
        return Err(format!("{source}: it is a terminal, and a pipe is wanted"));
    }
    let file = path.to_owned();
    let read = thread::beside(move || {
        if is_stdin { read_stdin(limit) } else { File::open(file).and_then(|file| read_bounded(file, limit)) }
    });
    let read = read.await.ok_or_else(|| format!("{source}: the read was given up"))?;
    read.map_err(|error| format!("{source}: {error}"))
}

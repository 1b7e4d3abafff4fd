//! Reads files and standard input, whole or in chunks, always with a limit: text [as UTF-8](text::as_utf8), if not said otherwise.
//! In a runtime, a thread opens and reads them, so that Ctrl-C ends the wait, also for the writer of a pipe.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use tokio::sync::mpsc::{Receiver, channel};
use zeroize::Zeroizing;

use super::host::read_bounded;
use super::{text, thread};

/// The size of a chunk, in bytes.
const CHUNK: usize = 128 * 1024;

/// A file or standard input, read in chunks.
pub struct Input {
    source: Source,
    chunk: Vec<u8>,
}

enum Source {
    Direct(Box<dyn Read + Send>),
    Thread(Receiver<io::Result<Vec<u8>>>),
}

/// Reads a file, or standard input, to its end, on a thread. More than `limit` bytes are an error of kind `InvalidData`.
pub async fn read(file: Option<&Path>, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = file.map(Path::to_owned);
    thread::files(move || read_on_this_thread(file.as_deref(), limit)).await
}

/// As [`read`], for what is not text.
pub async fn read_bytes(file: Option<&Path>, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = file.map(Path::to_owned);
    thread::files(move || read_bounded(open(file.as_deref())?, limit).map(Zeroizing::new)).await
}

/// As [`read`], on this thread, for commands without a runtime: there a signal ends the process.
pub fn read_on_this_thread(file: Option<&Path>, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    read_bounded(open_text(file)?, limit).map(Zeroizing::new)
}

/// Reads one line of standard input on this thread. An error if there is none.
#[expect(clippy::disallowed_methods, reason = "the one place that may call it")]
pub(super) fn line() -> io::Result<String> {
    let mut line = String::new();
    match io::stdin().read_line(&mut line)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line),
    }
}

fn open_text(file: Option<&Path>) -> io::Result<Box<dyn Read + Send>> {
    text::as_utf8(open(file)?)
}

#[expect(clippy::disallowed_methods, reason = "the one place that may call it")]
fn open(file: Option<&Path>) -> io::Result<Box<dyn Read + Send>> {
    Ok(match file {
        Some(path) => Box::new(File::open(path)?),
        None => Box::new(io::stdin()),
    })
}

impl Input {
    /// Opens a file, or standard input, to be read on this thread.
    pub fn on_this_thread(file: Option<&Path>) -> io::Result<Self> {
        Ok(Self { source: Source::Direct(open_text(file)?), chunk: Vec::new() })
    }

    /// A text that is known already.
    pub fn of(text: Vec<u8>) -> Self {
        Self { source: Source::Direct(Box::new(io::Cursor::new(text))), chunk: Vec::new() }
    }

    /// As [`Self::on_this_thread`], on a thread: [`Self::chunk`] waits without blocking, and returns the error if it cannot be opened.
    pub fn on_a_thread(file: Option<&Path>) -> Self {
        let (sender, receiver) = channel(2);
        let file = file.map(Path::to_owned);
        thread::start(move || {
            let mut reader = match open_text(file.as_deref()) {
                Ok(reader) => reader,
                Err(error) => return drop(sender.blocking_send(Err(error))),
            };
            loop {
                let chunk = read_chunk(&mut reader);
                let is_last = chunk.as_ref().map_or(true, Vec::is_empty);
                // Fails if the command has ended.
                if sender.blocking_send(chunk).is_err() || is_last {
                    return;
                }
            }
        });
        Self { source: Source::Thread(receiver), chunk: Vec::new() }
    }

    /// The next bytes, as many as are ready. Empty at the end.
    pub async fn chunk(&mut self) -> io::Result<&[u8]> {
        self.chunk = match &mut self.source {
            Source::Direct(reader) => read_chunk(reader)?,
            Source::Thread(receiver) => receiver.recv().await.unwrap_or_else(|| Err(thread::given_up()))?,
        };
        Ok(&self.chunk)
    }
}

fn read_chunk(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut chunk = vec![0; CHUNK];
    loop {
        match reader.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            count => {
                chunk.truncate(count?);
                return Ok(chunk);
            }
        }
    }
}

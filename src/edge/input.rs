//! What a command reads: a file or standard input, whole or in chunks, always of bounded size. Beside the runtime it is
//! opened and read by a thread, so that Ctrl-C ends the wait: for more, and for somebody at a pipe's other end.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use tokio::sync::mpsc::{Receiver, channel};
use zeroize::Zeroizing;

use super::host::read_bounded;
use super::thread;

/// The size of a chunk, in bytes.
const CHUNK: usize = 128 * 1024;

/// A reader of chunks.
pub struct Input(Source);

enum Source {
    Direct(Box<dyn Read + Send>, Vec<u8>),
    Beside(Receiver<io::Result<Vec<u8>>>, Vec<u8>),
}

/// Reads a file, or standard input, to its end, at most `limit` bytes, beside the runtime.
///
/// # Errors
/// The file's own, and `InvalidData` where there is more.
pub async fn read(file: Option<&Path>, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = file.map(Path::to_owned);
    thread::files(move || read_here(file.as_deref(), limit)).await
}

/// The same on this thread, for commands that run on no runtime: there a signal ends the process.
///
/// # Errors
/// As [`read`].
pub fn read_here(file: Option<&Path>, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    read_bounded(open(file)?, limit).map(Zeroizing::new)
}

#[expect(clippy::disallowed_methods, reason = "this is the door that the lint points to")]
fn open(file: Option<&Path>) -> io::Result<Box<dyn Read + Send>> {
    Ok(match file {
        Some(path) => Box::new(File::open(path)?),
        None => Box::new(io::stdin()),
    })
}

impl Input {
    /// Opens a file, or standard input, to be read on this thread.
    ///
    /// # Errors
    /// The file's own.
    pub fn here(file: Option<&Path>) -> io::Result<Self> {
        Ok(Self(Source::Direct(open(file)?, vec![0; CHUNK])))
    }

    /// The same by a thread: [`Self::chunk`] waits without blocking, and has the error where it cannot be opened.
    pub fn beside(file: Option<&Path>) -> Self {
        let (sender, receiver) = channel(2);
        let file = file.map(Path::to_owned);
        thread::start(move || {
            let mut reader = match open(file.as_deref()) {
                Ok(reader) => reader,
                Err(error) => return drop(sender.blocking_send(Err(error))),
            };
            let mut buffer = vec![0; CHUNK];
            loop {
                let count = next(reader.as_mut(), &mut buffer);
                let chunk = count.map(|count| buffer.get(..count).unwrap_or_default().to_vec());
                let is_last = chunk.as_ref().map_or(true, Vec::is_empty);
                // Nobody listens any more where the command has ended.
                if sender.blocking_send(chunk).is_err() || is_last {
                    return;
                }
            }
        });
        Self(Source::Beside(receiver, Vec::new()))
    }

    /// The next bytes, as many as there are at once; none at the end.
    ///
    /// # Errors
    /// The read's own.
    pub async fn chunk(&mut self) -> io::Result<&[u8]> {
        match &mut self.0 {
            Source::Direct(reader, buffer) => {
                let count = next(reader.as_mut(), buffer)?;
                Ok(buffer.get(..count).unwrap_or_default())
            }
            Source::Beside(receiver, buffer) => {
                *buffer = receiver.recv().await.unwrap_or_else(|| Err(thread::given_up()))?;
                Ok(buffer)
            }
        }
    }
}

fn next(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            count => return count,
        }
    }
}

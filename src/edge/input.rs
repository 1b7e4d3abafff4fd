//! What a command reads: a file or standard input, whole or in chunks of bounded size. Beside the runtime it is read by a
//! thread, so that Ctrl-C ends the wait for more.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use tokio::sync::mpsc::{Receiver, channel};

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

impl Input {
    /// Opens a file, or standard input.
    ///
    /// # Errors
    /// The file's own.
    pub fn open(file: Option<&Path>) -> io::Result<Self> {
        Ok(Self(Source::Direct(reader(file)?, vec![0; CHUNK])))
    }

    /// The same, opened and read by a thread: [`Self::chunk`] then waits without blocking. To open a pipe is to wait for
    /// who writes to it; what keeps it from being opened is the first chunk's error.
    ///
    /// # Errors
    /// Where the system has no thread.
    pub fn beside(file: Option<&Path>) -> io::Result<Self> {
        let (sender, receiver) = channel(2);
        let file = file.map(Path::to_owned);
        std::thread::Builder::new().spawn(move || {
            let (mut source, mut buffer) = (reader(file.as_deref()), vec![0; CHUNK]);
            loop {
                let count = source.as_mut().map_err(|error| io::Error::new(error.kind(), error.to_string()));
                let count = count.and_then(|source| read_some(source.as_mut(), &mut buffer));
                let chunk = count.map(|count| buffer.get(..count).unwrap_or_default().to_vec());
                let is_last = chunk.as_ref().map_or(true, Vec::is_empty);
                // Nobody listens any more where the command has ended.
                if sender.blocking_send(chunk).is_err() || is_last {
                    return;
                }
            }
        })?;
        Ok(Self(Source::Beside(receiver, Vec::new())))
    }

    /// The next bytes, as many as there are at once; none at the end.
    ///
    /// # Errors
    /// The read's own.
    pub async fn chunk(&mut self) -> io::Result<&[u8]> {
        match &mut self.0 {
            Source::Direct(reader, buffer) => {
                let count = read_some(reader.as_mut(), buffer)?;
                Ok(buffer.get(..count).unwrap_or_default())
            }
            Source::Beside(receiver, buffer) => {
                *buffer = receiver.recv().await.unwrap_or(Ok(Vec::new()))?;
                Ok(buffer)
            }
        }
    }
}

/// Reads a file, or standard input, to its end, at most `limit` bytes of it. It is opened and read beside the runtime: a
/// pipe that nobody writes to must not hold Ctrl-C or a deadline back.
///
/// # Errors
/// The file's own, `InvalidData` where there is more, and `Other` where the system has no thread.
pub async fn read(file: Option<&Path>, limit: usize) -> io::Result<Vec<u8>> {
    let file = file.map(Path::to_owned);
    let read = thread::beside(move || read_bounded(reader(file.as_deref())?, limit)).await;
    read.unwrap_or_else(|| Err(io::Error::other("the read was given up")))
}

#[expect(clippy::disallowed_methods, reason = "this is a door that the lint points to")]
fn reader(file: Option<&Path>) -> io::Result<Box<dyn Read + Send>> {
    Ok(match file {
        Some(path) => Box::new(File::open(path)?),
        None => Box::new(io::stdin()),
    })
}

fn read_some(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            count => return count,
        }
    }
}

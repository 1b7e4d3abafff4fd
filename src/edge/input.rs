//! What a command reads: a file or standard input, in chunks of bounded size. Beside the runtime it is read by a thread, so
//! that Ctrl-C ends the wait for more.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use tokio::sync::mpsc::{Receiver, channel};

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
    #[expect(clippy::disallowed_methods, reason = "this is a door that the lint points to")]
    pub fn open(file: Option<&Path>) -> io::Result<Self> {
        let reader: Box<dyn Read + Send> = match file {
            Some(path) => Box::new(File::open(path)?),
            None => Box::new(io::stdin()),
        };
        Ok(Self(Source::Direct(reader, vec![0; CHUNK])))
    }

    /// The same, read by a thread: [`Self::chunk`] then waits without blocking.
    #[must_use]
    pub fn beside(self) -> Self {
        let Source::Direct(mut reader, mut buffer) = self.0 else { return self };
        let (sender, receiver) = channel(2);
        std::thread::spawn(move || {
            loop {
                let count = read(reader.as_mut(), &mut buffer);
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
                let count = read(reader.as_mut(), buffer)?;
                Ok(buffer.get(..count).unwrap_or_default())
            }
            Source::Beside(receiver, buffer) => {
                *buffer = receiver.recv().await.unwrap_or(Ok(Vec::new()))?;
                Ok(buffer)
            }
        }
    }
}

fn read(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            count => return count,
        }
    }
}

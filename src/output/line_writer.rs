//! Writes the log of `serve`: lines of JSON, to stdout.

use std::iter;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use super::streams::write_line;
use crate::domain::text::page::printable_json_lines;
use crate::edge::thread;

/// How long lines are collected, to be written at once: to wake a thread for each costs more than all that a server does for a
/// request.
const COLLECTING: Duration = Duration::from_millis(5);

/// How many lines are written at once.
const LINES_AT_ONCE: usize = 1000;

/// How many lines may wait for a slow reader.
const WAITING_LINES: usize = 10_000;

/// How long the last lines may take.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Writes lines of JSON to stdout on a thread of its own: a server must not wait for whoever reads its log.
#[derive(Clone)]
pub struct LineWriter {
    sender: SyncSender<Message>,
    /// Told how many lines are lost.
    lost: Arc<dyn Fn(u64) + Send + Sync>,
}

enum Message {
    Line(String),
    /// Answered once all lines before it are written.
    End(SyncSender<()>),
}

impl LineWriter {
    /// Starts the thread. `lost` is told of lines that cannot be written, or find too many waiting.
    pub fn start(lost: impl Fn(u64) + Send + Sync + 'static) -> Self {
        let (sender, receiver) = sync_channel(WAITING_LINES);
        let lost: Arc<dyn Fn(u64) + Send + Sync> = Arc::new(lost);
        let unwritten = Arc::clone(&lost);
        thread::start(move || {
            while let Ok(first) = receiver.recv() {
                std::thread::sleep(COLLECTING);
                let (mut lines, mut end) = (Vec::new(), None);
                for message in iter::once(first).chain(receiver.try_iter().take(LINES_AT_ONCE)) {
                    match message {
                        Message::Line(line) => lines.push(line),
                        Message::End(done) => end = Some(done),
                    }
                }
                let count = lines.len() as u64;
                if count > 0 && write_line(&printable_json_lines(lines.join("\n"))).is_err() {
                    unwritten(count);
                }
                if let Some(done) = end {
                    let _ = done.send(());
                }
            }
        });
        Self { sender, lost }
    }

    /// Writes a line later.
    pub fn write(&self, line: String) {
        if self.sender.try_send(Message::Line(line)).is_err() {
            (self.lost)(1);
        }
    }

    /// Waits until all lines are written, for a moment.
    pub fn finish(&self) {
        let (sender, done) = sync_channel(1);
        if self.sender.try_send(Message::End(sender)).is_ok() {
            let _ = done.recv_timeout(LAST_LINES);
        }
    }
}

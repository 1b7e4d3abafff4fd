//! Reads a text that is pasted and not shown.
//!
//! Most terminals mark what is pasted when they are asked to: between the marks a line break is text, and Enter after them ends
//! it. Without marks nobody can tell Enter from a line break in the text, so only a line that is whole by itself ends there, and
//! any other text ends at Ctrl-D.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread::sleep;
use std::time::Duration;

use dialoguer::console::Term;
use rustix::io::ioctl_fionread;
use rustix::stdio::stdin;
use rustix::termios::{QueueSelector, tcflush};
use zeroize::Zeroizing;

use super::TerminalGuard;
use super::hidden::{self, Keys};

/// Asks the terminal to mark what is pasted.
const MARKED: &[u8] = b"\x1b[?2004h";
/// Ends that.
const UNMARKED: &[u8] = b"\x1b[?2004l";
const BEGIN: &[u8] = b"\x1b[200~";
const END: &[u8] = b"\x1b[201~";

/// The longest text, in bytes.
const LIMIT: usize = 64 * 1024 * 1024;

/// A text arrives without longer pauses than this.
const PAUSE: Duration = Duration::from_millis(200);
/// How long to wait for the rest of a text whose end is not marked yet.
const REST: Duration = Duration::from_secs(1);
/// How often to look whether more of it has arrived.
const LOOK: Duration = Duration::from_millis(10);
/// How long a text is discarded at most. A program that sends without end must not hold the terminal.
const DISCARDING: Duration = Duration::from_secs(10);

/// Makes the terminal pass on each byte and show nothing, until the guard is dropped; also to mark what is pasted, if `marks`.
pub(super) fn begin(marks: bool, mut term: &Term) -> io::Result<(TerminalGuard, Paste)> {
    let (mut guard, keys) = hidden::hide()?;
    let (before, after) = if marks { (MARKED, UNMARKED) } else { (&b""[..], &b""[..]) };
    let paste = Paste::new(keys);
    guard.after_paste = Some((Arc::clone(&paste.arrival), after));
    io::Write::write_all(&mut term, before)?;
    Ok((guard, paste))
}

/// What has arrived of a text, for the guard: it may be dropped while a thread still reads.
#[derive(Default)]
pub(super) struct Arrival {
    /// Whether the terminal has marked the beginning of a text, and not its end.
    is_inside: AtomicBool,
    /// How often something was read.
    reads: AtomicUsize,
}

impl Arrival {
    /// Discards what was typed or pasted and is not read yet, until no more of it arrives.
    pub(super) fn discard_rest(&self) {
        let (mut left, mut quiet, mut reads) = (DISCARDING, Duration::ZERO, usize::MAX);
        loop {
            let is_inside = self.is_inside.load(Relaxed);
            if quiet >= if is_inside { REST } else { PAUSE } || left.is_zero() {
                return;
            }
            sleep(LOOK);
            left = left.saturating_sub(LOOK);
            let before = std::mem::replace(&mut reads, self.reads.load(Relaxed));
            quiet = if is_more() || before != reads { Duration::ZERO } else { quiet + LOOK };
            // Within a text the thread reads on, to see its end.
            if !is_inside {
                let _ = tcflush(stdin(), QueueSelector::IFlush);
            }
        }
    }
}

fn is_more() -> bool {
    ioctl_fionread(stdin()).is_ok_and(|count| count > 0)
}

/// Whether more arrives soon.
fn more_follows() -> bool {
    (0..PAUSE.as_millis() / LOOK.as_millis()).any(|_| {
        let more = is_more();
        if !more {
            sleep(LOOK);
        }
        more
    })
}

/// The text so far.
pub(super) struct Paste {
    text: Zeroizing<Vec<u8>>,
    keys: Keys,
    arrival: Arc<Arrival>,
    was_marked: bool,
    /// Whether only Ctrl-D ends the text.
    has_lines: bool,
}

/// What to do after a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Read,
    /// A line break without marks: the end of a line that may be all.
    Line,
    Finish,
}

impl Paste {
    fn new(keys: Keys) -> Self {
        Self {
            text: Zeroizing::default(),
            keys,
            arrival: Arc::default(),
            was_marked: false,
            has_lines: false,
        }
    }

    /// Reads to the end of the text. Blocks. Calls `tell` once if the text goes on after a line, and ends only at Ctrl-D.
    pub(super) fn read(
        mut self,
        is_whole: fn(&str) -> bool,
        mut tell: impl FnMut() -> io::Result<()>,
    ) -> io::Result<Zeroizing<String>> {
        let mut chunk = Zeroizing::new([0; 4096]);
        loop {
            let count = hidden::read(&mut chunk[..])?;
            self.arrival.reads.fetch_add(1, Relaxed);
            for (index, byte) in chunk[..count].iter().enumerate() {
                match self.take(*byte) {
                    Next::Read => {}
                    Next::Finish => return Ok(self.as_text()),
                    Next::Line => {
                        let is_all = is_whole(&self.as_text());
                        if is_all && index + 1 == count && !more_follows() {
                            return Ok(self.as_text());
                        }
                        self.text.push(b'\n');
                        self.has_lines = true;
                        tell()?;
                    }
                }
            }
            if self.text.len() > LIMIT {
                return Err(io::Error::other(format!("the text is longer than {LIMIT} bytes")));
            }
        }
    }

    fn take(&mut self, byte: u8) -> Next {
        if self.arrival.is_inside.load(Relaxed) {
            self.text.push(byte);
            let has_ended = self.ends_with(END);
            self.arrival.is_inside.store(!has_ended, Relaxed);
            return Next::Read;
        }
        match byte {
            byte if byte == self.keys.end => return Next::Finish,
            b'\n' | b'\r' if self.text.is_empty() => {}
            b'\n' | b'\r' if self.was_marked => return Next::Finish,
            b'\n' | b'\r' if self.has_lines => self.text.push(b'\n'),
            b'\n' | b'\r' => return Next::Line,
            byte => {
                self.keys.edit(&mut self.text, byte);
                let begins = self.ends_with(BEGIN);
                self.arrival.is_inside.store(begins, Relaxed);
                self.was_marked |= begins;
            }
        }
        Next::Read
    }

    /// Bytes that are not UTF-8 may be around a token, but not in it.
    fn as_text(&self) -> Zeroizing<String> {
        Zeroizing::new(String::from_utf8_lossy(&self.text).into_owned())
    }

    /// Whether the text ends with this mark, which is removed.
    fn ends_with(&mut self, mark: &[u8]) -> bool {
        let has_mark = self.text.ends_with(mark);
        if has_mark {
            let length = self.text.len() - mark.len();
            self.text.truncate(length);
        }
        has_mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of these keys, and what comes after each.
    fn pasted(keys: &str) -> (String, Next) {
        let mut paste = Paste::new(Keys { erase: 0x7f, kill: 0x15, end: 4 });
        let next = keys.bytes().map(|byte| paste.take(byte)).find(|next| *next != Next::Read);
        (String::from_utf8(paste.text.to_vec()).unwrap(), next.unwrap_or(Next::Read))
    }

    #[test]
    fn marks_and_keys_end_a_text() {
        let table = [
            ("\x1b[200~a\nb\x1b[201~\nrest", "a\nb", Next::Finish),
            ("\x1b[200~a\x04\x15\x7fb\r", "a\x04\x15\x7fb\r", Next::Read),
            ("\n\x1b[200~a\x1b[201~b\x1b[200~c\x1b[201~\r", "abc", Next::Finish),
            ("a\x7fb\n", "b", Next::Line),
            ("\n\na\x15bc\x04", "bc", Next::Finish),
            ("\x04", "", Next::Finish),
        ];
        for (keys, text, next) in table {
            assert_eq!(pasted(keys), (text.to_owned(), next), "{keys:?}");
        }
    }
}

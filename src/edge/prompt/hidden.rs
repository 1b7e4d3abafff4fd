//! Reads a line that is typed and not shown, byte by byte: the terminal's own lines end at 4095 bytes, and a secret may be
//! longer.

use std::io;

use rustix::io::retry_on_intr;
use rustix::stdio::stdin;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::domain::client::secret::MAX_SECRET_BYTES;

use super::TerminalGuard;

/// Ctrl-H, which some terminals send instead of DEL.
const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7f;
/// The value for "no key" (`_POSIX_VDISABLE`).
const DISABLED: u8 = if cfg!(target_os = "linux") { 0 } else { 0xff };

/// Begins to read a line.
pub(super) fn begin() -> io::Result<(TerminalGuard, Line)> {
    let (guard, keys) = hide()?;
    Ok((guard, Line { text: Zeroizing::new(Vec::with_capacity(MAX_SECRET_BYTES)), keys }))
}

/// The keys that this terminal is set to.
pub(super) struct Keys {
    pub(super) erase: u8,
    pub(super) kill: u8,
    pub(super) end: u8,
}

/// Makes the terminal pass on each byte and show nothing, until the guard is dropped. Discards what was typed before: it was shown.
pub(super) fn hide() -> io::Result<(TerminalGuard, Keys)> {
    let before = tcgetattr(stdin())?;
    let mut mode = before.clone();
    // Signals stay on: Ctrl-C ends the wait.
    mode.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON);
    // Ctrl-Z and Ctrl-\\ would return to the shell, which shows what is typed.
    for key in [SpecialCodeIndex::VSUSP, SpecialCodeIndex::VQUIT] {
        mode.special_codes[key] = DISABLED;
    }
    mode.special_codes[SpecialCodeIndex::VMIN] = 1;
    mode.special_codes[SpecialCodeIndex::VTIME] = 0;
    tcsetattr(stdin(), OptionalActions::Flush, &mode)?;
    let key = |index| before.special_codes[index];
    let keys = Keys {
        erase: key(SpecialCodeIndex::VERASE),
        kill: key(SpecialCodeIndex::VKILL),
        end: key(SpecialCodeIndex::VEOF),
    };
    // Text that was pasted after the first line break must not become a command of the shell.
    let mut guard = TerminalGuard::new();
    guard.mode = Some((before, OptionalActions::Flush));
    Ok((guard, keys))
}

/// The text that was typed so far.
pub(super) struct Line {
    /// Has room for the longest secret: a vector that grows leaves copies in freed memory.
    text: Zeroizing<Vec<u8>>,
    keys: Keys,
}

impl Line {
    /// Reads until Enter. Blocks.
    pub(super) fn read(mut self) -> io::Result<Zeroizing<String>> {
        let mut chunk = Zeroizing::new([0; 1024]);
        loop {
            let count = read(&mut chunk[..])?;
            if chunk[..count].iter().any(|byte| self.take(*byte)) {
                let text = std::str::from_utf8(&self.text).map_err(|_| io::ErrorKind::InvalidData)?;
                return Ok(Zeroizing::new(text.to_owned()));
            }
        }
    }

    /// Returns whether the line is complete. An empty one is not.
    fn take(&mut self, byte: u8) -> bool {
        if matches!(byte, b'\n' | b'\r') {
            return !self.text.is_empty();
        }
        self.keys.edit(&mut self.text, byte);
        false
    }
}

impl Keys {
    /// Adds a byte to `text`, or does what this key does.
    pub(super) fn edit(&self, text: &mut Vec<u8>, byte: u8) {
        match byte {
            BACKSPACE | DELETE => take_back(text),
            byte if byte == self.erase => take_back(text),
            byte if byte == self.kill => text.clear(),
            byte => text.push(byte),
        }
    }
}

/// Removes the last character, which may be several bytes.
fn take_back(text: &mut Vec<u8>) {
    while text.pop().is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000) {}
}

/// Reads what was typed, at least one byte.
pub(super) fn read(chunk: &mut [u8]) -> io::Result<usize> {
    match retry_on_intr(|| rustix::io::read(stdin(), &mut *chunk))? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        count => Ok(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str) -> (String, bool) {
        let mut line = Line { text: Zeroizing::default(), keys: Keys { erase: DELETE, kill: 0x15, end: 4 } };
        let complete = keys.bytes().any(|byte| line.take(byte));
        (String::from_utf8(line.text.to_vec()).unwrap(), complete)
    }

    #[test]
    fn keys_edit_the_line() {
        let table = [
            ("abc\rrest", "abc", true),
            ("\rabc\n", "abc", true),
            ("abx\u{7f}c", "abc", false),
            ("abx\u{8}c", "abc", false),
            ("aé\u{7f}b", "ab", false),
            ("\u{7f}a", "a", false),
            ("wrong\u{15}a", "a", false),
        ];
        for (keys, text, complete) in table {
            assert_eq!(typed(keys), (text.to_owned(), complete), "{keys:?}");
        }
    }
}

//! A line that is typed unseen. It is read byte by byte rather than as the terminal's own line: that one ends at 4095 bytes
//! and drops the rest without a word, and a secret may be longer.

use std::io;

use rustix::io::retry_on_intr;
use rustix::stdio::stdin;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// Ctrl-H, which a terminal may send for the key that is set to DEL.
const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7f;
/// What stands for no key (`_POSIX_VDISABLE`).
const DISABLED: u8 = if cfg!(target_os = "linux") { 0 } else { 0xff };

/// A terminal that neither shows what is typed nor gathers it into lines, until this is dropped.
pub(super) struct Hidden {
    before: Termios,
}

impl Hidden {
    /// What was typed ahead is dropped: it was shown, and meant for something else.
    pub(super) fn begin() -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut mode = before.clone();
        // Signals stay on: Ctrl-C ends the wait as everywhere.
        mode.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON);
        // But for those that would leave the terminal to a shell: Ctrl-Z, behind which that shows what is typed, and Ctrl-\\.
        for key in [SpecialCodeIndex::VSUSP, SpecialCodeIndex::VQUIT] {
            mode.special_codes[key] = DISABLED;
        }
        mode.special_codes[SpecialCodeIndex::VMIN] = 1;
        mode.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(stdin(), OptionalActions::Flush, &mode)?;
        Ok(Self { before })
    }

    /// The keys that edit, as this terminal has them.
    pub(super) fn line(&self) -> Line {
        let key = |index| self.before.special_codes[index];
        Line {
            text: Zeroizing::default(),
            erase: key(SpecialCodeIndex::VERASE),
            kill: key(SpecialCodeIndex::VKILL),
            word: key(SpecialCodeIndex::VWERASE),
            end: key(SpecialCodeIndex::VEOF),
        }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // What was pasted after the first line break must not become a command of the shell.
        let _ = tcsetattr(stdin(), OptionalActions::Flush, &self.before);
    }
}

/// What was typed so far.
pub(super) struct Line {
    text: Zeroizing<Vec<u8>>,
    erase: u8,
    kill: u8,
    word: u8,
    end: u8,
}

impl Line {
    /// Reads until Enter. Blocks.
    pub(super) fn read(mut self) -> io::Result<String> {
        let mut chunk = Zeroizing::new([0; 1024]);
        loop {
            let count = retry_on_intr(|| rustix::io::read(stdin(), &mut chunk[..]))?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if chunk[..count].iter().any(|byte| self.take(*byte)) {
                break;
            }
        }
        let text = std::str::from_utf8(&self.text).map_err(|_| io::ErrorKind::InvalidData)?;
        Ok(text.to_owned())
    }

    /// Says whether the line is complete. An empty one is no answer: the question stays.
    fn take(&mut self, byte: u8) -> bool {
        match byte {
            b'\n' | b'\r' => return !self.text.is_empty(),
            byte if byte == self.end => return !self.text.is_empty(),
            BACKSPACE | DELETE => self.take_back(),
            byte if byte == self.erase => self.take_back(),
            // Of what is not seen, the last word is all of it.
            byte if byte == self.kill || byte == self.word => self.text.clear(),
            byte => self.text.push(byte),
        }
        false
    }

    /// Removes the last character, which may be several bytes.
    fn take_back(&mut self) {
        while self.text.pop().is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str) -> (String, bool) {
        let mut line = Line { text: Zeroizing::default(), erase: DELETE, kill: 0x15, word: 0x17, end: 0x04 };
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
            ("wrong\u{17}a", "a", false),
            ("\u{4}a\u{4}b", "a", true),
        ];
        for (keys, text, complete) in table {
            assert_eq!(typed(keys), (text.to_owned(), complete), "{keys:?}");
        }
    }
}

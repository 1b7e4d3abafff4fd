//! Reads texts as Windows' editors and PowerShell's `>` write them: in UTF-16, or in UTF-8 with a byte order mark.

use std::io::{self, Read};

use zeroize::Zeroizing;

const MARKS: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];

/// How much is decoded at once, in bytes.
const CHUNK: usize = 8 * 1024;

/// A text as UTF-8, without its byte order mark. Without such a mark the bytes stay as they are. Reads at most 3 bytes ahead.
/// UTF-16 that cannot be decoded is an error of kind `InvalidData`.
pub fn as_utf8(mut reader: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut begun = Vec::new();
    while MARKS.iter().any(|mark| mark.len() > begun.len() && mark.starts_with(&begun)) {
        if reader.by_ref().take(1).read_to_end(&mut begun)? == 0 {
            break;
        }
    }
    let unit = match begun.as_slice() {
        b"\xef\xbb\xbf" => return Ok(Box::new(reader)),
        b"\xff\xfe" => u16::from_le_bytes,
        b"\xfe\xff" => u16::from_be_bytes,
        _ => return Ok(Box::new(io::Cursor::new(begun).chain(reader))),
    };
    let raw = Zeroizing::new([0; CHUNK]);
    Ok(Box::new(Utf16 { reader, unit, raw, length: 0, text: Zeroizing::default() }))
}

struct Utf16<R> {
    reader: R,
    /// Makes a unit of two bytes, in the text's byte order.
    unit: fn([u8; 2]) -> u16,
    /// The first `length` bytes are not decoded yet.
    raw: Zeroizing<[u8; CHUNK]>,
    length: usize,
    /// What is decoded, but not returned yet.
    text: Zeroizing<Vec<u8>>,
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let broken = || io::Error::new(io::ErrorKind::InvalidData, "it is not valid UTF-16");
        while self.text.is_empty() {
            let count = self.reader.read(&mut self.raw[self.length..])?;
            if count == 0 {
                return if self.length == 0 { Ok(0) } else { Err(broken()) };
            }
            let raw = &self.raw[..self.length + count];
            let mut used = 0;
            for c in char::decode_utf16(raw.as_chunks().0.iter().map(|bytes| (self.unit)(*bytes))) {
                let c = match c {
                    Ok(c) => c,
                    // Half a character. The other half may be in the next bytes.
                    Err(_) if raw.len() - used < 4 => break,
                    Err(_) => return Err(broken()),
                };
                self.text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                used += 2 * c.len_utf16();
            }
            self.length = raw.len() - used;
            self.raw.copy_within(used..used + self.length, 0);
        }
        let count = self.text.as_slice().read(to)?;
        self.text.drain(..count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, as a slow pipe does.
    struct Slow(io::Cursor<Vec<u8>>);

    impl Read for Slow {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let count = to.len().min(1);
            self.0.read(&mut to[..count])
        }
    }

    fn read(bytes: &[u8]) -> Result<Vec<u8>, String> {
        let whole = |reader: io::Result<Box<dyn Read + Send>>| {
            let mut text = Vec::new();
            reader.and_then(|mut reader| reader.read_to_end(&mut text)).map_err(|error| error.to_string())?;
            Ok(text)
        };
        let slow = whole(as_utf8(Slow(io::Cursor::new(bytes.to_vec()))));
        assert_eq!(slow, whole(as_utf8(io::Cursor::new(bytes.to_vec()))));
        slow
    }

    fn utf16(mark: &[u8], text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        [mark, &text.encode_utf16().flat_map(bytes).collect::<Vec<_>>()].concat()
    }

    #[test]
    fn texts_with_a_mark_become_utf_8() {
        // Each text starts at an even or an odd unit, so a pair of surrogates lies across two chunks.
        for text in ["", "a\r\nü木", &"😀".repeat(CHUNK), &format!("a{}", "😀".repeat(CHUNK))] {
            for bytes in [
                [b"\xef\xbb\xbf", text.as_bytes()].concat(),
                utf16(b"\xff\xfe", text, u16::to_le_bytes),
                utf16(b"\xfe\xff", text, u16::to_be_bytes),
            ] {
                assert_eq!(read(&bytes).unwrap(), text.as_bytes());
            }
        }
    }

    #[test]
    fn other_bytes_stay() {
        for bytes in [&b""[..], b"a", b"\xef\xbb", b"\xef\xbba", b"\xff", b"\xfea", b"a\0\xff\xfe"] {
            assert_eq!(read(bytes).unwrap(), bytes);
        }
    }

    #[test]
    fn broken_utf_16_is_an_error() {
        for broken in [&b"\xff\xfea"[..], b"\xff\xfea\0b", b"\xff\xfe\x3d\xd8", b"\xff\xfe\0\xdca\0b\0"] {
            assert_eq!(read(broken).unwrap_err(), "it is not valid UTF-16", "{broken:?}");
        }
    }
}

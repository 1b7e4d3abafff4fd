//! Decodes the escapes of a text, and remembers where in the text each byte was.

/// Bytes in the form in which they are compared, see [`folded`].
pub(super) struct Decoded {
    bytes: Vec<u8>,
    /// Where in the original text each byte ends.
    ends: Vec<usize>,
}

/// Reads the escape at the start of some bytes. Returns its bytes when decoded, and its length.
type Escape = fn(&[u8]) -> Option<(Vec<u8>, usize)>;

/// `byte` in the form in which bytes are compared: ASCII letters in lower case, base64 in its standard alphabet, a space as
/// `+`, as in forms.
pub(super) fn folded(byte: u8) -> u8 {
    match byte {
        b'-' | b' ' => b'+',
        b'_' => b'/',
        other => other.to_ascii_lowercase(),
    }
}

impl Decoded {
    /// The text as it is.
    pub(super) fn plain(text: &str) -> Self {
        Self { bytes: text.bytes().map(folded).collect(), ends: (1..=text.len()).collect() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where in the original text the bytes from `start` to `end` are.
    pub(super) fn place(&self, start: usize, end: usize) -> (usize, usize) {
        let end_of = |count: usize| count.checked_sub(1).and_then(|last| self.ends.get(last)).copied();
        (end_of(start).unwrap_or_default(), end_of(end).unwrap_or_default())
    }

    /// Decodes it once, in each way that changes anything.
    pub(super) fn decoded(&self) -> impl Iterator<Item = Self> {
        let encodings: [(u8, Escape); 3] = [(b'\\', json), (b'&', html), (b'%', percent)];
        let decoded = encodings.into_iter().filter_map(|(mark, escape)| self.unescaped(mark, escape));
        decoded.chain(self.unwrapped())
    }

    /// Removes line breaks, if it has any: base64 is often wrapped.
    fn unwrapped(&self) -> Option<Self> {
        let kept = self.bytes.iter().zip(&self.ends).filter(|(byte, _)| !b"\r\n".contains(byte));
        let (bytes, ends): (Vec<u8>, Vec<usize>) = kept.unzip();
        (bytes.len() < self.bytes.len()).then_some(Self { bytes, ends })
    }

    fn unescaped(&self, mark: u8, escape: Escape) -> Option<Self> {
        memchr::memchr(mark, &self.bytes)?;
        let mut clean = Self { bytes: Vec::new(), ends: Vec::new() };
        let mut at = 0;
        while let Some(byte) = self.bytes.get(at) {
            let rest = self.bytes.get(at..).filter(|_| *byte == mark);
            if let Some((decoded, length)) = rest.and_then(escape) {
                clean.bytes.extend(decoded.into_iter().map(folded));
                at += length;
            } else {
                clean.bytes.push(*byte);
                at += 1;
            }
            clean.ends.resize(clean.bytes.len(), self.place(0, at).1);
        }
        (clean.bytes.len() < self.bytes.len()).then_some(clean)
    }
}

/// One byte, which may be a part of a character.
fn percent(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let byte = u8::try_from(number(text.get(1..3)?, 16)?).ok()?;
    Some((vec![byte], 3))
}

/// One character: `\n`, `\u0041`, or the two units of a surrogate pair. JavaScript escapes `'` too.
fn json(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let lengths: &[usize] = match text.get(1)? {
        b'\'' => return Some((b"'".to_vec(), 2)),
        b'u' => &[6, 12],
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => &[2],
        _ => return None,
    };
    lengths.iter().find_map(|length| {
        let quoted = [b"\"", text.get(..*length)?, b"\""].concat();
        let c: char = serde_json::from_slice(&quoted).ok()?;
        Some((c.to_string().into_bytes(), *length))
    })
}

fn html(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let end = text.iter().take(12).position(|byte| *byte == b';')?;
    let c = match text.get(1..end)? {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        [b'#', b'x', digits @ ..] => char::from_u32(number(digits, 16)?)?,
        [b'#', digits @ ..] => char::from_u32(number(digits, 10)?)?,
        _ => return None,
    };
    Some((c.to_string().into_bytes(), end + 1))
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let is_number = digits.iter().all(|digit| char::from(*digit).is_digit(radix));
    let text = std::str::from_utf8(digits).ok().filter(|_| is_number)?;
    u32::from_str_radix(text, radix).ok()
}

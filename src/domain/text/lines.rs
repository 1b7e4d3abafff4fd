//! Cuts a stream of bytes into lines in constant memory. A line that is too long is reported at once, and the rest of it is
//! skipped.

/// A line of the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Its bytes, without the line break.
    Bytes(&'a [u8]),
    /// A line longer than the limit; the next one follows.
    TooLong,
}

/// The state between two chunks: the beginning of a line, at most as long as the limit.
pub struct Lines {
    limit: usize,
    begun: Vec<u8>,
    /// Whether `begun` was handed out and must be emptied.
    handed_out: bool,
    /// Whether the rest of the line is skipped.
    skipping: bool,
}

impl Lines {
    /// Lines of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, begun: Vec::new(), handed_out: false, skipping: false }
    }

    /// Takes the next line off the front of `chunk`; `None` once the chunk is used up.
    pub fn next<'a, 'c: 'a>(&'a mut self, chunk: &mut &'c [u8]) -> Option<Line<'a>> {
        if std::mem::take(&mut self.handed_out) {
            self.begun.clear();
        }
        while !chunk.is_empty() {
            let end = memchr::memchr(b'\n', chunk);
            let (line, rest) = chunk.split_at(end.unwrap_or(chunk.len()));
            *chunk = rest.get(1..).unwrap_or_default();
            if self.skipping {
                self.skipping = end.is_none();
            } else if self.begun.len() + line.len() > self.limit {
                self.skipping = end.is_none();
                self.begun = Vec::new();
                return Some(Line::TooLong);
            } else if end.is_none() {
                self.begun.extend_from_slice(line);
            } else if self.begun.is_empty() {
                return Some(Line::Bytes(line));
            } else {
                self.begun.extend_from_slice(line);
                self.handed_out = true;
                return Some(Line::Bytes(&self.begun));
            }
        }
        None
    }

    /// The last line, where the stream ended without a line break.
    pub fn last(&mut self) -> Option<Line<'_>> {
        (!self.handed_out && !self.begun.is_empty()).then_some(Line::Bytes(&self.begun))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of `text` in chunks of `size` bytes.
    fn cut(text: &str, size: usize) -> Vec<String> {
        let mut lines = Lines::new(5);
        let mut found = Vec::new();
        let name = |line: Line<'_>| match line {
            Line::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Line::TooLong => "too long".to_owned(),
        };
        for mut chunk in text.as_bytes().chunks(size) {
            while let Some(line) = lines.next(&mut chunk) {
                found.push(name(line));
            }
        }
        found.extend(lines.last().map(name));
        found
    }

    #[test]
    fn chunks_do_not_matter() {
        for size in 1..12 {
            assert_eq!(cut("a\n\n12345\n123456\nb\n", size), ["a", "", "12345", "too long", "b"], "{size}");
            assert_eq!(cut("12345678901234567890\nend", size), ["too long", "end"], "{size}");
            assert_eq!(cut("123456789", size), ["too long"], "{size}");
            assert_eq!(cut("", size), Vec::<String>::new());
        }
    }
}

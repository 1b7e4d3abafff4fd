//! Reads an audio file for Corti's WebSockets: its `audioFormat`, its sound, and how many bytes play in a second.
//!
//! Of WAV only the sound is sent, since Corti documents raw PCM and not WAV. Compressed formats are known by name only.

/// Corti recommends a chunk for each 250 ms (its best practices for WebSockets).
const CHUNKS_PER_SECOND: u32 = 4;

/// The longest chunk that Corti documents, in bytes (the `AsyncAPI` description of its sockets).
const MAX_CHUNK: u32 = 64_000;

/// The assumed rate of compressed audio, in bytes a second: 128 kbit.
const COMPRESSED_PACE: u32 = 16_000;

/// Audio that is ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audio<'a> {
    /// The media type, for `audioFormat`.
    pub format: String,
    /// How many bytes play in a second.
    pub pace: u32,
    /// The size of a frame; chunks hold whole frames.
    frame: u32,
    /// The sound.
    pub data: &'a [u8],
}

/// Why an audio file cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AudioError {
    /// No sound in it.
    #[error("the file has no audio")]
    Empty,
    /// An incomplete WAV file.
    #[error("it is a broken WAV file: {0}")]
    BrokenWav(&'static str),
    /// A WAV file that is not PCM.
    #[error("it is a WAV file with encoding {0}; only PCM (1) can be sent")]
    NotPcm(u16),
}

impl<'a> Audio<'a> {
    /// Reads a file: WAV with its own rate, a compressed format by its first bytes, everything else as 16-bit mono PCM at
    /// 16 kHz.
    pub fn read(bytes: &'a [u8]) -> Result<Self, AudioError> {
        let audio = match (bytes, compressed(bytes)) {
            ([b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', chunks @ ..], _) => wav(chunks)?,
            (_, Some(format)) => {
                Self { format: format.to_owned(), pace: COMPRESSED_PACE, frame: 1, data: bytes }
            }
            (_, None) => pcm(16_000, 1, 16, bytes),
        };
        if audio.data.is_empty() { Err(AudioError::Empty) } else { Ok(audio) }
    }

    /// The chunks to send, each a quarter of a second long.
    pub fn chunks(&self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        let wanted = (self.pace / CHUNKS_PER_SECOND).min(MAX_CHUNK);
        let size = (wanted / self.frame).max(1) * self.frame;
        self.data.chunks(usize::try_from(size).unwrap_or(usize::MAX))
    }

    /// How many milliseconds `bytes` of it play.
    pub fn milliseconds(&self, bytes: usize) -> u64 {
        u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(1000) / u64::from(self.pace)
    }
}

fn pcm(rate: u32, channels: u16, bits: u16, data: &[u8]) -> Audio<'_> {
    let frame = u32::from(channels).saturating_mul(u32::from(bits.div_ceil(8)));
    let format = format!("audio/pcm; rate={rate}; channels={channels}; bits={bits}");
    Audio { format, pace: rate.saturating_mul(frame), frame, data }
}

/// The media type of a compressed format, by its first bytes.
fn compressed(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [b'O', b'g', b'g', b'S', ..] => Some("audio/ogg"),
        // EBML: Matroska, of which WebM is a part.
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Some("audio/webm"),
        [b'f', b'L', b'a', b'C', ..] => Some("audio/flac"),
        [b'I', b'D', b'3', ..] | [0xff, 0xf2 | 0xf3 | 0xfa | 0xfb, ..] => Some("audio/mpeg"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("audio/mp4"),
        _ => None,
    }
}

/// The chunks of a RIFF file of type WAVE (Microsoft's "Multimedia Programming Interface and Data Specifications 1.0").
fn wav(mut rest: &[u8]) -> Result<Audio<'_>, AudioError> {
    let mut format = None;
    loop {
        let [a, b, c, d, l0, l1, l2, l3, body @ ..] = rest else {
            return Err(AudioError::BrokenWav("it has no data chunk"));
        };
        let length = usize::try_from(u32::from_le_bytes([*l0, *l1, *l2, *l3])).unwrap_or(usize::MAX);
        // A file that was recorded into a pipe gives a length that is too long.
        let content = body.get(..length).unwrap_or(body);
        match [*a, *b, *c, *d].as_slice() {
            b"fmt " => format = Some(wav_format(content)?),
            b"data" => {
                let (rate, channels, bits) =
                    format.ok_or(AudioError::BrokenWav("its data comes before its format"))?;
                return Ok(pcm(rate, channels, bits, content));
            }
            _ => {}
        }
        // Chunks begin at even places.
        rest = body.get(length.saturating_add(length % 2)..).unwrap_or_default();
    }
}

/// Rate, channels and bits of a sample.
fn wav_format(chunk: &[u8]) -> Result<(u32, u16, u16), AudioError> {
    let [e0, e1, c0, c1, r0, r1, r2, r3, _, _, _, _, _, _, b0, b1, rest @ ..] = chunk else {
        return Err(AudioError::BrokenWav("its format chunk is cut off"));
    };
    let encoding = match (u16::from_le_bytes([*e0, *e1]), rest) {
        // "Extensible": the encoding is in the first two bytes of a GUID.
        (0xfffe, [_, _, _, _, _, _, _, _, s0, s1, ..]) => u16::from_le_bytes([*s0, *s1]),
        (encoding, _) => encoding,
    };
    if encoding != 1 {
        return Err(AudioError::NotPcm(encoding));
    }
    let rate = u32::from_le_bytes([*r0, *r1, *r2, *r3]);
    let (channels, bits) = (u16::from_le_bytes([*c0, *c1]), u16::from_le_bytes([*b0, *b1]));
    if rate == 0 || channels == 0 || bits == 0 {
        return Err(AudioError::BrokenWav("its format has a zero in it"));
    }
    Ok((rate, channels, bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(encoding: u16, rate: u32, channels: u16, bits: u16, extra: &[u8], data: &[u8]) -> Vec<u8> {
        let mut format = Vec::new();
        format.extend(encoding.to_le_bytes());
        format.extend(channels.to_le_bytes());
        format.extend(rate.to_le_bytes());
        format.extend([0; 6]);
        format.extend(bits.to_le_bytes());
        format.extend(extra);
        let mut bytes = b"RIFF\0\0\0\0WAVE".to_vec();
        for (name, content) in [(b"LIST", &b"odd"[..]), (b"fmt ", &format), (b"data", data)] {
            bytes.extend(name);
            bytes.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
            bytes.extend(content);
            bytes.extend(&[0][..content.len() % 2]);
        }
        bytes
    }

    #[test]
    fn a_wav_file_is_unwrapped() {
        let bytes = file(1, 8000, 2, 16, &[], &[7; 9000]);
        let audio = Audio::read(&bytes).unwrap();
        assert_eq!(audio.format, "audio/pcm; rate=8000; channels=2; bits=16");
        assert_eq!((audio.pace, audio.data.len(), audio.milliseconds(32_000)), (32_000, 9000, 1000));
        let sizes: Vec<usize> = audio.chunks().map(<[u8]>::len).collect();
        assert_eq!(sizes, [8000, 1000]);
        let extensible = file(0xfffe, 44_100, 1, 16, &[0, 0, 0, 0, 0, 0, 0, 0, 1, 0], &[0; 4]);
        assert_eq!(Audio::read(&extensible).unwrap().pace, 88_200);
        // 11,025 Hz: a quarter of a second is 2,756 whole frames.
        let odd = file(1, 11_025, 1, 16, &[], &[0; 9000]);
        assert_eq!(Audio::read(&odd).unwrap().chunks().next().unwrap().len(), 5512);
        let wide = file(1, 192_000, 2, 24, &[], &vec![0; 90_000]);
        assert_eq!(Audio::read(&wide).unwrap().chunks().next().unwrap().len(), 63_996);
    }

    #[test]
    fn what_is_recorded_into_a_pipe_is_read_as_far_as_it_goes() {
        let mut bytes = file(1, 8000, 1, 8, &[], &[1, 2, 3, 4]);
        let length = bytes.len() - 8;
        bytes.splice(length..length + 4, u32::MAX.to_le_bytes());
        assert_eq!(Audio::read(&bytes).unwrap().data, [1, 2, 3, 4]);
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let read = |bytes: &[u8]| Audio::read(bytes).unwrap_err();
        assert_eq!(read(b""), AudioError::Empty);
        assert_eq!(read(&file(3, 8000, 1, 32, &[], &[1])), AudioError::NotPcm(3));
        assert_eq!(read(&file(1, 0, 1, 16, &[], &[1])), AudioError::BrokenWav("its format has a zero in it"));
        assert_eq!(read(&file(1, 8000, 1, 16, &[], &[])), AudioError::Empty);
        let whole = file(1, 8000, 1, 16, &[], &[1; 10]);
        // Cut off anywhere it is an error or shorter, and never a panic.
        for length in 0..whole.len() {
            let _ = Audio::read(&whole[..length]);
        }
        assert_eq!(read(&whole[..20]), AudioError::BrokenWav("it has no data chunk"));
        assert_eq!(
            read(b"RIFF\0\0\0\0WAVEdata\0\0\0\0"),
            AudioError::BrokenWav("its data comes before its format")
        );
    }

    #[test]
    fn other_formats_are_known_by_their_first_bytes() {
        for (start, format) in [
            (&b"OggS\0"[..], "audio/ogg"),
            (b"\x1a\x45\xdf\xa3", "audio/webm"),
            (b"fLaC", "audio/flac"),
            (b"ID3\x04", "audio/mpeg"),
            (b"\xff\xfb\x90", "audio/mpeg"),
            (b"\0\0\0\x20ftypM4A ", "audio/mp4"),
            (b"\x01\x02\x03", "audio/pcm; rate=16000; channels=1; bits=16"),
        ] {
            assert_eq!(Audio::read(start).unwrap().format, format);
        }
    }
}

//! The age format (C2SP `age.md`, version 1) with a passphrase: one scrypt recipient, and the payload in sealed chunks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::aead::{Aead as _, Error as Forged};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use hkdf::Hkdf;
use ring::hmac;
use scrypt::Params;
use sha2::Sha256;
use zeroize::Zeroizing;

const VERSION: &str = "age-encryption.org/v1";
const SCRYPT_LABEL: &[u8] = b"age-encryption.org/v1/scrypt";

/// How many bytes of the text are in a chunk; the last one may have fewer.
const CHUNK: usize = 64 * 1024;

/// What each chunk is longer by once it is sealed.
const TAG: usize = 16;

/// The key of one file, from which the others are derived.
type FileKey = Zeroizing<[u8; 16]>;

/// Why a file does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FormatError {
    /// The passphrase is another.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// It is not in the format, or for other recipients.
    #[error("it is not an age file with a passphrase")]
    NotAge,
    /// It asks for more work than is allowed.
    #[error("its work factor is {0}, which is too high")]
    TooMuchWork(u8),
    /// It was changed or cut off.
    #[error("it is damaged")]
    Damaged,
}

/// Seals `text`, which is not empty. `work` is scrypt's factor, log2.
pub(super) fn seal(text: &[u8], passphrase: &[u8], work: u8) -> Result<Vec<u8>, getrandom::Error> {
    let (mut file_key, mut salt, mut nonce) = (FileKey::default(), [0; 16], [0; 16]);
    for bytes in [&mut *file_key, &mut salt, &mut nonce] {
        getrandom::fill(bytes)?;
    }
    // Neither fails: the factor is this tool's own, and the texts are far from ChaCha20's limit.
    let failed = |_| getrandom::Error::UNEXPECTED;
    let wrapping = wrapping_key(passphrase, &salt, work).map_err(|_| getrandom::Error::UNEXPECTED)?;
    let wrapped = wrapping.encrypt(&[0; 12].into(), &file_key[..]).map_err(failed)?;
    let [salt, wrapped] = [&salt[..], &wrapped].map(|bytes| STANDARD_NO_PAD.encode(bytes));
    let head = format!("{VERSION}\n-> scrypt {salt} {work}\n{wrapped}\n---");
    let mac = STANDARD_NO_PAD.encode(hmac::sign(&header_key(&file_key), head.as_bytes()));
    let mut file = format!("{head} {mac}\n").into_bytes();
    file.extend(nonce);
    let (cipher, count) = (payload_key(&file_key, &nonce), text.chunks(CHUNK).len());
    for (index, chunk) in text.chunks(CHUNK).enumerate() {
        file.extend(cipher.encrypt(&chunk_nonce(index, index + 1 == count).into(), chunk).map_err(failed)?);
    }
    Ok(file)
}

/// Opens what [`seal`] or another tool of the format made, with a work factor of at most `max_work`.
pub(super) fn open(file: &[u8], passphrase: &[u8], max_work: u8) -> Result<Zeroizing<Vec<u8>>, FormatError> {
    let parts: Vec<&[u8]> = file.splitn(5, |byte| *byte == b'\n').collect();
    let &[version, stanza, wrapped, end, payload] = parts.as_slice() else { return Err(FormatError::NotAge) };
    let [version, stanza, wrapped, end] = [version, stanza, wrapped, end].map(std::str::from_utf8);
    let (Ok(VERSION), Ok(stanza), Ok(wrapped), Ok(end)) = (version, stanza, wrapped, end) else {
        return Err(FormatError::NotAge);
    };
    let words = stanza.strip_prefix("-> scrypt ").and_then(|words| words.split_once(' '));
    let (salt, work) = words.ok_or(FormatError::NotAge)?;
    let work: u8 = work.parse().map_err(|_| FormatError::NotAge)?;
    let mac = decode(end.strip_prefix("--- ").ok_or(FormatError::NotAge)?)?;
    if work > max_work {
        return Err(FormatError::TooMuchWork(work));
    }
    let (salt, sealed_key) = (decode(salt)?, decode(wrapped)?);
    // The format asks for this length: a longer text could be made to open with many passphrases.
    if sealed_key.len() != 16 + TAG {
        return Err(FormatError::NotAge);
    }
    let wrapping = wrapping_key(passphrase, &salt, work)?;
    let opened = wrapping.decrypt(&[0; 12].into(), sealed_key.as_slice()).map(Zeroizing::new);
    let opened = opened.map_err(|Forged| FormatError::WrongPassphrase)?;
    let file_key = FileKey::new(opened.as_slice().try_into().map_err(|_| FormatError::NotAge)?);
    let head = format!("{VERSION}\n{stanza}\n{wrapped}\n---");
    hmac::verify(&header_key(&file_key), head.as_bytes(), &mac).map_err(|_| FormatError::Damaged)?;
    let (nonce, sealed) = payload.split_at_checked(16).ok_or(FormatError::Damaged)?;
    let (cipher, count) = (payload_key(&file_key, nonce), sealed.chunks(CHUNK + TAG).len());
    let mut text = Zeroizing::new(Vec::with_capacity(sealed.len()));
    for (index, chunk) in sealed.chunks(CHUNK + TAG).enumerate() {
        let opened = cipher.decrypt(&chunk_nonce(index, index + 1 == count).into(), chunk);
        text.extend_from_slice(&Zeroizing::new(opened.map_err(|Forged| FormatError::Damaged)?));
    }
    // Without a chunk, a truncated file would go unnoticed.
    if count == 0 { Err(FormatError::Damaged) } else { Ok(text) }
}

fn decode(text: &str) -> Result<Vec<u8>, FormatError> {
    STANDARD_NO_PAD.decode(text).map_err(|_| FormatError::NotAge)
}

/// What the file's key is sealed with.
fn wrapping_key(passphrase: &[u8], salt: &[u8], work: u8) -> Result<ChaCha20Poly1305, FormatError> {
    let parameters = Params::new(work, 8, 1, 32).map_err(|_| FormatError::NotAge)?;
    let mut key = Zeroizing::new([0; 32]);
    let salt = [SCRYPT_LABEL, salt].concat();
    scrypt::scrypt(passphrase, &salt, &parameters, &mut *key).map_err(|_| FormatError::NotAge)?;
    Ok(ChaCha20Poly1305::new((&*key).into()))
}

/// What the header is authenticated with.
fn header_key(file_key: &FileKey) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &*derived(file_key, None, b"header"))
}

fn payload_key(file_key: &FileKey, nonce: &[u8]) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new((&*derived(file_key, Some(nonce), b"payload")).into())
}

fn derived(file_key: &FileKey, salt: Option<&[u8]>, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    // It fails for more than 255 hashes, and this is one.
    let _ = Hkdf::<Sha256>::new(salt, &file_key[..]).expand(purpose, &mut *key);
    key
}

/// The number of the chunk, and whether it is the last: chunks that change places or are cut off do not open.
fn chunk_nonce(index: usize, is_last: bool) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&(index as u64).to_be_bytes());
    nonce[11] = u8::from(is_last);
    nonce
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    const WORK: u8 = 2;

    /// By the age crate, which shares none of this code.
    fn sealed_by_age(text: &[u8], passphrase: &str) -> Vec<u8> {
        let mut recipient = age::scrypt::Recipient::new(passphrase.to_owned().into());
        recipient.set_work_factor(WORK);
        let recipients: [&dyn age::Recipient; 1] = [&recipient];
        let encryptor = age::Encryptor::with_recipients(recipients.into_iter()).unwrap();
        let mut bytes = Vec::new();
        let mut writer = encryptor.wrap_output(&mut bytes).unwrap();
        writer.write_all(text).unwrap();
        writer.finish().unwrap();
        bytes
    }

    fn opened_by_age(file: &[u8], passphrase: &str) -> Vec<u8> {
        let identity = age::scrypt::Identity::new(passphrase.to_owned().into());
        let decryptor = age::Decryptor::new(file).unwrap();
        let mut text = Vec::new();
        let identities = std::iter::once(&identity as &dyn age::Identity);
        decryptor.decrypt(identities).unwrap().read_to_end(&mut text).unwrap();
        text
    }

    #[test]
    fn the_age_crate_opens_what_is_sealed_here_and_the_other_way_round() {
        for size in [1, 100, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 7] {
            let text: Vec<u8> = (0_u8..=250).cycle().take(size).collect();
            let ours = seal(&text, "pass ä".as_bytes(), WORK).unwrap();
            assert!(opened_by_age(&ours, "pass ä") == text, "{size}");
            let theirs = sealed_by_age(&text, "pass ä");
            assert!(*open(&theirs, "pass ä".as_bytes(), WORK).unwrap() == text, "{size}");
            assert_eq!(ours.len(), theirs.len(), "{size}");
        }
    }

    #[test]
    fn another_passphrase_and_too_much_work_open_nothing() {
        let file = sealed_by_age(b"secret", "right");
        assert_eq!(open(&file, b"wrong", WORK), Err(FormatError::WrongPassphrase));
        assert_eq!(open(&file, b"right", WORK - 1), Err(FormatError::TooMuchWork(WORK)));
    }

    #[test]
    fn a_changed_or_missing_byte_is_noticed() {
        let text: Vec<u8> = [7].into_iter().cycle().take(CHUNK + 3).collect();
        let file = seal(&text, b"p", WORK).unwrap();
        let head = file.len() - (CHUNK + 3 + 2 * TAG);
        for at in (0..head + 20).chain([head + CHUNK, file.len() - 1]) {
            for flip in [1, 0x80] {
                let mut changed = file.clone();
                changed[at] ^= flip;
                assert!(open(&changed, b"p", WORK + 2).is_err(), "{at}");
            }
        }
        for end in (0..=head).chain([head + CHUNK + TAG, file.len() - 1]) {
            assert!(open(&file[..end], b"p", WORK).is_err(), "{end}");
        }
        let swapped = [&file[..head], &file[head + CHUNK + TAG..], &file[head..head + CHUNK + TAG]].concat();
        assert_eq!(open(&swapped, b"p", WORK), Err(FormatError::Damaged));
    }

    #[test]
    fn a_file_for_a_key_is_not_one_with_a_passphrase() {
        let file = "age-encryption.org/v1\n-> X25519 x\ny\n--- z\n";
        for text in ["", "x", VERSION, file, &file.replace("X25519 x", "scrypt c2FsdA 300")] {
            assert_eq!(open(text.as_bytes(), b"p", WORK), Err(FormatError::NotAge), "{text}");
        }
    }
}

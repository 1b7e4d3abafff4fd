//! Keeps tokens in encrypted files (XChaCha20-Poly1305), for machines without a usable kernel keyring.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::domain::token::cache_key::{CacheKey, SealKey, Tag};
use crate::edge::host::read_bounded;
use crate::edge::private_file;

/// The first bytes of a file. They are authenticated with the content, and so is the entry's name.
const MAGIC: &[u8; 4] = b"CAC1";

/// Long enough for random nonces, which never repeat.
const NONCE: usize = 24;

/// The longest file that is read, in bytes. Tokens have some kilobytes.
const LIMIT: usize = 1024 * 1024;

const SUFFIX: &str = ".token";

/// Older files are removed: their tokens have expired, or a killed process left them unfinished.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// The file of `key`.
pub(super) fn path(folder: &Path, key: &CacheKey) -> PathBuf {
    folder.join(format!("{}{SUFFIX}", key.name()))
}

/// The content of the file of `key`, if `seal` opens it.
pub(super) fn read(folder: &Path, key: &CacheKey, seal: &SealKey) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = read_bounded(private_file::open(&path(folder, key)).ok()?, LIMIT).ok()?;
    let (nonce, sealed) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<NONCE>()?;
    let payload = Payload { msg: sealed, aad: &bound(key) };
    cipher(seal).decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
}

/// Writes `bytes` to the file of `key`, and removes files that are too old.
pub(super) fn write(folder: &Path, key: &CacheKey, seal: &SealKey, bytes: &[u8]) -> Option<()> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).ok()?;
    let payload = Payload { msg: bytes, aad: &bound(key) };
    let sealed = cipher(seal).encrypt(&XNonce::from(nonce), payload).ok()?;
    private_file::make_folder(folder).ok()?;
    private_file::replace(&path(folder, key), &[MAGIC, nonce.as_slice(), &sealed].concat()).ok()?;
    remove_old(folder);
    Some(())
}

/// Removes the files with this tag, and returns how many tokens there were.
pub(super) fn remove(folder: &Path, tag: &Tag) -> usize {
    let tagged = files(folder).into_iter().filter(|(_, name)| {
        let entry = name.trim_start_matches('.').split_once(SUFFIX);
        entry.is_some_and(|(entry, _)| tag.is_in(entry))
    });
    // An unfinished file, which begins with a dot, is not a token.
    tagged.filter(|(path, name)| fs::remove_file(path).is_ok() && !name.starts_with('.')).count()
}

fn cipher(seal: &SealKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(seal.bytes().into())
}

fn bound(key: &CacheKey) -> Vec<u8> {
    [MAGIC, key.name().as_bytes()].concat()
}

fn remove_old(folder: &Path) {
    let modified = |path: &Path| fs::symlink_metadata(path).and_then(|it| it.modified());
    // The folder was changed just now.
    let Ok(now) = modified(folder) else { return };
    for (path, _) in files(folder) {
        if modified(&path).is_ok_and(|then| now.duration_since(then).is_ok_and(|age| age > MAX_AGE)) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Our files, finished and unfinished, with their names.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| Some((entry.path(), entry.file_name().into_string().ok()?)));
    named.filter(|(_, name)| name.contains(SUFFIX)).collect()
}

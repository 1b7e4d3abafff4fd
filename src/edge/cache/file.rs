//! Tokens in encrypted files (XChaCha20-Poly1305), for machines whose kernel keeps none. A file opens with the key of its
//! own entry and under its own name only.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::domain::cache_key::{CacheKey, SealKey};
use crate::edge::host::read_bounded;
use crate::edge::private_file;

/// What a file begins with. It is bound to the content, as the entry's name is.
const MAGIC: &[u8; 4] = b"CAC1";

/// Random, and so long that no two are ever the same.
const NONCE: usize = 24;

/// What is read of a file: tokens are kilobytes.
const LIMIT: usize = 1024 * 1024;

const SUFFIX: &str = "token";

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.{SUFFIX}"))
}

/// Whether there is a file for `key`.
pub(super) fn is_there(folder: &Path, key: &CacheKey) -> bool {
    path(folder, key.name()).is_file()
}

/// What is kept under `key`, if it opens.
pub(super) fn read(folder: &Path, key: &CacheKey, seal: &SealKey) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = read_bounded(private_file::open(&path(folder, key.name())).ok()?, LIMIT).ok()?;
    let rest = bytes.strip_prefix(MAGIC)?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>()?;
    let opened = cipher(seal).decrypt(&XNonce::from(*nonce), payload(sealed, &bound(key)));
    opened.ok().map(Zeroizing::new)
}

/// Keeps `bytes` under `key`, and says whether it could. Files of expired entries go.
pub(super) fn write(
    folder: &Path,
    key: &CacheKey,
    seal: &SealKey,
    bytes: &[u8],
    expires_at: Timestamp,
) -> bool {
    let mut nonce = [0; NONCE];
    if getrandom::fill(&mut nonce).is_err() {
        return false;
    }
    let Ok(sealed) = cipher(seal).encrypt(&XNonce::from(nonce), payload(bytes, &bound(key))) else {
        return false;
    };
    let path = path(folder, key.name());
    let text = [MAGIC, nonce.as_slice(), &sealed].concat();
    let written = private_file::make_folder(folder).and_then(|()| private_file::replace(&path, &text));
    if written.is_err() {
        return false;
    }
    mark(&path, expires_at);
    sweep(folder);
    true
}

/// Removes the file of `key`, which something newer stands for.
pub(super) fn forget(folder: &Path, key: &CacheKey) {
    // Mostly there is none.
    let _ = fs::remove_file(path(folder, key.name()));
}

/// Removes the files whose entry `selected` picks, and says how many there were. What a killed write left goes, too.
pub(super) fn remove(folder: &Path, selected: impl Fn(&str) -> bool) -> usize {
    let mut count = 0;
    for path in files(folder) {
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if selected(&name) {
            private_file::remove_leftovers(&path);
            count += usize::from(fs::remove_file(path).is_ok());
        }
    }
    count
}

fn cipher(seal: &SealKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(seal.bytes().into())
}

fn payload<'a>(bytes: &'a [u8], bound: &'a [u8]) -> Payload<'a, 'a> {
    Payload { msg: bytes, aad: bound }
}

fn bound(key: &CacheKey) -> Vec<u8> {
    [MAGIC, key.name().as_bytes()].concat()
}

/// The time of a file is that of its token's end, so that a sweep need not open any. A file that lost it is swept early.
fn mark(path: &Path, expires_at: Timestamp) {
    let since_1970 = Duration::from_secs(u64::try_from(expires_at.as_second()).unwrap_or_default());
    if let Ok(file) = fs::File::open(path) {
        let _ = file.set_modified(UNIX_EPOCH + since_1970);
    }
}

/// A token that has expired is of no use to anybody. Whose time is in doubt is left.
fn sweep(folder: &Path) {
    let Ok(now) = fs::metadata(folder).and_then(|it| it.modified()) else { return };
    let is_old = |path: &PathBuf| {
        let time: Option<SystemTime> = fs::symlink_metadata(path).and_then(|it| it.modified()).ok();
        time.is_some_and(|time| time < now)
    };
    for path in files(folder).into_iter().filter(is_old) {
        private_file::remove_leftovers(&path);
        let _ = fs::remove_file(path);
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|it| it == SUFFIX)).collect()
}

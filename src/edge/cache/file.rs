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

/// How long a file may be on its way to its name. Writing it takes milliseconds.
const UNFINISHED: Duration = Duration::from_secs(60);

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

/// Removes the files whose entry `selected` picks, and says how many there were.
pub(super) fn remove(folder: &Path, selected: impl Fn(&str) -> bool) -> usize {
    let removed = files(folder).into_iter().filter(|file| selected(&file.entry) && file.remove());
    removed.filter(|file| !file.unfinished).count()
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

/// A token that has expired is of no use to anybody, nor is what a killed write left.
fn sweep(folder: &Path) {
    // The folder was changed just now.
    let Ok(now) = fs::metadata(folder).and_then(|it| it.modified()) else { return };
    for file in files(folder) {
        let spared = if file.unfinished { UNFINISHED } else { Duration::ZERO };
        let time: Option<SystemTime> = fs::symlink_metadata(&file.path).and_then(|it| it.modified()).ok();
        if time.and_then(|time| time.checked_add(spared)).is_some_and(|end| end < now) {
            file.remove();
        }
    }
}

/// A file of ours.
struct TokenFile {
    path: PathBuf,
    entry: String,
    /// Whether it is one that was to replace the entry's file.
    unfinished: bool,
}

impl TokenFile {
    fn new(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let entry = match name.strip_prefix('.') {
            None => name.strip_suffix(SUFFIX)?.strip_suffix('.')?.to_owned(),
            Some(rest) => rest.split_once(&format!(".{SUFFIX}."))?.0.to_owned(),
        };
        Some(Self { unfinished: name.starts_with('.'), path, entry })
    }

    fn remove(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }
}

fn files(folder: &Path) -> Vec<TokenFile> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| TokenFile::new(entry.path())).collect()
}

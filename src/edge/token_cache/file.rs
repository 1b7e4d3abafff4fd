//! Tokens in encrypted files (XChaCha20-Poly1305), for machines whose kernel keeps none. A file opens with the key of its
//! own entry and under its own name only.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::domain::token::cache_key::{CacheKey, SealKey};
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
    let replaced = || private_file::replace_dated(&path, &text, Some(time_of(expires_at)));
    if private_file::make_folder(folder).and_then(|()| replaced()).is_err() {
        return false;
    }
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

/// The time of a file is that of its token's end, so that a sweep need not open any. It has that before it has its name:
/// a sweep by another process would take a file of its true age for one that has expired.
fn time_of(end: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(end.as_second()).unwrap_or_default())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::client::identity::Client;
    use crate::domain::client::secret::ClientSecret;
    use crate::domain::token::cache_key::{Credential, Owner};
    use crate::domain::token::scope::Ask;

    /// Two threads over and over, since what is looked for is between two system calls.
    #[test]
    fn what_is_written_just_now_is_not_swept_by_another() {
        let home = tempfile::tempdir().unwrap();
        let end = Timestamp::from_second(4_000_000_000).unwrap();
        let client = Client {
            environment: "eu".parse().unwrap(),
            tenant: "base".parse().unwrap(),
            id: "acme".parse().unwrap(),
        };
        let secret = ClientSecret::parse("secret").unwrap();
        let lost = |home_of: &[u8]| {
            let key = CacheKey::new(&Owner::new(home_of, &client), &Ask::Full, Credential::AtHand(&secret));
            let seal = SealKey::new(&secret, &key);
            let is_lost = |_: &usize| {
                let written = write(home.path(), &key, &seal, b"token", end);
                !written || read(home.path(), &key, &seal).is_none()
            };
            (0..2_000).filter(is_lost).count()
        };
        let both = std::thread::scope(|scope| {
            let other = scope.spawn(|| lost(b"other"));
            lost(b"one") + other.join().unwrap()
        });
        assert_eq!(both, 0);
    }
}

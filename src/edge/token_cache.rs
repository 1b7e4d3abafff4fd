//! Minted tokens, until they expire: in the kernel's keyring on Linux, and where that does not work in encrypted files.
//!
//! Never in plain text on disk. Nothing here is an error: a cache that cannot be read is empty, and what cannot be kept is
//! minted again.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::domain::token::cache_key::{CacheKey, SealKey, Selection};
use crate::edge::host::Env;
use crate::edge::private_file;

mod file;
#[cfg(target_os = "linux")]
mod kernel;

/// The cache of this user.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Where files go; `None` where no folder can be named.
    folder: Option<PathBuf>,
}

impl Cache {
    /// The cache that the environment leads to: `$XDG_CACHE_HOME/corti-auth` or `~/.cache/corti-auth`; on macOS
    /// `~/Library/Caches/corti-auth`; on Windows `%LOCALAPPDATA%\corti-auth\cache`.
    pub fn locate(env: &Env) -> Self {
        Self { folder: folder(env) }
    }

    /// The folder of its files, which need not be there.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// What the kernel keeps under `key`.
    pub fn in_kernel(&self, key: &CacheKey) -> Option<Zeroizing<Vec<u8>>> {
        kernel::read(key.name())
    }

    /// Whether there is a file for `key`: only then its seal is worth having.
    pub fn has_file(&self, key: &CacheKey) -> bool {
        self.usable().is_some_and(|folder| file::is_there(folder, key))
    }

    /// What a file keeps under `key`, where it opens with `seal`.
    pub fn in_file(&self, key: &CacheKey, seal: &SealKey) -> Option<Zeroizing<Vec<u8>>> {
        file::read(self.usable()?, key, seal)
    }

    /// Keeps `bytes` under `key` until `expires_at`, which is `seconds` from now; says whether it could.
    pub fn write(
        &self,
        key: &CacheKey,
        seal: &SealKey,
        bytes: &[u8],
        expires_at: Timestamp,
        seconds: usize,
    ) -> bool {
        let in_kernel = kernel::write(key.name(), bytes, seconds);
        match &self.folder {
            Some(folder) if in_kernel => {
                file::forget(folder, key);
                true
            }
            Some(folder) => file::write(folder, key, seal, bytes, expires_at),
            None => in_kernel,
        }
    }

    /// Removes tokens, wherever they are, and says how many there were.
    pub fn remove(&self, selection: &Selection) -> usize {
        let selected = |name: &str| selection.has(name);
        let in_files = self.folder.as_ref().map_or(0, |folder| file::remove(folder, selected));
        kernel::remove(selected) + in_files
    }

    /// The folder, where nobody else can have put anything into it.
    fn usable(&self) -> Option<&Path> {
        self.folder().filter(|folder| private_file::refuse_exposed(folder).is_ok())
    }
}

fn folder(env: &Env) -> Option<PathBuf> {
    let home = || env.path("HOME");
    if cfg!(windows) {
        Some(env.path("LOCALAPPDATA")?.join("corti-auth").join("cache"))
    } else if cfg!(target_os = "macos") {
        Some(home()?.join("Library/Caches/corti-auth"))
    } else {
        // The XDG base directory specification: a relative path is to be ignored.
        let configured = env.path("XDG_CACHE_HOME").filter(|path| path.is_absolute());
        Some(configured.or_else(|| home().map(|home| home.join(".cache")))?.join("corti-auth"))
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    use zeroize::Zeroizing;

    pub(super) fn read(_name: &str) -> Option<Zeroizing<Vec<u8>>> {
        None
    }

    pub(super) fn write(_name: &str, _bytes: &[u8], _seconds: usize) -> bool {
        false
    }

    pub(super) fn remove(_selected: impl Fn(&str) -> bool) -> usize {
        0
    }
}

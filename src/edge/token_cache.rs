//! Keeps minted tokens until they expire: in the Linux kernel's keyring, or in encrypted files if that does not work.
//!
//! Cache errors are ignored: a token that cannot be read or kept is minted again.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use crate::domain::client::variable;
use crate::domain::token::cache_key::{CacheKey, SealKey, Tag};
use crate::edge::host::Env;
use crate::edge::lock::Lock;
use crate::edge::private_file;

mod file;
#[cfg(target_os = "linux")]
mod kernel;

/// The cache of this user.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Where files go; `None` if there is no home.
    folder: Option<PathBuf>,
    /// `$XDG_RUNTIME_DIR/corti-auth`. After `sudo` it may be another user's, and is not used.
    runtime_folder: Option<PathBuf>,
}

impl Cache {
    /// The cache that the environment names: `$XDG_CACHE_HOME/corti-auth` or `~/.cache/corti-auth`; on macOS
    /// `~/Library/Caches/corti-auth`; on Windows `%LOCALAPPDATA%\corti-auth\cache`.
    pub fn locate(env: &Env) -> Self {
        if let Some(folder) = env.path(variable::CACHE_FOLDER) {
            return Self { folder: Some(folder), runtime_folder: None };
        }
        let is_own = |path: &PathBuf| path.is_absolute() && private_file::refuse_exposed(path).is_ok();
        let runtime = env.path("XDG_RUNTIME_DIR").filter(is_own);
        let folder = env.own_folder("LOCALAPPDATA", "Library/Caches", ("XDG_CACHE_HOME", ".cache"));
        let folder = if cfg!(windows) { folder.map(|folder| folder.join("cache")) } else { folder };
        Self { folder, runtime_folder: runtime.map(|path| path.join("corti-auth")) }
    }

    /// Locks the file `name`, so that one process mints and the others find its token. `None` after `limit`, or if no file can
    /// be locked.
    pub async fn lock(&self, name: &str, limit: Duration) -> Option<Lock> {
        let mut folders = [&self.runtime_folder, &self.folder].into_iter().flatten();
        let folder = folders.find(|folder| private_file::make_folder(folder).is_ok())?;
        Lock::take(&folder.join(name), limit).await.ok().flatten()
    }

    /// The token that the kernel keeps under `key`.
    pub fn in_kernel(&self, key: &CacheKey) -> Option<Zeroizing<Vec<u8>>> {
        kernel::read(key.name())
    }

    /// Whether there is a file for `key`. Only the client's secret opens it.
    pub fn has_file(&self, key: &CacheKey) -> bool {
        self.trusted_folder().is_some_and(|folder| file::path(folder, key).is_file())
    }

    /// When the file of `key` was written, if there is one.
    pub fn written(&self, key: &CacheKey) -> Option<SystemTime> {
        std::fs::metadata(file::path(self.trusted_folder()?, key)).ok()?.modified().ok()
    }

    /// The token in the file of `key`, if `seal` opens it.
    pub fn in_file(&self, key: &CacheKey, seal: &SealKey) -> Option<Zeroizing<Vec<u8>>> {
        file::read(self.trusted_folder()?, key, seal)
    }

    /// Keeps `bytes` under `key`, in the kernel for `seconds`, or in a file if the kernel does not take it.
    pub fn write(&self, key: &CacheKey, seal: &SealKey, bytes: &[u8], seconds: usize) {
        let in_kernel = kernel::write(key.name(), bytes, seconds);
        match &self.folder {
            Some(folder) if in_kernel => drop(std::fs::remove_file(file::path(folder, key))),
            Some(folder) => drop(file::write(folder, key, seal, bytes)),
            None => {}
        }
    }

    /// Removes the tokens with this tag, and returns how many there were.
    pub fn remove(&self, tag: &Tag) -> usize {
        let in_files = self.folder.as_ref().map_or(0, |folder| file::remove(folder, tag));
        kernel::remove(tag) + in_files
    }

    /// The folder, unless others can put files into it.
    fn trusted_folder(&self) -> Option<&Path> {
        self.folder.as_deref().filter(|folder| private_file::refuse_exposed(folder).is_ok())
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    use zeroize::Zeroizing;

    use crate::domain::token::cache_key::Tag;

    pub(super) fn read(_name: &str) -> Option<Zeroizing<Vec<u8>>> {
        None
    }

    pub(super) fn write(_name: &str, _bytes: &[u8], _seconds: usize) -> bool {
        false
    }

    pub(super) fn remove(_tag: &Tag) -> usize {
        0
    }
}

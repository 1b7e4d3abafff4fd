//! `config.toml` on disk: found, read, and changed under a lock.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use crate::domain::client::config::{Config, ConfigError};
use crate::domain::client::variable;

use super::host::{Env, read_bounded};
use super::lock::Lock;
use super::private_file;

/// How long another process may hold the lock. A change takes milliseconds, and one that stores or removes a secret takes as
/// long as the secret's store does.
const LOCK_LIMIT: Duration = Duration::from_secs(15);

/// How much of the file is read, in bytes: thousands of profiles.
const LIMIT: usize = 512 * 1024;

/// Where the file is.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    folder: PathBuf,
}

/// Why the file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFileError {
    /// Neither a home folder nor anything that names another.
    #[error("the configuration folder is unknown: HOME is not set")]
    NoHome,
    /// The file system said no.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// `read`, `write`, …
        action: &'static str,
        /// What was to be read or written.
        path: PathBuf,
        /// The file system's reason.
        source: io::Error,
    },
    /// The file says something it cannot mean.
    #[error("`{}` cannot be understood", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ConfigError,
    },
    /// Another process holds the lock.
    #[error("another process is changing `{}` and has not finished in {} s", .0.display(), LOCK_LIMIT.as_secs())]
    Locked(PathBuf),
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ConfigFileError {
    let path = path.to_owned();
    move |source| ConfigFileError::Io { action, path, source }
}

impl ConfigFile {
    /// `flag`, else `CORTI_AUTH_CONFIG_DIR`, else the platform's folder: `$XDG_CONFIG_HOME/corti-auth` or
    /// `~/.config/corti-auth`; on macOS `~/Library/Application Support/corti-auth`; on Windows `%APPDATA%\corti-auth`.
    ///
    /// # Errors
    /// [`ConfigFileError::NoHome`].
    pub fn locate(flag: Option<&Path>, env: &Env) -> Result<Self, ConfigFileError> {
        let named = flag.map(Path::to_owned).or_else(|| env.path(variable::CONFIG_FOLDER));
        let folder = named.or_else(|| platform_folder(env).map(|folder| folder.join("corti-auth")));
        folder.map(|folder| Self { folder }).ok_or(ConfigFileError::NoHome)
    }

    /// The file's path.
    pub fn path(&self) -> PathBuf {
        self.folder.join("config.toml")
    }

    /// The folder it is in, which need not be there.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the encrypted secrets of the store `file` are.
    pub fn secrets_folder(&self) -> PathBuf {
        self.folder.join("secrets")
    }

    /// Reads it; a file that is not there is an empty one.
    ///
    /// # Errors
    /// [`ConfigFileError`], see its variants.
    pub fn load(&self) -> Result<Config, ConfigFileError> {
        let path = self.path();
        self.refuse_exposed_folder()?;
        match read(&path) {
            Ok(text) => text.parse().map_err(|source| ConfigFileError::Content { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Config::default()),
            Err(error) => Err(failed("read", &path)(error)),
        }
    }

    /// Refuses the folder where somebody else could put a file into it; one that is not there is fine.
    fn refuse_exposed_folder(&self) -> Result<(), ConfigFileError> {
        match private_file::refuse_exposed(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("use", &self.folder)(error)),
            _ => Ok(()),
        }
    }

    /// Reads it, lets `change` have it, and writes it, while no other process does.
    ///
    /// # Errors
    /// [`ConfigFileError`], see its variants.
    pub async fn update<T>(&self, change: impl FnOnce(&mut Config) -> T) -> Result<T, ConfigFileError> {
        let mut held = self.hold().await?;
        let result = change(&mut held.config);
        held.save()?;
        Ok(result)
    }

    /// Reads it and keeps other processes from changing it, for changes that take more than the file. Others wait for
    /// [`LOCK_LIMIT`] only: be quick, and ask nobody anything.
    ///
    /// # Errors
    /// [`ConfigFileError`], see its variants.
    pub async fn hold(&self) -> Result<ConfigLock, ConfigFileError> {
        private_file::make_folder(&self.folder).map_err(failed("use", &self.folder))?;
        // A file of its own that is never renamed.
        let place = self.folder.join("config.lock");
        let lock = Lock::take(&place, LOCK_LIMIT).await.map_err(failed("lock", &place))?;
        let lock = lock.ok_or_else(|| ConfigFileError::Locked(self.path()))?;
        // People link the file to another folder; the link stays one.
        let path = fs::canonicalize(self.path()).unwrap_or_else(|_| self.path());
        private_file::remove_leftovers(path.parent().unwrap_or(&self.folder));
        let config = self.load()?;
        Ok(ConfigLock { before: config.to_text(), config, path, _lock: lock })
    }
}

/// The file while no other process changes it.
#[derive(Debug)]
pub struct ConfigLock {
    /// What it says. [`ConfigLock::save`] writes what has changed.
    pub config: Config,
    before: String,
    path: PathBuf,
    _lock: Lock,
}

impl ConfigLock {
    /// Writes what has changed. The lock is kept until this is dropped.
    ///
    /// # Errors
    /// [`ConfigFileError::Io`].
    pub fn save(&mut self) -> Result<(), ConfigFileError> {
        let after = self.config.to_text();
        if after == self.before {
            return Ok(());
        }
        private_file::replace(&self.path, after.as_bytes()).map_err(failed("write", &self.path))?;
        self.before = after;
        Ok(())
    }
}

fn read(path: &Path) -> io::Result<String> {
    let bytes = read_bounded(private_file::open(path)?, LIMIT)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

fn platform_folder(env: &Env) -> Option<PathBuf> {
    let home = || env.path("HOME");
    if cfg!(windows) {
        env.path("APPDATA")
    } else if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Application Support"))
    } else {
        // The XDG base directory specification: a relative path is to be ignored.
        let configured = env.path("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
        configured.or_else(|| home().map(|home| home.join(".config")))
    }
}

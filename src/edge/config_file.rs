//! Finds, reads and changes `config.toml`. Changes are made under a lock.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use crate::domain::client::config::{Config, ConfigError};
use crate::domain::client::variable;

use super::host::{Env, read_bounded};
use super::lock::Lock;
use super::{private_file, text};

/// How long to wait for the lock. Another process holds it for milliseconds, or for as long as its secret store takes.
const LOCK_LIMIT: Duration = Duration::from_secs(15);

/// The longest file that is read, in bytes: thousands of profiles.
const LIMIT: usize = 512 * 1024;

/// The variable without which the file has no place.
pub const HOME: &str = if cfg!(windows) { "APPDATA" } else { "HOME" };

/// Where the file is.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    /// The folder that the file is in, which need not exist.
    folder: PathBuf,
}

/// Why the file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFileError {
    /// Neither a home folder nor another folder is named.
    #[error("the configuration folder is unknown: {HOME} is not set")]
    NoHome,
    /// The file system refused: what was tried (`read`, `write`, …), the file or folder, and the reason.
    #[error("cannot {} `{}`", .0, .1.display())]
    Io(&'static str, PathBuf, #[source] io::Error),
    /// The content of the file is wrong.
    #[error("cannot read `{}`", .0.display())]
    Content(PathBuf, #[source] ConfigError),
    /// Another process holds the lock.
    #[error("another process is changing `{}` and has not finished in {} s", .0.display(), LOCK_LIMIT.as_secs())]
    Locked(PathBuf),
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ConfigFileError {
    let path = path.to_owned();
    move |source| ConfigFileError::Io(action, path, source)
}

impl ConfigFile {
    /// `flag`, else `CORTI_AUTH_CONFIG_DIR`, else the platform's folder: `$XDG_CONFIG_HOME/corti-auth` or
    /// `~/.config/corti-auth`; on macOS `~/Library/Application Support/corti-auth`; on Windows `%APPDATA%\corti-auth`.
    pub fn locate(flag: Option<&Path>, env: &Env) -> Result<Self, ConfigFileError> {
        let named = flag.map(Path::to_owned).or_else(|| env.path(variable::CONFIG_FOLDER));
        let own = || env.own_folder("APPDATA", "Library/Application Support", ("XDG_CONFIG_HOME", ".config"));
        named.or_else(own).map(|folder| Self { folder }).ok_or(ConfigFileError::NoHome)
    }

    /// The file's path.
    pub fn path(&self) -> PathBuf {
        self.folder.join("config.toml")
    }

    /// The folder that it is in, which need not exist.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of the encrypted secrets of the store `file`.
    pub fn secrets_folder(&self) -> PathBuf {
        self.folder.join("secrets")
    }

    /// Reads the file. One that does not exist counts as empty. Refuses it and its folder if somebody else can change them.
    pub fn load(&self) -> Result<Config, ConfigFileError> {
        let path = self.path();
        if let Err(error) = private_file::refuse_exposed(&self.folder)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(failed("use", &self.folder)(error));
        }
        match read(&path) {
            Ok(text) => text.parse().map_err(|source| ConfigFileError::Content(path, source)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Config::default()),
            Err(error) => Err(failed("read", &path)(error)),
        }
    }

    /// Reads the file, calls `change`, and writes the file, all under the lock.
    pub async fn update<T>(&self, change: impl FnOnce(&mut Config) -> T) -> Result<T, ConfigFileError> {
        let mut held = self.hold().await?;
        let result = change(&mut held.config);
        held.save()?;
        Ok(result)
    }

    /// Takes the lock and reads the file, for changes that concern more than the file. Other processes wait only for
    /// [`LOCK_LIMIT`]: do not ask anybody anything.
    pub async fn hold(&self) -> Result<ConfigLock, ConfigFileError> {
        private_file::make_folder(&self.folder).map_err(failed("use", &self.folder))?;
        // Not `config.toml` itself: a lock's file must never be renamed.
        let place = self.folder.join("config.lock");
        let lock = Lock::take(&place, LOCK_LIMIT).await.map_err(failed("lock", &place))?;
        let lock = lock.ok_or_else(|| ConfigFileError::Locked(self.path()))?;
        // `config.toml` may be a link, which stays: the file that it points to is replaced.
        let path = fs::canonicalize(self.path()).unwrap_or_else(|_| self.path());
        private_file::remove_leftovers(path.parent().unwrap_or(&self.folder));
        let config = self.load()?;
        Ok(ConfigLock { before: config.to_text(), config, path, _lock: lock })
    }
}

/// The file, while this process holds the lock.
#[derive(Debug)]
pub struct ConfigLock {
    /// The content. [`ConfigLock::save`] writes it.
    pub config: Config,
    before: String,
    path: PathBuf,
    _lock: Lock,
}

impl ConfigLock {
    /// Writes the content if it has changed. The lock is kept until this is dropped.
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
    let bytes = read_bounded(text::as_utf8(private_file::open(path)?)?, LIMIT)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

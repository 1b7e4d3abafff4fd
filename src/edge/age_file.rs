//! A client secret in a file of its own, encrypted with a passphrase: the age format, scrypt.
//!
//! For machines without a keyring. One file for each client: whether there is one can be told without the passphrase, and
//! a file cannot stand in for another, since each says inside whose secret it holds.

use std::cell::OnceCell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::domain::client::secret::{ClientSecret, MAX_SECRET_BYTES};

use super::host::read_bounded;
use super::lock::Lock;
use super::prompt::{self, PromptError};
use super::{mounted_secret, private_file, thread};
use format::FormatError;

mod format;

/// The scrypt work factor, log2. It takes 128 MiB and about half a second: what OWASP's password storage cheat sheet asks
/// for, and what a small container still has.
const WORK_FACTOR: u8 = 17;

/// How long another process may hold the folder's lock, which it does for milliseconds.
const LOCK_LIMIT: Duration = Duration::from_secs(3);

/// What is read of a file: the secret, JSON and age around it.
const FILE_LIMIT: usize = 2 * MAX_SECRET_BYTES + 64 * 1024;

/// The encrypted files of one configuration folder.
#[derive(Clone, Debug)]
pub struct AgeFiles {
    /// The folder they are in.
    pub folder: PathBuf,
    /// A file that holds the passphrase; a person is asked where there is none.
    pub passphrase_file: Option<PathBuf>,
    /// Whether a person may be asked.
    pub attended: bool,
    /// The passphrase, once it is known to be right: nobody is asked twice by one command.
    pub known: Rc<OnceCell<SecretString>>,
}

/// Why a file could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgeFileError {
    /// Nobody can be asked for the passphrase.
    #[error("the passphrase of the secret's file is needed, and nobody can be asked for it")]
    NoPassphrase,
    /// It does not open the file.
    #[error("the passphrase does not open `{0}`")]
    WrongPassphrase(PathBuf),
    /// The file that should hold the passphrase does not.
    #[error("the passphrase in `{}` cannot be used: {reason}", path.display())]
    PassphraseFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The second one typed is another.
    #[error("the two passphrases differ")]
    Differ,
    /// The person gave none.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// The file is not what this tool writes.
    #[error("`{}` is not a file of this store: {reason}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The file system said no.
    #[error("cannot {action} `{}`: {reason}", path.display())]
    Io {
        /// `read`, `write`, `remove`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The file system's reason.
        reason: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Content {
    user: String,
    client_secret: Zeroizing<String>,
}

impl AgeFiles {
    /// The file of the client that `user` stands for. Its name says nothing about the client.
    pub fn path(&self, user: &str) -> PathBuf {
        let digest = Sha256::digest(user.as_bytes());
        let name: Vec<String> = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(format!("{}.age", name.concat()))
    }

    /// Whether there is a file for `user`.
    ///
    /// # Errors
    /// [`AgeFileError::Io`] where that cannot be told: a folder that may not be looked into need not be empty.
    pub fn is_there(&self, user: &str) -> Result<bool, AgeFileError> {
        let path = self.path(user);
        path.try_exists().map_err(|error| failed("read", &path, &error))
    }

    /// Reads the secret of `user`; `None` where there is no file.
    ///
    /// # Errors
    /// [`AgeFileError`], see its variants.
    pub async fn read(&self, user: &str) -> Result<Option<ClientSecret>, AgeFileError> {
        let path = self.path(user);
        if !self.is_there(user)? {
            return Ok(None);
        }
        let passphrase = self.passphrase("Passphrase of the secret's file").await?;
        let (place, user, key) = (path.clone(), user.to_owned(), passphrase.clone());
        let read = thread::files(move || {
            let bytes = read_bounded(private_file::open(&place)?, FILE_LIMIT)?;
            Ok(unseal(&bytes, &key, &place, &user))
        });
        let secret = read.await.map_err(|error| failed("read", &path, &error))??;
        // Known already: the same.
        let _ = self.known.set(passphrase);
        Ok(Some(secret))
    }

    /// Gets hold of the passphrase that a file will be written with, before anybody types the secret itself. A person
    /// types it twice, since a slip would lose the secret.
    ///
    /// # Errors
    /// [`AgeFileError`], see its variants.
    pub async fn prepare(&self) -> Result<(), AgeFileError> {
        if self.known.get().is_some() {
            return Ok(());
        }
        let first = self.passphrase("Passphrase for the secret's file").await?;
        if self.passphrase_file.is_none() {
            let again = self.passphrase("The same passphrase again").await?;
            if first.expose_secret() != again.expose_secret() {
                return Err(AgeFileError::Differ);
            }
        }
        let _ = self.known.set(first);
        Ok(())
    }

    /// Encrypts the secret of `user`, which takes about half a second, and writes its file.
    ///
    /// # Errors
    /// [`AgeFileError`], see its variants.
    pub async fn write(&self, user: &str, secret: &ClientSecret) -> Result<(), AgeFileError> {
        let path = self.path(user);
        let failed = |error: io::Error| failed("write", &path, &error);
        self.prepare().await?;
        let passphrase = self.known.get().cloned().ok_or(AgeFileError::NoPassphrase)?;
        let client_secret = Zeroizing::new(secret.secret().expose().to_owned());
        let content = Content { user: user.to_owned(), client_secret };
        let text = Zeroizing::new(serde_json::to_vec(&content).map_err(|error| failed(error.into()))?);
        let sealed = thread::files(move || seal(&text, &passphrase)).await.map_err(failed)?;
        private_file::make_folder(&self.folder).map_err(failed)?;
        let _lock = self.lock_and_tidy().await;
        private_file::replace(&path, &sealed).map_err(failed)
    }

    /// Removes the file of `user` and says whether there was one. That takes no passphrase.
    ///
    /// # Errors
    /// [`AgeFileError::Io`].
    pub async fn delete(&self, user: &str) -> Result<bool, AgeFileError> {
        let path = self.path(user);
        // A killed write's file has the secret too.
        let _lock = self.lock_and_tidy().await;
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed("remove", &path, &error)),
        }
    }

    /// Keeps other processes from writing into the folder, and removes what killed ones left in it, of whichever client.
    /// Where it cannot be locked that is left to another time.
    async fn lock_and_tidy(&self) -> Option<Lock> {
        let lock = Lock::take_folder(&self.folder, LOCK_LIMIT).await.ok().flatten()?;
        private_file::remove_leftovers(&self.folder);
        Some(lock)
    }

    async fn passphrase(&self, question: &'static str) -> Result<SecretString, AgeFileError> {
        if let Some(known) = self.known.get() {
            return Ok(known.clone());
        }
        if let Some(path) = &self.passphrase_file {
            return passphrase_from(path).await;
        }
        if !self.attended {
            return Err(AgeFileError::NoPassphrase);
        }
        Ok(SecretString::from(prompt::password(question).await?))
    }
}

async fn passphrase_from(path: &Path) -> Result<SecretString, AgeFileError> {
    let failed = |reason: String| AgeFileError::PassphraseFile { path: path.to_owned(), reason };
    let file = path.to_owned();
    let read = thread::files(move || mounted_secret::read(&file, MAX_SECRET_BYTES)).await;
    let bytes = Zeroizing::new(read.map_err(|error| failed(error.to_string()))?);
    let text = std::str::from_utf8(&bytes).map_err(|_| failed("it is not text".to_owned()))?;
    let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    if line.is_empty() { Err(failed("it is empty".to_owned())) } else { Ok(SecretString::from(line)) }
}

fn failed(action: &'static str, path: &Path, error: &io::Error) -> AgeFileError {
    AgeFileError::Io { action, path: path.to_owned(), reason: error.to_string() }
}

fn seal(text: &[u8], passphrase: &SecretString) -> io::Result<Vec<u8>> {
    format::seal(text, passphrase.expose_secret().as_bytes(), WORK_FACTOR).map_err(io::Error::other)
}

fn unseal(
    bytes: &[u8],
    passphrase: &SecretString,
    path: &Path,
    user: &str,
) -> Result<ClientSecret, AgeFileError> {
    let broken = |reason: String| AgeFileError::Broken { path: path.to_owned(), reason };
    // A file that somebody else prepared must not cost minutes or gigabytes.
    let text = format::open(bytes, passphrase.expose_secret().as_bytes(), WORK_FACTOR + 1);
    let text = text.map_err(|error| match error {
        FormatError::WrongPassphrase => AgeFileError::WrongPassphrase(path.to_owned()),
        other => broken(other.to_string()),
    })?;
    let content: Content =
        serde_json::from_slice(&text).map_err(|_| broken("it does not hold a client secret".to_owned()))?;
    if content.user != user {
        return Err(broken("it holds the secret of another client".to_owned()));
    }
    ClientSecret::parse(&content.client_secret).map_err(|error| broken(error.to_string()))
}

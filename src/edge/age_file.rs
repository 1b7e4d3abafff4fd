//! Keeps client secrets in files that are encrypted with a passphrase (age format, scrypt), for machines without a keyring.
//!
//! Each client has a file of its own, so that no passphrase is needed to see whether there is one. The client is also named
//! inside, so that no file can be used for another client.

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

/// The scrypt work factor, log2: OWASP's password storage cheat sheet recommends it. It takes 128 MiB, which a small container
/// still has, and about half a second.
const WORK_FACTOR: u8 = 17;

/// The question after two passphrases that differ.
const DIFFER: &str = "The passphrases differ. Passphrase for the encrypted file";

/// How long to wait for the folder's lock. Another process holds it for milliseconds.
const LOCK_LIMIT: Duration = Duration::from_secs(3);

/// The longest file that is read, in bytes: the secret, with JSON and age around it.
const FILE_LIMIT: usize = 2 * MAX_SECRET_BYTES + 64 * 1024;

/// The encrypted files of one configuration folder.
#[derive(Clone, Debug)]
pub struct AgeFiles {
    /// The folder they are in.
    pub folder: PathBuf,
    /// The file with the passphrase. Without one, a person is asked.
    pub passphrase_file: Option<PathBuf>,
    /// Whether a person may be asked.
    pub attended: bool,
    /// The passphrase, once it is known to be right: a command asks only once.
    pub known: Rc<OnceCell<SecretString>>,
}

/// Why a file could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgeFileError {
    /// Nobody can be asked for the passphrase.
    #[error("missing: the passphrase of the encrypted file (no terminal to ask on)")]
    NoPassphrase,
    /// The passphrase does not open this file.
    #[error("the passphrase does not open `{0}`")]
    WrongPassphrase(PathBuf),
    /// The file with the passphrase cannot be used, for this reason.
    #[error("the passphrase in `{}` cannot be used: {}", .0.display(), .1)]
    PassphraseFile(PathBuf, String),
    /// A new passphrase was typed twice, and differently.
    #[error("the two passphrases differ")]
    Differ,
    /// The question for the passphrase was not answered.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// This tool did not write this file, for this reason.
    #[error("cannot read the secret from `{}`: {}", .0.display(), .1)]
    Broken(PathBuf, String),
    /// The file system refused: what was tried (`read`, `write` or `remove`), the file, and the reason.
    #[error("cannot {} `{}`: {}", .0, .1.display(), .2)]
    Io(&'static str, PathBuf, String),
}

#[derive(Serialize, Deserialize)]
struct Content {
    user: String,
    client_secret: Zeroizing<String>,
}

impl AgeFiles {
    /// The file of the client that `user` names. Its name says nothing about the client.
    pub fn path(&self, user: &str) -> PathBuf {
        let digest = Sha256::digest(user.as_bytes());
        let name: Vec<String> = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(format!("{}.age", name.concat()))
    }

    /// Whether there is a file for `user`. An error if that is unknown, because the folder cannot be read.
    pub fn exists(&self, user: &str) -> Result<bool, AgeFileError> {
        let path = self.path(user);
        path.try_exists().map_err(|error| failed("read", &path, &error))
    }

    /// Reads the secret of `user`.
    pub async fn read(&self, user: &str) -> Result<ClientSecret, AgeFileError> {
        let path = self.path(user);
        let passphrase = self.passphrase("Passphrase of the encrypted file").await?;
        let (place, user, key) = (path.clone(), user.to_owned(), passphrase.clone());
        let read = thread::files(move || {
            let bytes = read_bounded(private_file::open(&place)?, FILE_LIMIT)?;
            Ok(unseal(&bytes, &key, &place, &user))
        });
        let secret = read.await.map_err(|error| failed("read", &path, &error))??;
        // Fails if it is known already: it is the same one.
        let _ = self.known.set(passphrase);
        Ok(secret)
    }

    /// Whether the passphrase comes from a person.
    pub fn can_ask(&self) -> bool {
        self.passphrase_file.is_none() && self.attended
    }

    /// Asks for the passphrase to write a file with, twice: a typing error would lose the secret. If they differ, asks again.
    pub async fn prepare(&self) -> Result<(), AgeFileError> {
        if self.known.get().is_some() {
            return Ok(());
        }
        for question in ["Passphrase for the encrypted file", DIFFER, DIFFER] {
            let first = self.passphrase(question).await?;
            let is_sure = !self.can_ask() || {
                let again = self.passphrase("The same passphrase again").await?;
                first.expose_secret() == again.expose_secret()
            };
            if is_sure {
                let _ = self.known.set(first);
                return Ok(());
            }
        }
        Err(AgeFileError::Differ)
    }

    /// Encrypts the secret of `user`, which takes about half a second, and writes its file.
    pub async fn write(&self, user: &str, secret: &ClientSecret) -> Result<(), AgeFileError> {
        let path = self.path(user);
        let failed = |error: io::Error| failed("write", &path, &error);
        self.prepare().await?;
        let passphrase = self.known.get().cloned().ok_or(AgeFileError::NoPassphrase)?;
        let client_secret = Zeroizing::new(secret.secret().expose().to_owned());
        let content = Content { user: user.to_owned(), client_secret };
        let text = Zeroizing::new(serde_json::to_vec(&content).map_err(|error| failed(error.into()))?);
        let seal = move || {
            let passphrase = passphrase.expose_secret().as_bytes();
            format::seal(&text, passphrase, WORK_FACTOR).map_err(io::Error::other)
        };
        let sealed = thread::files(seal).await.map_err(failed)?;
        private_file::make_folder(&self.folder).map_err(failed)?;
        let _lock = self.lock_and_tidy().await;
        private_file::replace(&path, &sealed).map_err(failed)
    }

    /// Removes the file of `user`, and returns whether there was one. Needs no passphrase.
    pub async fn delete(&self, user: &str) -> Result<bool, AgeFileError> {
        let path = self.path(user);
        // A write that was killed may have left a file with the secret, too.
        let _lock = self.lock_and_tidy().await;
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed("remove", &path, &error)),
        }
    }

    /// Locks the folder against other processes, and removes the temporary files that killed ones left. Does neither if the
    /// folder cannot be locked.
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
        Ok(SecretString::from(prompt::password(question).await?.as_str()))
    }
}

async fn passphrase_from(path: &Path) -> Result<SecretString, AgeFileError> {
    let failed = |reason: String| AgeFileError::PassphraseFile(path.to_owned(), reason);
    let file = path.to_owned();
    let read = thread::files(move || mounted_secret::read(&file, MAX_SECRET_BYTES)).await;
    let bytes = Zeroizing::new(read.map_err(|error| failed(error.to_string()))?);
    let text = std::str::from_utf8(&bytes).map_err(|_| failed("it is not text".to_owned()))?;
    let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    if line.is_empty() { Err(failed("it is empty".to_owned())) } else { Ok(SecretString::from(line)) }
}

fn failed(action: &'static str, path: &Path, error: &io::Error) -> AgeFileError {
    AgeFileError::Io(action, path.to_owned(), error.to_string())
}

fn unseal(
    bytes: &[u8],
    passphrase: &SecretString,
    path: &Path,
    user: &str,
) -> Result<ClientSecret, AgeFileError> {
    let broken = |reason: String| AgeFileError::Broken(path.to_owned(), reason);
    // A file with a higher work factor could take minutes and gigabytes.
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

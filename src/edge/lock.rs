//! A lock that the operating system holds for a process, and drops with it: a kill leaves none behind.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use super::private_file;

/// How often somebody else's lock is looked at again.
const PAUSE: Duration = Duration::from_millis(10);

/// Held until it is dropped. Whoever waits for one can stop waiting.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Locks the file at `path`, which is made where it is missing, and is never to be renamed or removed. `None` where
    /// another process still holds it after `limit`.
    ///
    /// # Errors
    /// The file system's own.
    pub async fn take(path: &Path, limit: Duration) -> io::Result<Option<Self>> {
        hold(open(path)?, limit).await
    }

    /// Locks the folder at `path`, or the nearest one above it that is there: that leaves no file behind. `None` as in
    /// [`Lock::take`].
    ///
    /// # Errors
    /// The file system's own, also where it cannot lock a folder: on Windows, and on some network file systems.
    pub async fn take_folder(path: &Path, limit: Duration) -> io::Result<Option<Self>> {
        let nearest = path.ancestors().find(|folder| folder.is_dir());
        hold(File::open(nearest.ok_or(io::ErrorKind::NotFound)?)?, limit).await
    }
}

/// Opens a file that is there to be locked, and makes it where it is missing.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    private_file::without_waiting(&mut options).open(path)
}

async fn hold(file: File, limit: Duration) -> io::Result<Option<Lock>> {
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(Lock { _file: file })),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if waited >= limit => return Ok(None),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
        }
        waited += PAUSE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_holds_it_at_a_time() {
        let home = tempfile::tempdir().unwrap();
        let take = async || Lock::take(&home.path().join("lock"), Duration::ZERO).await.unwrap();
        let first = take().await;
        assert!(first.is_some() && take().await.is_none());
        drop(first);
        assert!(take().await.is_some());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_folder_that_is_not_there_is_locked_by_the_one_above() {
        let home = tempfile::tempdir().unwrap();
        let take =
            async |name: &str| Lock::take_folder(&home.path().join(name), Duration::ZERO).await.unwrap();
        let first = take("a/b").await;
        assert!(first.is_some() && take("c").await.is_none());
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    }
}

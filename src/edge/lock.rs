//! A file lock that the operating system releases when the process ends, however it ends.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use super::private_file;

/// How long to wait between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

/// Held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Locks the file at `path`, and creates it if needed. It must never be renamed or removed: otherwise two processes could lock
    /// two files. `None` if another process still holds the lock after `limit`.
    pub async fn take(path: &Path, limit: Duration) -> io::Result<Option<Self>> {
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        hold(private_file::without_waiting(&mut options).open(path)?, limit).await
    }

    /// Locks the folder at `path`, or its nearest parent that exists, and leaves no file behind. `None` as in [`Lock::take`]. Fails
    /// on some network file systems, which cannot lock folders. Windows cannot either: there it locks the file `.lock` in the
    /// folder, which must exist.
    pub async fn take_folder(path: &Path, limit: Duration) -> io::Result<Option<Self>> {
        if cfg!(windows) {
            return Self::take(&path.join(".lock"), limit).await;
        }
        let nearest = path.ancestors().find(|folder| folder.is_dir());
        hold(File::open(nearest.ok_or(io::ErrorKind::NotFound)?)?, limit).await
    }
}

/// Polls: a blocking wait could not be cancelled.
async fn hold(file: File, limit: Duration) -> io::Result<Option<Lock>> {
    let locked = async {
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
            }
        }
    };
    match tokio::time::timeout(limit, locked).await {
        Ok(locked) => locked.map(|()| Some(Lock { _file: file })),
        Err(_) => Ok(None),
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

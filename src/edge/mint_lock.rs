//! Taking turns: of many processes that need the same thing, one makes it, and the others wait for that.
//!
//! A turn is a lock on a file. The operating system ends it with the process, however that ends, so that one that was
//! killed holds nobody up. One that is stopped, or waits for a person, keeps its turn: whoever has waited long enough for
//! it takes turns on a second lock with all who have, so that again one of them makes the thing.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::edge::host::Env;
use crate::edge::lock::open;
use crate::edge::{private_file, thread};

const SUFFIX: &str = "lock";

/// What the locks of one name are called by, in the order they are waited for.
const LINES: [&str; 2] = ["", ".1"];

/// After this long nobody still waits for a turn.
const LEFT_BEHIND: Duration = Duration::from_secs(60 * 60);

/// The turn, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    file: File,
    path: PathBuf,
}

impl Turn {
    /// Waits for the turn of `name`, at most for `limit` on each of its locks. `None` where that passes, or no folder can
    /// have the files: the caller then goes on without.
    pub async fn take(env: &Env, spare: Option<&Path>, name: &str, limit: Duration) -> Option<Self> {
        let folder = folder(env, spare)?;
        for line in LINES {
            let path = folder.join(format!("{name}{line}.{SUFFIX}"));
            if let Ok(turn) = tokio::time::timeout(limit, Self::queue(&path)).await {
                return turn;
            }
        }
        None
    }

    async fn queue(path: &Path) -> Option<Self> {
        loop {
            let turn = Self::wait(path).await?;
            if turn.is_current() {
                return Some(turn);
            }
        }
    }

    async fn wait(path: &Path) -> Option<Self> {
        let file = open(path).ok()?;
        let (file, locked) = match file.try_lock() {
            Ok(()) => (file, true),
            Err(TryLockError::WouldBlock) => {
                thread::beside(move || {
                    let locked = file.lock().is_ok();
                    (file, locked)
                })
                .await?
            }
            Err(TryLockError::Error(_)) => (file, false),
        };
        locked.then(|| Self { file, path: path.to_owned() })
    }

    /// Whether the locked file still is the one of its name: whoever had the turn before may have removed it.
    #[cfg_attr(
        not(unix),
        expect(clippy::unused_self, reason = "std tells on Unix alone which file a name stands for")
    )]
    fn is_current(&self) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            let inode = |it: fs::Metadata| (it.dev(), it.ino());
            let (ours, named) =
                (self.file.metadata().map(inode), fs::symlink_metadata(&self.path).map(inode));
            matches!((ours, named), (Ok(ours), Ok(named)) if ours == named)
        }
        #[cfg(not(unix))]
        true
    }
}

impl Drop for Turn {
    /// The file goes while it is locked, or such files would pile up. Where an open file cannot be removed, it stays.
    fn drop(&mut self) {
        self.sweep();
        if self.is_current() {
            let _ = fs::remove_file(&self.path);
        }
        let _ = self.file.unlock();
    }
}

impl Turn {
    /// Removes what killed processes left long before this turn's file was made: under other names, whose turn may never
    /// come again.
    fn sweep(&self) {
        let Ok(begin) = self.file.metadata().and_then(|it| it.modified()) else { return };
        let entries = self.path.parent().map(fs::read_dir).into_iter().flatten().flatten().flatten();
        for path in
            entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|it| it == SUFFIX))
        {
            let made = fs::symlink_metadata(&path).and_then(|it| it.modified());
            let is_old = made.is_ok_and(|made| begin.duration_since(made).is_ok_and(|age| age > LEFT_BEHIND));
            // Removed while it is locked: whoever takes it next must see that it is gone.
            if is_old
                && let Ok(file) = open(&path)
                && file.try_lock().is_ok()
            {
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// `$XDG_RUNTIME_DIR/corti-auth`, which ends with the session, else `spare`.
fn folder(env: &Env, spare: Option<&Path>) -> Option<PathBuf> {
    // The XDG base directory specification: it must be the user's own. After `sudo` it may be somebody else's.
    let is_own = |path: &PathBuf| path.is_absolute() && private_file::is_own(path);
    let runtime = env.path("XDG_RUNTIME_DIR").filter(is_own);
    let folders = [runtime.map(|path| path.join("corti-auth")), spare.map(Path::to_owned)];
    folders.into_iter().flatten().find(|folder| private_file::make_folder(folder).is_ok())
}

#[cfg(all(test, unix))]
mod tests {
    use std::sync::Barrier;

    use super::*;

    /// Two threads over and over, since what is looked for is between two system calls.
    #[test]
    fn a_turn_that_is_taken_while_others_tidy_up_stays_the_one_of_its_name() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        let own = Turn { file: open(&path("own.lock")).unwrap(), path: path("own.lock") };
        let begin = own.file.metadata().unwrap().modified().unwrap();
        let (barrier, mut robbed) = (Barrier::new(2), 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    barrier.wait();
                    own.sweep();
                    barrier.wait();
                }
            });
            for round in 0..10_000 {
                open(&path("old.lock")).unwrap().set_modified(begin - 2 * LEFT_BEHIND).unwrap();
                barrier.wait();
                (0..round % 500).for_each(|_| std::hint::spin_loop());
                let taken = loop {
                    let file = open(&path("old.lock")).unwrap();
                    let is_locked = file.try_lock().is_ok();
                    let taken = is_locked.then(|| Turn { file, path: path("old.lock") });
                    if let Some(taken) = taken.filter(Turn::is_current) {
                        break taken;
                    }
                };
                barrier.wait();
                robbed += usize::from(!taken.is_current());
            }
        });
        assert_eq!(robbed, 0);
    }
}

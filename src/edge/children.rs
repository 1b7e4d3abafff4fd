//! The programs that this process has started, and the orphans that a container's first process is given.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::process::{Child, Command};

/// The programs that this process has started and waits for itself.
static STARTED: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// While this exists, `reap_orphans` leaves the program alone.
pub(super) struct Started(Option<u32>);

fn started() -> MutexGuard<'static, BTreeSet<u32>> {
    STARTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a program.
///
/// # Errors
/// The system's own.
pub(super) fn spawn(command: &mut Command) -> io::Result<(Child, Started)> {
    // Locked meanwhile: a program that ends at once must not be taken for an orphan.
    let mut started = started();
    let child = command.spawn()?;
    let id = child.id();
    started.extend(id);
    Ok((child, Started(id)))
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(id) = self.0 {
            started().remove(&id);
        }
    }
}

/// Takes the status of each orphan that has ended, if this is a container's first process: the kernel keeps the orphan until
/// then. Not that of a program that this process has started, which is waited for elsewhere.
#[cfg(unix)]
pub(super) fn reap_orphans() {
    use rustix::process::{Pid, WaitOptions, waitpid};

    if std::process::id() != 1 {
        return;
    }
    let started = started();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|it| it.file_name().to_str()?.parse::<u32>().ok());
    for id in ids.filter(|id| !started.contains(id)) {
        // An error for every process that is no child.
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
        let _ = pid.map(|pid| waitpid(Some(pid), WaitOptions::NOHANG));
    }
}

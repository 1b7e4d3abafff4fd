//! Starts programs, and reaps orphans if this is a container's first process.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, MutexGuard};

use tokio::process::{Child, Command};

use super::thread::lock;

/// The programs that this process has started and waits for.
static STARTED: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Keeps `reap_orphans` from reaping a program that this process has started.
pub(super) struct Started(Option<u32>);

fn started() -> MutexGuard<'static, BTreeSet<u32>> {
    lock(&STARTED)
}

/// Starts a program.
pub(super) fn spawn(command: &mut Command) -> io::Result<(Child, Started)> {
    // Locked until the id is known: otherwise a program that ends at once could be reaped as an orphan.
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

/// Reaps every orphan that has ended, if this is a container's first process. Otherwise they would stay as zombies.
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
        // Fails for every process that is not a child.
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
        let _ = pid.map(|pid| waitpid(Some(pid), WaitOptions::NOHANG));
    }
}

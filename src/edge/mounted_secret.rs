//! A secret in a file that somebody put there for this process: by `CORTI_CLIENT_SECRET_FILE`, by systemd, Docker or
//! Kubernetes, or a file of the user's own.
//!
//! What is checked is the opened file (`fstat`), not the name, so nobody can swap one for the other in between.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

use super::host::read_bounded;

/// Where a container's secrets are mounted. They are readable by everybody in there, and written by root.
#[cfg(unix)]
const MOUNTS: [&str; 2] = ["/run/secrets", "/var/run/secrets"];

/// Reads a file of at most `limit` bytes.
///
/// A file of the user's own must be a file, not a link, and readable by nobody else. A file of root's may be readable by
/// others but not writable, and may be reached through root's links, as Kubernetes lays its mounts out.
///
/// # Errors
/// The file system's own; `PermissionDenied` and `InvalidInput` with the reason.
pub fn read(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    check(&file.metadata()?, path)?;
    read_bounded(file, limit)
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};

    use rustix::fs::OFlags;

    // Not blocking: opening a pipe that nobody writes to would wait.
    let flags = OFlags::NONBLOCK | OFlags::CLOEXEC;
    let with = |flags: OFlags| {
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        File::options().read(true).custom_flags(flags).open(path)
    };
    match with(flags | OFlags::NOFOLLOW) {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            let link = std::fs::symlink_metadata(path)?;
            let roots_own = rustix::process::geteuid().is_root() && !is_mounted(path);
            if link.uid() != 0 || roots_own {
                return Err(denied("it is a link, and no mount's: name the file itself"));
            }
            with(flags)
        }
        opened => opened,
    }
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

fn check(metadata: &Metadata, path: &Path) -> io::Result<()> {
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let (owner, mode, me) = (metadata.uid(), metadata.mode(), rustix::process::geteuid().as_raw());
        if owner != me && owner != 0 {
            return Err(denied(&format!("it belongs to another user (uid {owner})")));
        }
        if mode & 0o022 != 0 {
            return Err(denied("others may change it: chmod 600"));
        }
        let roots_for_others = owner == 0 && (me != 0 || is_mounted(path));
        if mode & 0o077 != 0 && !roots_for_others {
            return Err(denied("others may read it: chmod 600"));
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Whether root's own process sees a mount for containers: below [`MOUNTS`], or Kubernetes' farm of links, whose real
/// folder is named `..` and a time.
#[cfg(unix)]
fn is_mounted(path: &Path) -> bool {
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let farm = |part: std::path::Component<'_>| {
        let name = part.as_os_str().to_string_lossy();
        name.len() > 2 && name.starts_with("..")
    };
    MOUNTS.iter().any(|mount| real.starts_with(mount)) || real.components().any(farm)
}

#[cfg(unix)]
fn denied(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, reason)
}

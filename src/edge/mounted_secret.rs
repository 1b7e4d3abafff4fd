//! Reads a secret from a file: one of the user's own, or one that systemd, Docker or Kubernetes mounts for this process.
//!
//! Checks the opened file (`fstat`), not its name, so that nobody can replace the file after the check.

use std::fs::File;
use std::io;
use std::path::Path;

use super::host::read_bounded;
use super::text;

/// Why a file of the user's own is refused. `chmod 600` repairs both.
pub const READABLE: &str = "others may read it";
/// See [`READABLE`].
pub const WRITABLE: &str = "others may change it";

/// Where a container's secrets are mounted. Root writes them, and everybody in the container can read them.
#[cfg(unix)]
const MOUNTS: [&str; 2] = ["/run/secrets", "/var/run/secrets"];

/// Reads a file of at most `limit` bytes, [as UTF-8](text::as_utf8).
///
/// A file of the user's own must not be a link, and nobody else may read it. Others may read a file of root's, but not change
/// it, and root's links to it are followed: Kubernetes mounts secrets that way.
pub fn read(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    read_bounded(text::as_utf8(open(path)?)?, limit)
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};

    use rustix::fs::OFlags;

    let metadata = std::fs::symlink_metadata(path)?;
    let is_roots_own = rustix::process::geteuid().is_root() && !is_mounted(path);
    if metadata.is_symlink() && (metadata.uid() != 0 || is_roots_own) {
        return Err(denied("it is a symbolic link: name the file that it points to"));
    }
    // A file that has just become a link is not followed. Opening a pipe must not wait for its writer.
    let no_follow = if metadata.is_symlink() { OFlags::empty() } else { OFlags::NOFOLLOW };
    let flags = i32::try_from((OFlags::NONBLOCK | no_follow).bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    let (owner, mode, me) = (metadata.uid(), metadata.mode(), rustix::process::geteuid().as_raw());
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    if owner != me && owner != 0 {
        return Err(denied(&format!("it belongs to another user (uid {owner})")));
    }
    if mode & 0o022 != 0 {
        return Err(denied(WRITABLE));
    }
    let is_mount = owner == 0 && (me != 0 || is_mounted(path));
    if mode & 0o077 != 0 && !is_mount {
        return Err(denied(READABLE));
    }
    Ok(file)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    super::private_file::open(path)
}

/// Whether a file is mounted for a container: below [`MOUNTS`], or by Kubernetes, which links to a folder named `..` and a
/// time.
#[cfg(unix)]
fn is_mounted(path: &Path) -> bool {
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let is_kubernetes = |part: std::path::Component<'_>| {
        let name = part.as_os_str().to_string_lossy();
        name.len() > 2 && name.starts_with("..")
    };
    MOUNTS.iter().any(|mount| real.starts_with(mount)) || real.components().any(is_kubernetes)
}

#[cfg(unix)]
fn denied(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, reason)
}

//! Files that only their owner may read: written by a temporary file and a rename, mode 0600, in folders of mode 0700,
//! and refused when they belong to somebody else.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// Makes `folder` and its parents, for the owner only where they are new.
///
/// # Errors
/// The file system's own; `PermissionDenied` where the folder belongs to another user.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    refuse_foreign(folder)
}

/// Replaces `path` by `bytes` in one step: a reader sees the old text or the new one, never a part.
///
/// # Errors
/// The file system's own.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A link (people keep their configuration in another folder) stays one: what it points to is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // tempfile makes it 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&target)?;
    Ok(())
}

/// Refuses what belongs to another user than this one and root.
///
/// # Errors
/// The file system's own; `PermissionDenied` for a foreign owner.
pub fn refuse_foreign(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let owner = fs::metadata(path)?.uid();
        if owner != 0 && owner != rustix::process::geteuid().as_raw() {
            let message = format!("it belongs to another user (uid {owner})");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> Option<u32> {
        fs::metadata(path).ok().map(|metadata| metadata.permissions().mode() & 0o777)
    }

    #[test]
    fn folders_and_files_are_the_owners_alone() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("a/b");
        make_folder(&folder).unwrap();
        replace(&folder.join("f"), b"x").unwrap();
        assert_eq!((mode(&folder), mode(&folder.join("f"))), (Some(0o700), Some(0o600)));
    }

    #[test]
    fn a_link_stays_a_link() {
        let home = tempfile::tempdir().unwrap();
        let (real, link) = (home.path().join("real"), home.path().join("link"));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}

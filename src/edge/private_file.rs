//! Files that only their owner may read: written by a temporary file and a rename, mode 0600, in folders of mode 0700,
//! and refused when they belong to somebody else.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// Makes `folder` and its parents, for the owner only where they are new.
///
/// # Errors
/// The file system's own; `PermissionDenied` as in [`refuse_exposed`].
pub fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    refuse_exposed(folder)
}

/// Replaces `path` by `bytes` in one step: a reader sees the old text or the new one, never a part. Where `path` is a
/// link, the link is replaced, and what it points to is left alone.
///
/// # Errors
/// The file system's own.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // tempfile makes it 0600.
    let file = tempfile::NamedTempFile::new_in(folder);
    // tempfile's own error names a file that nobody has heard of.
    let mut file = file.map_err(|error| io::Error::from(error.kind()))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Refuses what belongs to another user than this one and root, and what everybody may change.
///
/// # Errors
/// The file system's own; `PermissionDenied` with the reason.
pub fn refuse_exposed(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = fs::metadata(path)?;
        let denied = |message: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        let owner = metadata.uid();
        if owner != 0 && owner != rustix::process::geteuid().as_raw() {
            return denied(format!("it belongs to another user (uid {owner})"));
        }
        if metadata.mode() & 0o002 != 0 {
            return denied("everybody may change it".to_owned());
        }
    }
    Ok(())
}

/// Who may read, write and run `path`, as an octal mode; `None` where it is not there, or modes mean nothing.
pub fn mode(path: &Path) -> Option<u32> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(path).ok().map(|metadata| metadata.mode() & 0o777)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn folders_and_files_are_the_owners_alone() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("a/b");
        make_folder(&folder).unwrap();
        replace(&folder.join("f"), b"x").unwrap();
        assert_eq!((mode(&folder), mode(&folder.join("f"))), (Some(0o700), Some(0o600)));
    }

    #[test]
    fn a_link_is_replaced_and_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let (real, link) = (home.path().join("real"), home.path().join("link"));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(
            (fs::read_to_string(&real).unwrap(), fs::read_to_string(&link).unwrap()),
            ("old".into(), "new".into())
        );
        assert!(!fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn what_everybody_may_change_is_refused() {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(refuse_exposed(home.path()).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}

//! Files that only their owner may read: written by a temporary file and a rename, mode 0600, in folders of mode 0700,
//! and refused when they belong to somebody else, or others may change them.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

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
    let mut file = temporary_file(path)?;
    // Of the file itself: tempfile's own errors name a file that nobody has heard of.
    file.as_file_mut().write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// A file of mode 0600 whose name [`remove_leftovers`] knows: `.config.toml.corti-auth-x8Fk2a` for `config.toml`.
fn temporary_file(path: &Path) -> io::Result<NamedTempFile> {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(MARK);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The kind alone: tempfile's own words name the temporary file.
    tempfile::Builder::new().prefix(&prefix).tempfile_in(folder).map_err(|error| error.kind().into())
}

/// Appends `bytes` to a file that is there, in one write.
///
/// A last line without a line break gets one first.
///
/// # Errors
/// The file system's own.
pub fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let line_break: &[u8] = if is_open_ended(path) { b"\n" } else { b"" };
    let mut file = without_waiting(fs::File::options().append(true)).open(path)?;
    file.write_all(&[line_break, bytes].concat())
}

/// Whether the last line of a file, if it can be read, has no line break.
fn is_open_ended(path: &Path) -> bool {
    let mut last = [b'\n'];
    let is_file = fs::metadata(path).is_ok_and(|it| it.is_file());
    let read = |mut file: fs::File| file.seek(SeekFrom::End(-1)).and_then(|_| file.read_exact(&mut last));
    is_file && fs::File::open(path).and_then(read).is_ok() && last != [b'\n']
}

/// Removes the temporary files that killed [`replace`]s left in `folder`. Call it under the lock that guards the folder's
/// files. What cannot be removed is left to the next time.
pub fn remove_leftovers(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        // Of the entry itself: a link is never ours.
        if is_temporary(&entry.file_name()) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether a file's name is one that [`temporary_file`] gives.
fn is_temporary(name: &OsStr) -> bool {
    let name = name.to_str().and_then(|name| name.strip_prefix('.'));
    name.and_then(|name| name.rsplit_once(MARK)).is_some_and(|(of, random)| {
        !of.is_empty()
            && random.len() == RANDOM_CHARACTERS
            && random.bytes().all(|it| it.is_ascii_alphanumeric())
    })
}

/// Between the file's name and what makes the temporary one unique.
const MARK: &str = ".corti-auth-";

/// How many characters tempfile appends.
const RANDOM_CHARACTERS: usize = 6;

/// Opens a file of the user's own for reading. The opened file is checked, not its name; a pipe is not waited for.
///
/// # Errors
/// The file system's own; `InvalidInput` where it is no file, `PermissionDenied` as in [`refuse_exposed`].
pub fn open(path: &Path) -> io::Result<fs::File> {
    let file = without_waiting(fs::File::options().read(true)).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    refuse(&metadata)?;
    Ok(file)
}

/// Opening a pipe that nobody is at the other end of would wait without a bound.
pub(super) fn without_waiting(options: &mut fs::OpenOptions) -> &mut fs::OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        options,
        i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default(),
    );
    options
}

/// Refuses a file or folder that anybody but this user and root owns or can change. A user's own group is no exception: who
/// is in it cannot be told for certain (LDAP, SSSD), and what this tool makes is its owner's alone.
///
/// # Errors
/// The file system's own; `PermissionDenied` with an [`Exposed`] inside.
pub fn refuse_exposed(path: &Path) -> io::Result<()> {
    refuse(&fs::metadata(path)?)
}

/// Why a file or folder is refused, inside an [`io::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exposed {
    /// Its owner is neither this user nor root.
    #[error("it belongs to another user (uid {0})")]
    Owner(u32),
    /// Its group may write to it, as its mode or an access control list says.
    #[error("its group can write to it")]
    Group,
    /// Everybody may.
    #[error("everybody can write to it")]
    Everybody,
}

impl Exposed {
    /// What `error` holds of this kind.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

/// Whether `path` is there, and is no file: a link is none.
pub fn is_something_else(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file())
}

/// Whether `path` is there, and belongs to this user.
pub fn is_own(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let me = rustix::process::geteuid().as_raw();
        fs::metadata(path).is_ok_and(|metadata| metadata.uid() == me)
    }
    #[cfg(not(unix))]
    path.exists()
}

#[cfg(unix)]
fn refuse(metadata: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let (owner, mode) = (metadata.uid(), metadata.mode());
    let exposed = if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        Exposed::Owner(owner)
    } else if mode & 0o002 != 0 {
        Exposed::Everybody
    } else if mode & 0o020 != 0 {
        Exposed::Group
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::PermissionDenied, exposed))
}

/// Elsewhere files have no such modes.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the signature of the systems that refuse")]
fn refuse(_metadata: &fs::Metadata) -> io::Result<()> {
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
    fn leftovers_are_removed_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let kept = [
            "a.age",
            ".a.age.corti-auth-",
            "a.age.corti-auth-abcdef",
            "..corti-auth-abc.ef",
            ".corti-auth-abcdef",
        ];
        for name in kept.iter().chain(&[".a.age.corti-auth-abcdef", ".b.age.corti-auth-123456"]) {
            fs::write(home.path().join(name), "x").unwrap();
        }
        std::os::unix::fs::symlink("a.age", home.path().join(".a.age.corti-auth-linked")).unwrap();
        remove_leftovers(home.path());
        assert!(kept.iter().all(|name| home.path().join(name).exists()));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), kept.len() + 1, "the link stays");
    }

    #[test]
    fn a_temporary_file_has_a_name_that_is_recognised() {
        let home = tempfile::tempdir().unwrap();
        let file = temporary_file(&home.path().join("f")).unwrap();
        assert!(is_temporary(file.path().file_name().unwrap()), "{file:?}");
    }

    #[test]
    fn what_others_may_change_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("f");
        fs::write(&path, "x").unwrap();
        for (mode, exposed) in
            [(0o644, None), (0o664, Some(Exposed::Group)), (0o666, Some(Exposed::Everybody))]
        {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            for refused in [open(&path).map(drop), refuse_exposed(&path)] {
                assert_eq!(refused.err().as_ref().and_then(Exposed::of), exposed, "{mode:o}");
            }
        }
    }
}

//! Files that only their owner can read: mode 0600 in folders of mode 0700, written by a temporary file and a rename. Files that
//! others own or can change are refused.
//!
//! Windows has no modes: a new file or folder inherits the access list of the folder it is made in. In `%APPDATA%` and
//! `%LOCALAPPDATA%` that list admits the user, the system and administrators. A folder elsewhere (`--config-dir`) has its own
//! list, which is not checked here.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

/// Makes `folder` and its parents. New ones are for their owner only. Refuses the folder as [`refuse_exposed`] does.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    refuse_exposed(folder)
}

/// Replaces `path` by `bytes` in one step: a reader sees either the old content or the new one. A link is itself replaced, not
/// the file that it points to.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = temporary_file(path)?;
    // By `as_file`: tempfile's own errors name the temporary file.
    file.as_file_mut().write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Whether [`replace`] can make its temporary file. Leaves nothing behind.
pub fn ensure_replaceable(path: &Path) -> io::Result<()> {
    temporary_file(path).map(drop)
}

/// A file of mode 0600 with a name that [`remove_leftovers`] knows: `.config.toml.corti-auth-x8Fk2a` for `config.toml`.
fn temporary_file(path: &Path) -> io::Result<NamedTempFile> {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(MARK);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Only the kind, for the same reason.
    tempfile::Builder::new().prefix(&prefix).tempfile_in(folder).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::new(error.kind(), "there is no such folder"),
        kind => kind.into(),
    })
}

/// Appends `bytes` to an existing file, in one write. If its last line has no line break, adds that first.
pub fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let line_break: &[u8] = if is_open_ended(path) { b"\n" } else { b"" };
    let mut file = without_waiting(fs::File::options().append(true)).open(path)?;
    file.write_all(&[line_break, bytes].concat())
}

/// Whether the last line of a file has no line break. False if the file cannot be read.
fn is_open_ended(path: &Path) -> bool {
    let mut last = [b'\n'];
    let is_file = fs::metadata(path).is_ok_and(|it| it.is_file());
    let read = |mut file: fs::File| file.seek(SeekFrom::End(-1)).and_then(|_| file.read_exact(&mut last));
    is_file && fs::File::open(path).and_then(read).is_ok() && last != [b'\n']
}

/// Removes the temporary files that a killed [`replace`] left in `folder`. Call it under the lock that guards the folder's
/// files. Errors are ignored.
pub fn remove_leftovers(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_ours = name.to_str().is_some_and(is_temporary);
        // The type of the entry itself: a link is never ours.
        if is_ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// In the name of a temporary file: after the name of the file that it replaces, and before six random characters.
const MARK: &str = ".corti-auth-";

fn is_temporary(name: &str) -> bool {
    let Some((replaced, random)) = name.rsplit_once(MARK) else { return false };
    replaced.starts_with('.') && random.len() == 6 && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Opens a file for reading, and refuses it as [`refuse_exposed`] does. Checks the opened file, not its name. Does not wait for
/// the writer of a pipe, which is refused, too.
pub fn open(path: &Path) -> io::Result<fs::File> {
    let file = without_waiting(fs::File::options().read(true)).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    refuse(&metadata)?;
    Ok(file)
}

/// Makes opening a pipe fail or succeed at once. Otherwise it waits for the other end.
pub(super) fn without_waiting(options: &mut fs::OpenOptions) -> &mut fs::OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        options,
        i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default(),
    );
    options
}

/// Refuses a file or folder that anybody but this user and root owns or can change, with an [`Exposed`] in the error. This
/// includes the user's own group, because its members are not known for certain (LDAP, SSSD).
pub fn refuse_exposed(path: &Path) -> io::Result<()> {
    refuse(&fs::metadata(path)?)
}

/// Why a file or folder is refused. Inside an [`io::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exposed {
    /// Its owner is neither this user nor root.
    #[error("it belongs to another user (uid {0})")]
    Owner(u32),
    /// Its group, or everybody, may write to it.
    #[error("{0} can write to it")]
    Writable(&'static str),
}

impl Exposed {
    /// The reason inside `error`, if there is one.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

/// Whether `path` exists and is not a file. A link is not a file.
pub fn is_something_else(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file())
}

#[cfg(unix)]
fn refuse(metadata: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let (owner, mode) = (metadata.uid(), metadata.mode());
    let exposed = if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        Exposed::Owner(owner)
    } else if mode & 0o002 != 0 {
        Exposed::Writable("everybody")
    } else if mode & 0o020 != 0 {
        Exposed::Writable("its group")
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::PermissionDenied, exposed))
}

/// Other systems have no such modes: see above.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the signature on Unix")]
fn refuse(_metadata: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

/// The permissions of `path`, as in `0o600`. `None` if it does not exist, or the system has no such permissions.
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
            ".a.age",
            "a.age.corti-auth-abcdef",
            ".a.age.corti-auth-",
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
        remove_leftovers(home.path());
        assert!(!file.path().exists(), "{file:?}");
    }

    #[test]
    fn what_others_may_change_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("f");
        fs::write(&path, "x").unwrap();
        for (mode, exposed) in [(0o644, None), (0o664, Some("its group")), (0o666, Some("everybody"))] {
            let exposed = exposed.map(Exposed::Writable);
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            for refused in [open(&path).map(drop), refuse_exposed(&path)] {
                assert_eq!(refused.err().as_ref().and_then(Exposed::of), exposed, "{mode:o}");
            }
        }
    }
}

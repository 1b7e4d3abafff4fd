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

/// Makes sure that the folder takes a [`replace`] of `path`, and leaves nothing there.
///
/// # Errors
/// The file system's own.
pub fn try_to_replace(path: &Path) -> io::Result<()> {
    temporary_file(path)?.close().map_err(|error| nameless(&error))
}

/// One that [`remove_leftovers`] knows as ours; tempfile makes it 0600.
fn temporary_file(path: &Path) -> io::Result<NamedTempFile> {
    let file = tempfile::Builder::new().prefix(&temporary_prefix(path)).tempfile_in(folder_of(path));
    file.map_err(|error| nameless(&error))
}

/// The reason without tempfile's own words, which name a file that nobody has heard of.
fn nameless(error: &io::Error) -> io::Error {
    io::Error::from(error.kind())
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

/// Removes the temporary files that a [`replace`] of the same `path` left behind because it was killed. Call it where
/// no other process is replacing it: under the lock that guards it. What cannot be removed is left to the next time.
pub fn remove_leftovers(path: &Path) {
    let prefix = temporary_prefix(path);
    remove_files(folder_of(path), |name| {
        name.as_encoded_bytes().starts_with(prefix.as_encoded_bytes())
            && name.len() == prefix.len() + RANDOM_CHARACTERS
    });
}

/// The same for every file of `folder`, under the lock that guards them all.
pub fn remove_all_leftovers(folder: &Path) {
    remove_files(folder, |name| {
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix('.')) else { return false };
        rest.rsplit_once(MARK).is_some_and(|(of, random)| {
            !of.is_empty()
                && random.len() == RANDOM_CHARACTERS
                && random.bytes().all(|it| it.is_ascii_alphanumeric())
        })
    });
}

fn remove_files(folder: &Path, ours: impl Fn(&OsStr) -> bool) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let ours = ours(&entry.file_name());
        // Of the entry itself: a link is none of ours.
        if ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Between the file's name and what makes the temporary one unique.
const MARK: &str = ".corti-auth-";

/// How many characters tempfile appends.
const RANDOM_CHARACTERS: usize = 6;

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `.config.toml.corti-auth-` for `config.toml`: recognised as ours, and as of this file.
fn temporary_prefix(path: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(MARK);
    prefix
}

/// Opens a file of the user's own for reading. What is checked is the opened file; a pipe is not waited for.
///
/// # Errors
/// The file system's own; `InvalidInput` where it is no file, `PermissionDenied` as in [`refuse_exposed`].
pub fn open(path: &Path) -> io::Result<fs::File> {
    open_unless(path, EVERYBODY)
}

/// The same for a file that may name a program to run: nor may its group change it.
///
/// # Errors
/// As [`open`], and `PermissionDenied` as in [`refuse_untrusted`].
pub fn open_trusted(path: &Path) -> io::Result<fs::File> {
    open_unless(path, OTHERS)
}

fn open_unless(path: &Path, writers: u32) -> io::Result<fs::File> {
    let file = without_waiting(fs::File::options().read(true)).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    judge(&metadata, writers)?;
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

/// Refuses what belongs to another user than this one and root, and what everybody may change.
///
/// # Errors
/// The file system's own; `PermissionDenied` with an [`Exposed`] inside.
pub fn refuse_exposed(path: &Path) -> io::Result<()> {
    judge(&fs::metadata(path)?, EVERYBODY)
}

/// The same, and refuses what its group may change.
///
/// There is no exception for a user's own group: who is in a group cannot be told for certain (LDAP, SSSD), and what this
/// tool makes is its owner's alone.
///
/// # Errors
/// As [`refuse_exposed`].
pub fn refuse_untrusted(path: &Path) -> io::Result<()> {
    judge(&fs::metadata(path)?, OTHERS)
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

/// The mode's bit that lets everybody write.
const EVERYBODY: u32 = 0o002;

/// Those that let anybody but the owner.
const OTHERS: u32 = 0o022;

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

fn judge(metadata: &fs::Metadata, writers: u32) -> io::Result<()> {
    let error = |exposed| io::Error::new(io::ErrorKind::PermissionDenied, exposed);
    exposed(metadata, writers).map_or(Ok(()), |exposed| Err(error(exposed)))
}

#[cfg(unix)]
fn exposed(metadata: &fs::Metadata, writers: u32) -> Option<Exposed> {
    use std::os::unix::fs::MetadataExt as _;
    let (owner, writable) = (metadata.uid(), metadata.mode() & writers);
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        Some(Exposed::Owner(owner))
    } else if writable & EVERYBODY != 0 {
        Some(Exposed::Everybody)
    } else {
        (writable != 0).then_some(Exposed::Group)
    }
}

/// Elsewhere files have no such modes.
#[cfg(not(unix))]
fn exposed(_metadata: &fs::Metadata, _writers: u32) -> Option<Exposed> {
    None
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
    fn leftovers_of_this_file_are_removed_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("f");
        let kept = ["f", ".f.corti-auth-", ".f.corti-auth-abcdefg", ".g.corti-auth-abcdef", ".tmpabcdef"];
        for name in kept.iter().chain(&[".f.corti-auth-abcdef", ".f.corti-auth-123456"]) {
            fs::write(home.path().join(name), "x").unwrap();
        }
        std::os::unix::fs::symlink(&path, home.path().join(".f.corti-auth-linked")).unwrap();
        remove_leftovers(&path);
        let mut left: Vec<_> =
            fs::read_dir(home.path()).unwrap().flatten().map(|it| it.file_name()).collect();
        left.sort();
        let mut expected: Vec<OsString> = kept.map(OsString::from).to_vec();
        expected.push(".f.corti-auth-linked".into());
        expected.sort();
        assert_eq!(left, expected);
    }

    #[test]
    fn leftovers_of_every_file_are_removed_and_nothing_else() {
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
        remove_all_leftovers(home.path());
        assert!(kept.iter().all(|name| home.path().join(name).exists()));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), kept.len());
    }

    #[test]
    fn a_replacement_has_a_name_that_is_recognised() {
        let file = tempfile::Builder::new().prefix(&temporary_prefix(Path::new("a/f"))).tempfile().unwrap();
        let name = file.path().file_name().unwrap();
        assert_eq!(name.len(), ".f.corti-auth-".len() + RANDOM_CHARACTERS);
    }

    #[test]
    fn what_everybody_may_change_is_refused() {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let error = refuse_exposed(home.path()).unwrap_err();
        assert_eq!(
            (error.kind(), Exposed::of(&error)),
            (io::ErrorKind::PermissionDenied, Some(Exposed::Everybody))
        );
    }

    #[test]
    fn what_a_group_may_change_is_not_trusted() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("f");
        fs::write(&path, "x").unwrap();
        for (mode, is_open, is_trusted) in [(0o664, true, false), (0o666, false, false), (0o644, true, true)]
        {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!((open(&path).is_ok(), open_trusted(&path).is_ok()), (is_open, is_trusted), "{mode:o}");
            assert_eq!(
                (refuse_exposed(&path).is_ok(), refuse_untrusted(&path).is_ok()),
                (is_open, is_trusted),
                "{mode:o}"
            );
        }
    }
}

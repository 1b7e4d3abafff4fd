//! The process's surroundings, read once by `main`: arguments, environment variables, terminals.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal as _, Read as _};
use std::path::PathBuf;

use dialoguer::console::Term;

use crate::domain::client::secret::ClientSecret;
use crate::domain::client::variable;

use super::clock::Clock;

/// The process's surroundings.
#[derive(Clone, Debug)]
pub struct Host {
    /// The arguments, with the program's name.
    pub arguments: Vec<OsString>,
    /// The environment variables.
    pub env: Env,
    /// The clock.
    pub clock: Clock,
    /// The terminal.
    pub terminal: Terminal,
}

/// A snapshot of the environment variables. An empty one counts as unset.
#[derive(Clone, Default)]
pub struct Env(BTreeMap<OsString, OsString>);

/// Which of the standard streams are terminals, and how wide the terminal is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terminal {
    /// Standard input.
    pub stdin: bool,
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
    /// The columns; `None` if they are not known.
    pub columns: Option<usize>,
}

impl Host {
    /// Reads the real surroundings.
    #[expect(clippy::disallowed_methods, reason = "the one place that may call it")]
    pub fn from_os() -> Self {
        let env = Env(std::env::vars_os().map(|(name, value)| (key(&name), value)).collect());
        let (stdout, stderr) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let terminal = Terminal {
            stdin: io::stdin().is_terminal(),
            stdout,
            stderr,
            columns: if stdout || stderr { columns(&env) } else { None },
        };
        Self { arguments: std::env::args_os().collect(), env, clock: Clock, terminal }
    }
}

/// The columns of the terminal, else those in `COLUMNS`.
fn columns(env: &Env) -> Option<usize> {
    let size = Term::stdout().size_checked().or_else(|| Term::stderr().size_checked());
    size.map(|(_, columns)| columns.into()).or_else(|| env.get("COLUMNS")?.parse().ok())
}

/// A variable's name as [`Env`] keeps it: in upper case on Windows, where case does not matter.
fn key(name: &OsStr) -> OsString {
    if cfg!(windows) { name.to_ascii_uppercase() } else { name.to_owned() }
}

/// Whether stdout may have a live reader: a pipe, a socket or a terminal, not a file or a device. Rust opens `/dev/null` for a
/// closed stdout. Always true off Unix.
pub fn stdout_has_reader() -> bool {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd as _;
        use std::os::unix::fs::FileTypeExt as _;
        #[expect(clippy::disallowed_methods, reason = "the one place that may call it")]
        let stdout = io::stdout();
        let file = stdout.as_fd().try_clone_to_owned().map(std::fs::File::from);
        let kind = file.and_then(|file| file.metadata()).map(|metadata| metadata.file_type());
        stdout.is_terminal() || kind.is_ok_and(|kind| kind.is_fifo() || kind.is_socket())
    }
    #[cfg(not(unix))]
    true
}

/// The current folder; `None` if it is gone.
pub fn current_folder() -> Option<PathBuf> {
    std::env::current_dir().ok()
}

impl Env {
    /// The variables that a program must not get: by their name (`is_removed`), or because their value is a client secret, either
    /// `secret` or that of [`variable::CLIENT_SECRET`].
    pub fn removed_from_program(
        &self,
        is_removed: impl Fn(&str) -> bool,
        secret: Option<&ClientSecret>,
    ) -> Vec<OsString> {
        let given = self.get(variable::CLIENT_SECRET).and_then(|text| ClientSecret::parse(&text).ok());
        let is_secret = |value: ClientSecret| {
            let mut known = given.iter().chain(secret);
            known.any(|known| known.secret().is_same(value.secret()))
        };
        let removed = self.0.iter().filter(|(name, value)| {
            let value = ClientSecret::from_bytes(value.as_encoded_bytes());
            is_removed(&name.to_string_lossy()) || value.is_ok_and(is_secret)
        });
        removed.map(|(name, _)| name.clone()).collect()
    }

    /// The variable's text, unless it is unset or empty.
    pub fn get(&self, name: &str) -> Option<String> {
        Some(self.value(name)?.to_string_lossy().into_owned())
    }

    /// Whether the variable is set, but to nothing.
    pub fn is_empty(&self, name: &str) -> bool {
        self.0.get(&key(OsStr::new(name))).is_some_and(|value| value.is_empty())
    }

    /// The variable as a path, which may not be text, unless it is unset or empty.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.value(name).map(PathBuf::from)
    }

    fn value(&self, name: &str) -> Option<&OsString> {
        self.0.get(&key(OsStr::new(name))).filter(|value| !value.is_empty())
    }

    /// Whether the terminal takes only one line after the other: it cannot do more, or is read aloud.
    pub fn has_plain_terminal(&self) -> bool {
        self.is_dumb() || self.get(variable::ACCESSIBLE).is_some_and(|value| variable::is_on(&value))
    }

    /// Whether the terminal knows no control sequences.
    pub fn is_dumb(&self) -> bool {
        self.get("TERM").as_deref() == Some("dumb")
    }

    /// This tool's folder for one purpose. `windows` is a variable, `macos` a folder below the home folder, and `xdg` both a
    /// variable of the XDG base directory specification and its default below the home folder.
    pub(super) fn own_folder(&self, windows: &str, macos: &str, xdg: (&str, &str)) -> Option<PathBuf> {
        let at_home = |folder: &str| self.path("HOME").map(|home| home.join(folder));
        let folder = if cfg!(windows) {
            self.path(windows)
        } else if cfg!(target_os = "macos") {
            at_home(macos)
        } else {
            // The specification says that relative paths are ignored.
            self.path(xdg.0).filter(|path| path.is_absolute()).or_else(|| at_home(xdg.1))
        };
        Some(folder?.join("corti-auth"))
    }

    /// The names of the variables that are set, in order.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let set = self.0.iter().filter(|(_, value)| !value.is_empty());
        set.map(|(name, _)| name.to_string_lossy().into_owned())
    }

    /// A `CORTI_` variable with a value that is not text: [`Env::get`] would change it.
    pub fn first_not_text(&self) -> Option<String> {
        self.0
            .iter()
            .filter(|(name, _)| *name != variable::CONFIG_FOLDER)
            .find(|(name, value)| name.to_string_lossy().starts_with("CORTI_") && value.to_str().is_none())
            .map(|(name, _)| name.to_string_lossy().into_owned())
    }
}

impl std::fmt::Debug for Env {
    /// Without the values, which may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Env({} variables)", self.0.len())
    }
}

/// Reads to the end. More than `limit` bytes are an error of kind `InvalidData`.
pub fn read_bounded(reader: impl io::Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(bound).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("longer than {limit} bytes")));
    }
    Ok(bytes)
}

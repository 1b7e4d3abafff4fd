//! Runs the program of `exec`: in place of this process if the system can do that, otherwise beside it.

use std::collections::BTreeSet;
#[cfg(windows)]
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf, is_separator};
use std::process::{Command, ExitStatus};

#[cfg(windows)]
use tokio::signal::windows::{CtrlBreak, CtrlC, ctrl_break, ctrl_c};

use crate::domain::token::format::Named;

use super::host::Env;
#[cfg(unix)]
pub use super::relay::Signals;
use super::{children, process};

/// The extensions of programs, in `cmd.exe`'s order. `PATHEXT` is not read: it also lists scripts of other programs, such as
/// `.vbs` and `.js`.
const EXTENSIONS: [&str; 4] = ["com", "exe", "bat", "cmd"];

/// A program, its arguments, and how its environment differs from ours.
#[derive(Debug)]
pub struct Program {
    /// A path, or a name to look up in `PATH`.
    pub name: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Variables to set.
    pub set: Vec<Named>,
    /// Variables to remove.
    pub unset: Vec<OsString>,
}

/// Why a program was not run.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// No program has this name.
    #[error("{0}: command not found")]
    NotFound(String),
    /// The file exists, but not the interpreter in its first line.
    #[error("{0}: the interpreter in its #! line was not found")]
    NoInterpreter(String),
    /// The program exists, but cannot be run.
    #[error("`{0}` cannot be run")]
    NotExecutable(String, #[source] io::Error),
}

/// A program that runs beside this process.
pub struct Running {
    child: tokio::process::Child,
    _started: children::Started,
    signals: Signals,
}

/// On Windows, adds the extension of the file that a bare name means, since the standard library finds only `.exe` and npm is a
/// `.cmd`. Otherwise returns `name` unchanged.
pub fn with_extension(name: &OsStr, env: &Env) -> OsString {
    if !cfg!(windows) || Path::new(name).extension().is_some() {
        return name.to_owned();
    }
    let folders: Vec<_> = if name.to_string_lossy().contains(is_separator) {
        vec![PathBuf::new()]
    } else {
        let path = env.path("PATH").unwrap_or_default();
        std::env::split_paths(&path).filter(|folder| !folder.as_os_str().is_empty()).collect()
    };
    let mut files =
        folders.iter().flat_map(|it| EXTENSIONS.map(|extension| it.join(name).with_extension(extension)));
    files.find(|file| file.is_file()).map_or_else(|| name.to_owned(), PathBuf::into_os_string)
}

/// The names of the programs in the folders of `PATH` that begin with `start`, sorted. On Windows without their extensions.
pub fn names_in_path(start: &OsStr, env: &Env) -> Vec<OsString> {
    let path = env.path("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).filter_map(|folder| std::fs::read_dir(folder).ok());
    let files = folders.flatten().filter_map(Result::ok).filter(|file| {
        file.file_name().as_encoded_bytes().starts_with(start.as_encoded_bytes()) && is_program(&file.path())
    });
    let name =
        |path: PathBuf| if cfg!(windows) { path.file_stem() } else { path.file_name() }.map(OsStr::to_owned);
    let names: BTreeSet<OsString> = files.filter_map(|file| name(file.path())).collect();
    names.into_iter().collect()
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(windows)]
fn is_program(path: &Path) -> bool {
    path.extension().is_some_and(|known| EXTENSIONS.iter().any(|it| known.eq_ignore_ascii_case(it)))
}

impl Program {
    /// Replaces this process by the program, and returns only if that fails. On Windows, which cannot do that, runs the program and
    /// ends [like it](exit_like).
    pub fn take_over(&self) -> Result<u8, ProgramError> {
        process::restore_core_limit();
        let mut command = self.command();
        #[cfg(unix)]
        {
            // The library resets SIGPIPE, which a Rust program ignores.
            let error = std::os::unix::process::CommandExt::exec(&mut command);
            Err(self.failure(error))
        }
        #[cfg(windows)]
        {
            let _signals = Signals::take_over();
            command.status().map(exit_like).map_err(|error| self.failure(error))
        }
    }

    /// Starts the program beside this process, which passes `signals` on to it. Call it within the runtime.
    pub fn start(&self, signals: Signals) -> Result<Running, ProgramError> {
        let mut command = tokio::process::Command::from(self.command());
        // The program inherits the limit. Meanwhile this process has no core dumps because it is not dumpable.
        process::restore_core_limit();
        let started = children::spawn(&mut command);
        process::forbid_core();
        let (child, started) = started.map_err(|error| self.failure(error))?;
        Ok(Running { child, _started: started, signals })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.name);
        command.args(&self.arguments);
        for name in &self.unset {
            command.env_remove(name);
        }
        command.envs(self.set.iter().map(|it| (it.name, it.value.expose())));
        command
    }

    fn failure(&self, source: io::Error) -> ProgramError {
        let name = self.name.to_string_lossy().into_owned();
        // A name without a separator is looked up in PATH, not in this folder.
        let is_file = name.contains(is_separator) && Path::new(&self.name).exists();
        match source.kind() {
            io::ErrorKind::NotFound if is_file => ProgramError::NoInterpreter(name),
            io::ErrorKind::NotFound => ProgramError::NotFound(name),
            _ => ProgramError::NotExecutable(name, source),
        }
    }
}

/// Windows sends Ctrl-C and Ctrl-Break to every program at the console. Nothing is passed on, but this process waits for the
/// program, to end like it.
#[cfg(windows)]
pub struct Signals {
    _taken_over: (io::Result<CtrlC>, io::Result<CtrlBreak>),
}

#[cfg(windows)]
impl Signals {
    /// Takes them over until this is dropped.
    pub fn take_over() -> Self {
        Self { _taken_over: (ctrl_c(), ctrl_break()) }
    }

    async fn relay_to(&mut self, _program: u32) -> Infallible {
        std::future::pending().await
    }
}

impl Running {
    /// Waits until the program has ended. Passes signals on to it.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        // `None` if it has ended.
        let Some(program) = self.child.id() else { return self.child.wait().await };
        tokio::select! {
            status = self.child.wait() => status,
            never = self.signals.relay_to(program) => match never {},
        }
    }
}

/// Ends this process like the program, if an 8-bit exit code cannot say how: by its signal, or on Windows with its code of 32
/// bits. Otherwise returns the program's exit code.
pub fn exit_like(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        process::die_of(signal);
        // As shells report it.
        return u8::try_from(signal).map_or(u8::MAX, |signal| signal.saturating_add(128));
    }
    #[cfg(windows)]
    #[expect(clippy::exit, clippy::disallowed_methods, reason = "an `ExitCode` has 8 bits")]
    if let Some(code) = status.code() {
        std::process::exit(code);
    }
    status.code().map_or(u8::MAX, |code| u8::try_from(code).unwrap_or(u8::MAX))
}

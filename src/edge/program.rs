//! The program that `exec` runs: in place of this process where the system has that, else beside it, with the signals
//! passed on to it and its end made ours.

use std::ffi::OsString;
use std::io;
use std::process::{Command, ExitStatus};

use crate::domain::token::format::Named;

use super::{children, process};

/// A program, its arguments, and how its environment differs from ours.
#[derive(Debug)]
pub struct Program {
    /// A path, or a name that is looked for in `PATH`.
    pub name: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Variables that it gets.
    pub set: Vec<Named>,
    /// Variables that it does not.
    pub unset: Vec<OsString>,
}

/// Why a program was not run.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// There is none of this name, or what its first line names is not there.
    #[error("`{0}` is not there, or the interpreter in its first line is not")]
    NotFound(String),
    /// It is there, and cannot be run.
    #[error("`{name}` cannot be run")]
    NotExecutable {
        /// The program.
        name: String,
        /// What the system said.
        source: io::Error,
    },
}

/// A program under way, beside this process.
pub struct Running {
    child: tokio::process::Child,
    _started: children::Started,
    #[cfg_attr(not(unix), expect(dead_code, reason = "there is nothing to pass on"))]
    signals: Signals,
}

impl Program {
    /// Becomes the program: the process id, the terminal and the open standard streams stay, and there is no way back.
    /// Where the system has no such thing, runs it to its end and gives its code.
    ///
    /// # Errors
    /// [`ProgramError`]; where it works, this does not come back.
    pub fn take_over(&self) -> Result<u8, ProgramError> {
        process::restore_core_limit();
        let mut command = self.command();
        #[cfg(unix)]
        {
            // The library gives SIGPIPE, which a Rust program ignores, its default back, and blocks no signal.
            let error = std::os::unix::process::CommandExt::exec(&mut command);
            Err(self.failure(error))
        }
        #[cfg(not(unix))]
        {
            command.status().map(code).map_err(|error| self.failure(error))
        }
    }

    /// Starts the program beside this process, which passes `signals` on to it. Call it within the runtime.
    ///
    /// # Errors
    /// [`ProgramError`].
    pub fn start(&self, signals: Signals) -> Result<Running, ProgramError> {
        let mut command = tokio::process::Command::from(self.command());
        // A limit is inherited. This process stays undumpable, which is what keeps it out of a core file.
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
        for it in &self.set {
            command.env(it.name, it.value.expose());
        }
        command
    }

    fn failure(&self, source: io::Error) -> ProgramError {
        let name = self.name.to_string_lossy().into_owned();
        if source.kind() == io::ErrorKind::NotFound {
            ProgramError::NotFound(name)
        } else {
            ProgramError::NotExecutable { name, source }
        }
    }
}

/// The signals of a program that is to be started: from here on they wait for it.
pub struct Signals {
    /// `None` where the system lets nothing be taken over: the program runs even so.
    #[cfg(unix)]
    relay: Option<super::relay::Relay>,
}

impl Signals {
    /// Takes them over, before the program is there: one that comes in between would end us alone. Call it within the runtime.
    pub fn take_over() -> Self {
        Self {
            #[cfg(unix)]
            relay: super::relay::Relay::start().ok(),
        }
    }
}

impl Running {
    /// Waits for its end, and passes the signals on that come until then.
    ///
    /// # Errors
    /// The system's own.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        #[cfg(unix)]
        if let Some(relay) = &mut self.signals.relay {
            loop {
                let process = self.child.id();
                tokio::select! {
                    status = self.child.wait() => return status,
                    origin = relay.next() => {
                        if let Some(process) = process {
                            super::relay::act_on(&origin, process);
                        }
                    }
                }
            }
        }
        self.child.wait().await
    }
}

/// The code that stands for a program's end. Where a signal ended it, the same signal ends this process, if it can.
pub fn share_fate(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        // A container's first process cannot die of a signal of its own.
        if std::process::id() != 1 {
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
        // The shells' way to say it, there and for a signal that is not known.
        return u8::try_from(signal).map_or(u8::MAX, |signal| signal.saturating_add(128));
    }
    code(status)
}

fn code(status: ExitStatus) -> u8 {
    // Windows has codes of 32 bits: one that does not fit must not look like success.
    status.code().map_or(u8::MAX, |code| u8::try_from(code).unwrap_or(u8::MAX))
}

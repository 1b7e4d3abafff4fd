//! A running command, and the output of one that has ended.

use std::process::{Child, ExitStatus};

use assert_cmd::Command;
use serde_json::Value;

use super::{signal, wait_until};

/// A running command, killed when it is dropped.
pub struct Running(pub Child);

impl Running {
    /// Sends SIGINT, like Ctrl-C.
    pub fn interrupt(&self) {
        signal(self.0.id(), "INT");
    }

    /// Whether it has this file open.
    #[cfg(target_os = "linux")]
    pub fn has_open(&self, path: &std::path::Path) -> bool {
        let links = std::fs::read_dir(format!("/proc/{}/fd", self.0.id())).into_iter().flatten().flatten();
        links.filter_map(|entry| std::fs::read_link(entry.path()).ok()).any(|it| it == path)
    }

    /// Waits for its end and returns its exit code, `None` after a signal.
    pub fn wait(&mut self) -> Option<i32> {
        self.end().code()
    }

    /// Waits for its end.
    pub fn end(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the command ends", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process's memory in KiB: `VmHWM` is the peak, `VmRSS` what it has now. `None` once the process is gone, and off Linux.
pub fn memory(process: u32, field: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// Raises the test's own limit of open files, which the commands that it starts inherit.
#[cfg(target_os = "linux")]
pub fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    assert!(getrlimit(Resource::Nofile).current.is_none_or(|it| it > 5000), "the hard limit is too low");
}

/// The exit code and the output of a command.
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    /// Runs a command to its end.
    pub fn by(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// stdout, which must be one JSON object.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.stdout, self.stderr))
    }

    /// The last line of stderr as JSON.
    pub fn error(&self) -> Value {
        let line = self.stderr.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {}", self.stderr))
    }
}

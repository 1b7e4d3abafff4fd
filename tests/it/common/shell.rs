//! A shell on a terminal of its own.

use std::process::Command;

use rexpect::session::{PtySession, spawn_command};

use super::{Said, World};

/// A unique prompt: until it is shown, input goes to the program that still runs.
const PROMPT: &str = "shell-is-ready> ";

/// A shell on a terminal of its own, in a world.
pub struct Shell {
    pub session: PtySession,
    process: String,
    /// The terminal's mode at the start, as `stty -g` prints it.
    mode: String,
}

impl Shell {
    pub fn start(world: &World) -> Self {
        let mut command = Command::new("sh");
        command.env_clear().envs(world.variables()).env("PS1", PROMPT).env("TERM", "xterm");
        command.env("CORTI_AUTH", super::binary());
        let session = spawn_command(command, Some(20_000)).unwrap();
        let mut shell = Self { session, process: String::new(), mode: String::new() };
        shell.expect(PROMPT);
        shell.send_line("stty echo; echo \"process\": $$ :end");
        shell.expect("process: ");
        shell.process = shell.expect(" :end");
        (_, shell.mode) = shell.exit_code_and_mode();
        shell
    }

    pub fn send_line(&mut self, line: &str) {
        self.session.send_line(line).unwrap();
    }

    /// Sends a signal to the program that the shell runs.
    pub fn signal(&self, name: &str) {
        let found = Said::by(assert_cmd::Command::new("pgrep").args(["-P", &self.process]));
        assert!(super::signal(found.stdout.trim().parse().unwrap(), name), "{name}: {}", found.stdout);
    }

    /// Waits for `text`, and returns what came before it.
    pub fn expect(&mut self, text: &str) -> String {
        self.session.exp_string(text).unwrap()
    }

    /// The exit code of the last command, and the terminal's mode.
    pub fn exit_code_and_mode(&mut self) -> (String, String) {
        self.expect(PROMPT);
        // In two quoted halves, so that the echoed line does not look like the answer.
        self.send_line("echo \"code\"\": $? $(stty -g) :end\"");
        self.expect("code: ");
        let answer = self.expect(" :end");
        let (code, mode) = answer.split_once(' ').unwrap();
        self.expect(PROMPT);
        (code.to_owned(), mode.to_owned())
    }

    /// Checks that the last command exited with `code` and restored the terminal.
    pub fn assert_ended(&mut self, code: &str) {
        assert_eq!(self.exit_code_and_mode(), (code.to_owned(), self.mode.clone()));
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // An interactive shell ignores SIGTERM, and the session waits for its end.
        let _ = self.session.send_line("exit");
    }
}

//! A real keyring on a session bus of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdin, Command as Process, Stdio};

use super::{Said, World};

/// A private session bus with a gnome-keyring in some state (see `scripts/with-keyring`). Both end when it is
/// dropped.
pub struct Keyring {
    child: Child,
    /// Closing it ends the session.
    stdin: Option<ChildStdin>,
    pub address: String,
}

impl Keyring {
    pub fn unlocked() -> Self {
        Self::in_state("unlocked")
    }

    pub fn in_state(state: &str) -> Self {
        Self::by(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/with-keyring"), state)
    }

    /// A `KeePassXC` with an open database (see `scripts/with-keepassxc`).
    pub fn keepassxc() -> Self {
        Self::by(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/with-keepassxc"), "")
    }

    fn by(script: &str, state: &str) -> Self {
        let mut child = Process::new(script)
            .env("WITH_KEYRING_STATE", state)
            .args(["sh", "-c", "echo \"$DBUS_SESSION_BUS_ADDRESS\"; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        assert!(!address.trim().is_empty(), "the keyring did not start: {:?}", child.wait());
        let stdin = child.stdin.take();
        Self { child, stdin, address: address.trim().to_owned() }
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

/// The secret that the keyring has for `user`, or nothing.
pub fn lookup(world: &World, user: &str) -> String {
    let mut secret_tool = world.program("secret-tool");
    Said::by(secret_tool.args(["lookup", "service", "corti-auth", "username", user])).stdout
}

/// Stores a secret with another program.
#[cfg(unix)]
pub fn store(world: &World, user: &str, secret: &str) {
    let mut secret_tool = world.program("secret-tool");
    secret_tool.args(["store", "--label=x", "service", "corti-auth", "username", user]);
    secret_tool.write_stdin(secret).assert().success();
}

/// What secret-tool prints of all entries of this tool.
pub fn search(world: &World) -> Said {
    Said::by(world.program("secret-tool").args(["search", "--all", "service", "corti-auth"]))
}

/// The users of all entries of this tool.
#[cfg(unix)]
pub fn users(world: &World) -> Vec<String> {
    let said = search(world);
    // Which stream has the attributes depends on the version.
    let lines = said.stdout.lines().chain(said.stderr.lines());
    lines.filter_map(|line| line.strip_prefix("attribute.username = ")).map(str::to_owned).collect()
}

/// The process id of the keyring daemon.
pub fn daemon(world: &World) -> u32 {
    let mut send = world.program("dbus-send");
    send.args(["--session", "--print-reply=literal", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus"]);
    send.args(["org.freedesktop.DBus.GetConnectionUnixProcessID", "string:org.freedesktop.secrets"]);
    Said::by(&mut send).stdout.split_whitespace().last().unwrap().parse().unwrap()
}

//! A world whose commands cache tokens, and what can be seen of its cache.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

use super::control::Control;
use super::fake_server::{Answer, FakeServer};
use super::{Sandbox, World, binary, chmod};

/// A world with a cache. The kernel keeps tokens per user, not per home, so they are removed when this is dropped.
pub struct Cached(World);

impl Cached {
    pub fn new(mut world: World) -> Self {
        world.set("CORTI_AUTH_NO_CACHE", "");
        Self(world)
    }

    /// One whose variables name the sandbox's client.
    pub fn of(sandbox: &Sandbox) -> Self {
        Self::new(World::of(sandbox))
    }

    /// Runs a command where the kernel's keyrings are forbidden, as in a container.
    pub fn run_without_keyrings(&self, arguments: &str) -> Command {
        let mut command = self.program("python3");
        command.args(["-c", FORBID]).arg(binary()).args(arguments.split_whitespace());
        command
    }

    pub fn cache_folder(&self) -> PathBuf {
        self.home().join(".cache/corti-auth")
    }

    /// The files with tokens, sorted: every file of the cache but the locks.
    pub fn token_files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.cache_folder()).into_iter().flatten().flatten();
        let is_lock = |path: &PathBuf| path.extension().is_some_and(|end| end == "lock");
        let mut files: Vec<PathBuf> =
            entries.map(|entry| entry.path()).filter(|path| !is_lock(path)).collect();
        files.sort();
        files
    }

    /// Every file below the home that contains `text`.
    pub fn files_with(&self, text: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        search(self.home(), text.as_bytes(), &mut found);
        found
    }

    /// The numbers of this user's keys in the kernel that contain `text`.
    pub fn keys_with(&self, text: &str) -> Vec<String> {
        let script = "keyctl link @u @s > /dev/null; for key in $(keyctl rlist @u); do \
                      keyctl pipe \"$key\" 2> /dev/null | grep -qaF \"$TEXT\" && echo \"$key\"; done; true";
        let mut shell = self.program("keyctl");
        let output = shell.args(["session", "-", "sh", "-c", script]).env("TEXT", text).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().split_whitespace().map(str::to_owned).collect()
    }
}

impl Deref for Cached {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0
    }
}

impl DerefMut for Cached {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.0
    }
}

impl Drop for Cached {
    fn drop(&mut self) {
        let _ = self.0.run("logout --all").output();
    }
}

fn search(folder: &Path, text: &[u8], found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            search(&path, text, found);
        } else if std::fs::read(&path).is_ok_and(|it| it.windows(text.len()).any(|window| window == text)) {
            found.push(path);
        }
    }
}

/// A sandbox, its control endpoint, and a world of its client.
pub fn start() -> (Sandbox, Control, Cached) {
    let sandbox = Sandbox::start();
    let (control, world) = (Control::of(&sandbox), Cached::of(&sandbox));
    (sandbox, control, world)
}

/// The token, and whether it was cached, of a command that must succeed and print nothing else.
pub fn token(command: &mut Command) -> (String, bool) {
    let output = command.arg("--json").output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success() && stderr.is_empty(), "{stderr}");
    let json: Value = serde_json::from_str(&stdout).unwrap();
    (json["access_token"].as_str().unwrap().to_owned(), json["cached"].as_bool().unwrap())
}

/// Whether the process has a lock file open, because it mints or waits for another process that does.
pub fn waits_for_a_lock(process: u32) -> bool {
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let mut targets = files.filter_map(|file| std::fs::read_link(file.path()).ok());
    targets.any(|target| target.extension().is_some_and(|end| end == "lock"))
}

/// For a user whose keys the kernel counts: the words that run a program as that user, and a copy of the binary for
/// it.
pub fn become_user(world: &World, user: u32) -> (Vec<String>, String) {
    use std::os::unix::fs::chown;
    let own = world.home().join("corti-auth");
    std::fs::copy(binary(), &own).unwrap();
    chmod(&own, 0o755);
    let mut words = vec!["setpriv".to_owned()];
    if rustix::process::geteuid().is_root() {
        for folder in ["", "config", "run", "tmp"] {
            chown(world.home().join(folder), Some(user), Some(user)).unwrap();
        }
        let user = user.to_string();
        words.extend(["--reuid", &user, "--regid", &user, "--clear-groups"].map(str::to_owned));
    }
    (words, own.display().to_string())
}

/// Forbids `add_key`, `request_key` and `keyctl` with a filter of system calls, as Docker does, then runs the
/// command.
pub const FORBID: &str = r#"
import ctypes, os, platform, struct, sys
calls = {"x86_64": (248, 249, 250), "aarch64": (217, 218, 219)}[platform.machine()]
def operation(code, yes, no, value): return struct.pack("HBBI", code, yes, no, value)
program = operation(0x20, 0, 0, 0)
for index, call in enumerate(calls): program += operation(0x15, len(calls) - index, 0, call)
program += operation(0x06, 0, 0, 0x7fff0000) + operation(0x06, 0, 0, 0x00050001)
class Filter(ctypes.Structure): _fields_ = [("length", ctypes.c_ushort), ("program", ctypes.c_char_p)]
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Filter(len(program) // 8, program)), 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"#;

/// A server that never answers its first request and has a token for the others, and a world of its client.
pub fn silent_at_first() -> (FakeServer, Cached) {
    let token =
        r#"{"access_token":"eyJ","expires_in":300,"token_type":"Bearer","scope":"openid transcribe"}"#;
    let server = FakeServer::start(vec![Answer::Silence, Answer::json(token)]);
    let world = Cached::new(World::client_of(&server.environment));
    (server, world)
}

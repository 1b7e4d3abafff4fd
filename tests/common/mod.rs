//! The closed world that the tests run the real binary in: no inherited environment, a home of their own, a fixed
//! width, and what is real where it matters: a sandbox process, a gnome-keyring.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command as Process, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use serde_json::Value;

pub mod cached;
pub mod chatter;
pub mod control;
pub mod diagnosis;
pub mod keycloak;
#[cfg(unix)]
pub mod killer;
pub mod ready;
pub mod rude;
pub mod saved;
pub mod shell;

/// The binary under test.
pub fn binary() -> PathBuf {
    assert_cmd::cargo::cargo_bin("corti-auth")
}

/// A variable of the test run.
#[expect(clippy::disallowed_methods, reason = "tests have no Host")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The search path, the one thing that is inherited.
pub fn path() -> String {
    variable("PATH").unwrap()
}

/// The time now.
#[expect(clippy::disallowed_methods, reason = "tests have no Host")]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// A home folder, and the variables that commands get.
pub struct World {
    home: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl World {
    /// A home with nothing in it: no keyring, no bus, no network but this machine.
    pub fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut world = Self { home, variables: Vec::new() };
        for (name, folder) in
            [("HOME", ""), ("XDG_CONFIG_HOME", "config"), ("XDG_RUNTIME_DIR", "run"), ("TMPDIR", "tmp")]
        {
            let path = world.home.path().join(folder);
            std::fs::create_dir_all(&path).unwrap();
            world.set(name, &path.display().to_string());
        }
        world.set("PATH", &path());
        world.set("COLUMNS", "100");
        // The kernel keyring is the user's own, whatever the home is.
        world.set("CORTI_AUTH_NO_CACHE", "1");
        world
    }

    /// A world whose commands reach `keyring`.
    pub fn with_keyring(keyring: &Keyring) -> Self {
        let mut world = Self::new();
        world.set("DBUS_SESSION_BUS_ADDRESS", &keyring.address);
        world
    }

    /// Sets a variable for every command.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Sets the variables that name the sandbox's client.
    pub fn use_client(&mut self, sandbox: &Sandbox) {
        for (name, value) in sandbox.variables() {
            self.set(name, value);
        }
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn config_folder(&self) -> PathBuf {
        self.home.path().join("config/corti-auth")
    }

    pub fn config(&self) -> String {
        std::fs::read_to_string(self.config_folder().join("config.toml")).unwrap_or_default()
    }

    pub fn write_config(&self, text: &str) {
        std::fs::create_dir_all(self.config_folder()).unwrap();
        std::fs::write(self.config_folder().join("config.toml"), text).unwrap();
    }

    /// Writes a file into the home and names it.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.home.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    /// The binary with `arguments`, words separated by spaces.
    pub fn run(&self, arguments: &str) -> Command {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        self.run_words(&words)
    }

    /// The binary with `arguments`.
    pub fn run_words(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.args(arguments).timeout(Duration::from_secs(60));
        command
    }

    /// Starts the binary and leaves it running, its standard input open.
    pub fn start(&self, arguments: &str) -> Running {
        let mut command = Process::new(binary());
        command.env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.args(arguments.split_whitespace());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Running(command.spawn().unwrap())
    }

    /// Another program in this world.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.timeout(Duration::from_secs(60));
        command
    }

    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// A command under way, killed when it is dropped.
pub struct Running(pub Child);

impl Running {
    /// Presses Ctrl-C.
    pub fn interrupt(&self) {
        signal(self.0.id(), "INT");
    }

    /// Its exit code, once it has ended.
    pub fn wait(&mut self) -> Option<i32> {
        let mut status = None;
        wait_until("the command ends", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends a signal by its name, and says whether the process was there to take it.
pub fn signal(process: u32, name: &str) -> bool {
    let mut kill = Process::new("kill");
    kill.arg(format!("-{name}")).arg(process.to_string()).stderr(Stdio::null()).status().unwrap().success()
}

/// What a command said, for tests that look at more than one stream.
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

    /// stdout as the one JSON object it must be.
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

/// A running `corti-auth sandbox`, stopped when it is dropped.
pub struct Sandbox {
    child: Child,
    folder: tempfile::TempDir,
    pub environment: String,
    pub tenant: String,
    pub client_id: String,
    pub client_secret: String,
}

impl Sandbox {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one whose client has this secret.
    pub fn with_secret(secret: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, secret).unwrap();
        Self::start_with(&["--secret-file", path.to_str().unwrap()])
    }

    pub fn start_with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ready = folder.path().join("ready.json");
        let child = Process::new(binary())
            .env_clear()
            .arg("sandbox")
            .arg("--ready-file")
            .arg(&ready)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        wait_until("the sandbox is ready", || ready.exists());
        let ready: Value = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
        let field = |name: &str| ready[name].as_str().unwrap().to_owned();
        Self {
            child,
            folder,
            environment: field("environment"),
            tenant: field("tenant"),
            client_id: field("client_id"),
            client_secret: field("client_secret"),
        }
    }

    pub fn ready_file(&self) -> PathBuf {
        self.folder.path().join("ready.json")
    }

    pub fn variables(&self) -> [(&'static str, &str); 4] {
        [
            ("CORTI_ENVIRONMENT", &self.environment),
            ("CORTI_TENANT_NAME", &self.tenant),
            ("CORTI_CLIENT_ID", &self.client_id),
            ("CORTI_CLIENT_SECRET", &self.client_secret),
        ]
    }

    pub fn token_url(&self) -> String {
        format!("{}/realms/{}/protocol/openid-connect/token", self.environment, self.tenant)
    }

    /// The process id, for signals.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> std::process::ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A private session bus, with a gnome-keyring in the asked state (see `scripts/with-keyring`); both end when it is
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

/// Waits for something that another process does, within bounds that no healthy machine reaches.
pub fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < Duration::from_secs(30), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A JWT with these parts and a signature that nobody made.
pub fn forged(header: &Value, claims: &Value) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}.c2lnbmF0dXJl", encode(header), encode(claims))
}

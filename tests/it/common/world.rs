//! An empty home, and the commands that run there.

use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::time::Duration;

use assert_cmd::Command;

use super::{Keyring, PASSPHRASE, Running, Sandbox, binary, chmod, path};

/// A home folder, and the variables that commands get.
pub struct World {
    home: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl World {
    /// An empty home: no keyring, no bus.
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
        // The kernel's keyring belongs to the user, not to the home.
        world.set("CORTI_AUTH_NO_CACHE", "1");
        world
    }

    /// A world with this keyring.
    pub fn with_keyring(keyring: &Keyring) -> Self {
        let mut world = Self::new();
        world.set("DBUS_SESSION_BUS_ADDRESS", &keyring.address);
        world
    }

    /// A world whose variables name the sandbox's client.
    pub fn of(sandbox: &Sandbox) -> Self {
        let mut world = Self::new();
        world.use_client(sandbox);
        world
    }

    /// A world whose variables name a client of `environment`, with the secret `canary-7`.
    pub fn client_of(environment: &str) -> Self {
        let mut world = Self::new();
        world.set("CORTI_ENVIRONMENT", environment);
        world.set("CORTI_CLIENT_ID", "x");
        world.set("CORTI_CLIENT_SECRET", "canary-7");
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
        let (folder, file) = (self.config_folder(), self.config_folder().join("config.toml"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&file, text).unwrap();
        // With some umasks the group could write, which is refused.
        for (path, mode) in [(folder, 0o700), (file, 0o600)] {
            chmod(path, mode);
        }
    }

    /// Writes a file into the home and returns its path.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.home.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    /// The same, with a file that only its owner can read.
    pub fn private_file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.file(name, bytes);
        chmod(&path, 0o600);
        path
    }

    /// Makes a pipe in the home and returns its path.
    #[cfg(unix)]
    pub fn pipe(&self, name: &str) -> String {
        let path = self.home.path().join(name).display().to_string();
        self.program("mkfifo").args(["-m", "600", &path]).assert().success();
        path
    }

    /// Sets the file with the passphrase of encrypted files.
    pub fn use_passphrase(&mut self) {
        let path = self.private_file("passphrase", PASSPHRASE);
        self.set("CORTI_AUTH_PASSPHRASE_FILE", &path);
    }

    /// The binary with `arguments`, which are split at spaces.
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

    /// Starts the binary with its standard input open, and does not wait for it.
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

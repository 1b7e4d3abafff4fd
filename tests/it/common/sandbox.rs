//! The sandbox as a process of its own.

use std::path::PathBuf;
use std::process::{Command as Process, Stdio};

use serde_json::Value;

use super::{Running, binary, wait_until};

/// A running `corti-auth sandbox`, stopped when it is dropped.
pub struct Sandbox {
    process: Running,
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
            process: Running(child),
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
        self.process.0.id()
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> std::process::ExitStatus {
        self.process.end()
    }
}

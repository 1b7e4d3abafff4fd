//! What the tests run the real binary in: no inherited environment, a home of its own, a fixed width, and real peers
//! such as a sandbox process and a gnome-keyring.

use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

#[cfg(target_os = "linux")]
pub mod cached;
#[cfg(target_os = "linux")]
pub mod clients;
pub mod control;
pub mod diagnosis;
pub mod echo;
#[cfg(target_os = "linux")]
pub mod engine;
#[cfg(target_os = "linux")]
pub mod fake_corti;
pub mod fake_server;
pub mod flood_server;
pub mod gateway;
#[cfg(target_os = "linux")]
pub mod hosts;
pub mod idp;
pub mod keycloak;
pub mod keyring;
#[cfg(unix)]
pub mod killer;
#[cfg(target_os = "linux")]
pub mod lines;
pub mod pass;
mod process;
pub mod ready;
pub mod recorder;
mod sandbox;
pub mod saved;
pub mod scripted_websocket;
#[cfg(unix)]
pub mod shell;
mod world;

pub use keyring::Keyring;
#[cfg(target_os = "linux")]
pub use process::raise_file_limit;
pub use process::{Running, Said, memory};
pub use sandbox::Sandbox;
pub use world::World;

/// The passphrase of encrypted files.
pub const PASSPHRASE: &str = "correct horse battery staple";

/// The binary under test.
pub fn binary() -> PathBuf {
    assert_cmd::cargo::cargo_bin("corti-auth")
}

/// A variable of the test run.
#[expect(clippy::disallowed_methods, reason = "tests have no Host")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The search path, the only variable that is inherited.
pub fn path() -> String {
    variable("PATH").unwrap()
}

#[expect(clippy::disallowed_methods, reason = "tests have no Host")]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Far longer than a healthy machine needs for anything that a test waits for.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until something happens in another process, and returns how long that took.
pub fn wait_until(what: &str, mut happened: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
    started.elapsed()
}

/// Sends a signal by its name, and returns whether the process still existed.
pub fn signal(process: u32, name: &str) -> bool {
    let mut kill = Process::new("kill");
    kill.arg(format!("-{name}")).arg(process.to_string()).stderr(Stdio::null()).status().unwrap().success()
}

/// Sets the mode of a file or folder, where the system has modes.
pub fn chmod(path: impl AsRef<Path>, mode: u32) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = (path, mode);
}

/// A forged access token of the tenant `base` of this environment.
pub fn forged_token(environment: &str, scope: &str) -> String {
    let issuer = format!("{environment}/realms/base");
    let claims = json!({ "typ": "Bearer", "iss": issuer, "exp": 9_999_999_999_i64, "scope": scope });
    forged(&json!({ "alg": "RS256" }), &claims)
}

/// A JWT with these parts and an invalid signature.
pub fn forged(header: &Value, claims: &Value) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}.c2lnbmF0dXJl", encode(header), encode(claims))
}

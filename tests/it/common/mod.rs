//! The closed world that the tests run the real binary in: no inherited environment, a home of their own, a fixed
//! width, and what is real where it matters: a sandbox process, a gnome-keyring.

use std::path::PathBuf;
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

pub mod cached;
pub mod chatter;
pub mod control;
pub mod diagnosis;
pub mod echo;
pub mod flooder;
pub mod keycloak;
pub mod keyring;
#[cfg(unix)]
pub mod killer;
#[cfg(unix)]
pub mod pass;
mod process;
pub mod ready;
pub mod rude;
mod sandbox;
pub mod saved;
pub mod shell;
mod world;

pub use keyring::Keyring;
pub use process::{Running, Said};
pub use sandbox::Sandbox;
pub use world::World;

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

/// Waits for something that another process does, within bounds that no healthy machine reaches.
pub fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < Duration::from_secs(30), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a signal by its name, and says whether the process was there to take it.
pub fn signal(process: u32, name: &str) -> bool {
    let mut kill = Process::new("kill");
    kill.arg(format!("-{name}")).arg(process.to_string()).stderr(Stdio::null()).status().unwrap().success()
}

/// A JWT with these parts and a signature that nobody made.
pub fn forged(header: &Value, claims: &Value) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}.c2lnbmF0dXJl", encode(header), encode(claims))
}

//! API keys, and the keys of tickets and engines.

use std::fmt::Display;
use std::io::ErrorKind;
use std::path::Path;

use serde_json::json;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::domain::client::secret::Secret;
use crate::domain::gateway::caller::KEY_PREFIX;
use crate::domain::gateway::config::Config;
use crate::domain::gateway::ticket::{Keys, MIN_KEY_BYTES};
use crate::domain::text::shell::quote;
use crate::edge::{loopback, mounted_secret};
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

/// The longest key of tickets, in bytes.
const LONGEST_KEY: usize = 4096;

fn no_random(error: getrandom::Error) -> Failure {
    Failure::new(Kind::Unexpected, format!("the operating system gave no random bytes: {error}"))
}

/// A new API key, and its SHA-256 in hex.
pub(super) fn api_key() -> Result<(Secret, String), Failure> {
    let random = [loopback::random_text().map_err(no_random)?, loopback::random_text().map_err(no_random)?];
    let key = Secret::new(format!("{KEY_PREFIX}{}{}", random[0].expose(), random[1].expose()));
    let hex = format!("{:x}", Sha256::digest(key.expose().as_bytes()));
    Ok((key, hex))
}

/// `--new-key`.
pub(super) fn new_key(name: &str) -> Result<Outcome, Failure> {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_bare) {
        let message = format!("`{name}` is not a key's name: use letters, digits, - and _");
        return Err(Failure::new(Kind::Usage, message).hint("corti-auth serve --new-key batch"));
    }
    let (key, sha256) = api_key()?;
    // A table of its own: it can be appended to any serve.toml.
    let lines = format!("[keys.{name}]\nsha256 = \"{sha256}\"\ngroups = [\"{name}\"]");
    let advice = "Give the key above to the caller; it is not shown again. Add this to serve.toml:";
    let text = format!("{}\n\n# {advice}\n{lines}", key.expose());
    let json = json!({ "name": name, "sha256": sha256, "lines": lines });
    Ok(Outcome {
        secret: Some(("key", key)),
        ..Outcome::new("serve_key", json, Text::Datum(Secret::new(text)))
    })
}

/// The keys of tickets that the configuration names, or a random one.
pub(super) fn of_tickets(config: &Config) -> Result<Keys, Failure> {
    let Some(files) = &config.ticket else {
        let mut key = Zeroizing::new([0; MIN_KEY_BYTES]);
        getrandom::fill(key.as_mut()).map_err(no_random)?;
        return Ok(Keys::new(&config.public_url, key.as_ref(), None));
    };
    let signing = read(&files.key_file, "ticket key")?;
    let old = files.old_key_file.as_deref().map(|path| read(path, "ticket key")).transpose()?;
    Ok(Keys::new(&config.public_url, &signing, old.as_ref().map(|key| key.as_slice())))
}

/// The SHA-256 of the engine's key, if forward-auth is on.
pub(super) fn of_engine(config: &Config) -> Result<Option<[u8; 32]>, Failure> {
    let Some(decide) = &config.decide else { return Ok(None) };
    let file = &decide.engine_key_file;
    let key = read(file, "engine key")?;
    let key = key.trim_ascii();
    if !key.iter().all(u8::is_ascii_graphic) {
        let reason = "it has spaces or characters other than printable ASCII";
        return Err(unusable(file, "engine key", reason).hint(make(file)));
    }
    Ok(Some(Sha256::digest(key).into()))
}

fn unusable(path: &Path, what: &str, reason: impl Display) -> Failure {
    let message = format!("cannot use the {what} in `{}`: {reason}", path.display());
    Failure::new(Kind::Configuration, message)
}

fn make(path: &Path) -> String {
    let path = quote(&path.display().to_string());
    format!("make one, the same for every replica: (umask 077; head -c 32 /dev/urandom | base64 > {path})")
}

/// Reads a key that all replicas share.
fn read(path: &Path, what: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let name = quote(&path.display().to_string());
    let bytes = mounted_secret::read(path, LONGEST_KEY).map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::NotFound => make(path),
            // The system's own error, not that others may read it.
            _ if error.raw_os_error().is_some() => {
                format!("the user of serve must be able to read it: ls -l {name}")
            }
            _ => format!("chmod 600 {name}"),
        };
        unusable(path, what, error).hint(hint)
    })?;
    if bytes.trim_ascii().len() < MIN_KEY_BYTES {
        return Err(unusable(path, what, format!("it has fewer than {MIN_KEY_BYTES} bytes")).hint(make(path)));
    }
    Ok(Zeroizing::new(bytes))
}

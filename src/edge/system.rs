//! Describes the machine for a support ticket, without anything about its user.

use std::path::Path;

use super::input;

/// The longest os-release(5) that is read, in bytes. It usually has less than 1 KB.
const LIMIT: usize = 64 * 1024;

/// The operating system, its name if it has one, and the processor.
pub fn describe() -> String {
    let (system, processor) = (std::env::consts::OS, std::env::consts::ARCH);
    let name = pretty_name().map(|name| format!(" ({name})")).unwrap_or_default();
    format!("{system}{name}, {processor}")
}

/// `PRETTY_NAME` of os-release(5).
fn pretty_name() -> Option<String> {
    let bytes = input::read_on_this_thread(Some(Path::new("/etc/os-release")), LIMIT).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim_matches(['"', '\'']).to_owned())
}

//! Standard output and standard error. No other file writes to them.

use std::io::{self, Write as _};

#[expect(clippy::disallowed_methods, reason = "the one place that may call it")]
pub(super) fn write_line(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush())
}

#[expect(clippy::disallowed_methods, reason = "the one place that may call it")]
pub(super) fn to_stderr(text: &str) {
    // There is no place to report an error.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Replaces the cursor's line.
#[expect(clippy::disallowed_methods, reason = "the one place that may call it")]
pub(super) fn overwrite(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "\r{text}\u{1b}[K").and_then(|()| stderr.flush());
}

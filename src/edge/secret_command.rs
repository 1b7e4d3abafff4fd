//! Reads a secret from another secret manager: runs the command that a profile names, and takes its output.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStderr, Command};
use zeroize::Zeroizing;

use crate::domain::client::secret::{ClientSecret, ClientSecretError, MAX_SECRET_FILE_BYTES, Secret};
use crate::domain::client::store_kind::SecretCommand;
use crate::domain::client::variable;
use crate::domain::text::duration::seconds;
use crate::domain::text::event::{Event, Sink};

use super::host::Env;
use super::prompt::TerminalGuard;
use super::{children, program};

/// How long a command may take. A person may be typing a passphrase.
const LIMIT: Duration = Duration::from_secs(30);

/// The delay before the message that says what is waited for.
const LONG: Duration = Duration::from_secs(1);

/// How much of its output is read: one byte more than a secret with its line break can have.
const OUTPUT_LIMIT: u64 = MAX_SECRET_FILE_BYTES as u64 + 1;

/// The most of its stderr that is passed on at once, in bytes, if there is no line break.
const LINE_LIMIT: usize = 4096;

/// How long to wait for the end of a line before it is passed on, since it may be a question.
const LINE_WAIT: Duration = Duration::from_millis(100);

/// How long its pipes are read after it has ended.
const GRACE: Duration = Duration::from_millis(200);

/// Why a command gave no secret. The first field is the program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// It was not started, for this reason.
    #[error("the secret command `{0}` cannot be run: {1}")]
    NotRun(String, String),
    /// It failed with this status (`exit status: 1`). The last line that it wrote to stderr.
    #[error("the secret command `{0}` failed ({1}): {2}")]
    Failed(String, String, String),
    /// It took too long, and was killed.
    #[error("the secret command `{}` did not finish within {} s", .0, LIMIT.as_secs())]
    TimedOut(String),
    /// Its output is not a secret, for this reason.
    #[error("the secret command `{0}` printed no usable secret: {1}")]
    NotASecret(String, ClientSecretError),
}

/// Runs `command` without a shell, with this process's standard input. Its stderr is passed on as it comes. Programs that it
/// leaves in the background are neither waited for nor killed.
pub(super) async fn run(
    command: &SecretCommand,
    env: &Env,
    sink: &dyn Sink,
) -> Result<ClientSecret, CommandError> {
    let name = || command.program().to_owned();
    let not_run = |error: io::Error| CommandError::NotRun(name(), error.to_string());
    // The command may change the terminal to ask for a passphrase, and be killed meanwhile.
    let terminal = TerminalGuard::for_program(env.has_plain_terminal());
    let mut started = Command::new(program::with_extension(command.program().as_ref(), env));
    for name in env.removed_from_program(variable::is_removed_from_programs, None) {
        started.env_remove(name);
    }
    started.args(command.words().iter().skip(1)).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (mut child, _started) = children::spawn(started.kill_on_drop(true)).map_err(not_run)?;
    let (mut output, mut last_line) = (Zeroizing::new(Vec::new()), String::new());
    let finish = finish(&mut child, command.program(), &mut output, &mut last_line, sink);
    let finish = telling(command.program(), &terminal, sink, finish);
    let finished = tokio::time::timeout(LIMIT, finish).await;
    let status = finished.map_err(|_| CommandError::TimedOut(name()))?.map_err(not_run)?;
    if let Ok(text) = std::str::from_utf8(&output) {
        // Also if it failed: stderr may repeat the output.
        sink.redactor().add(&Secret::new(text.trim_end().to_owned()));
    }
    // Checked before the status: a program with a longer output may have failed because nobody read it.
    if output.len() as u64 == OUTPUT_LIMIT {
        return Err(CommandError::NotASecret(name(), ClientSecretError::TooLong));
    }
    if !status.success() {
        let words = if last_line.is_empty() { "no message on stderr".to_owned() } else { last_line };
        return Err(CommandError::Failed(name(), status.to_string(), words));
    }
    ClientSecret::from_bytes(&output).map_err(|reason| CommandError::NotASecret(name(), reason))
}

/// Says that the command is waited for, if it takes long and has not changed the terminal to ask for something itself.
async fn telling<T>(
    program: &str,
    terminal: &TerminalGuard,
    sink: &dyn Sink,
    finish: impl Future<Output = T>,
) -> T {
    let mut finish = std::pin::pin!(finish);
    tokio::select! {
        finished = &mut finish => return finished,
        () = tokio::time::sleep(LONG) => {
            if !terminal.is_changed() {
                let limit = seconds(LIMIT);
                sink.event(Event::Note(format!("waiting for the secret command `{program}` (up to {limit})")));
            }
        }
    }
    finish.await
}

/// Reads until the command has ended and its pipes are closed, but at most [`GRACE`] longer than the command runs: a program
/// that it left in the background may keep the pipes open.
async fn finish(
    child: &mut Child,
    program: &str,
    output: &mut Vec<u8>,
    last_line: &mut String,
    sink: &dyn Sink,
) -> io::Result<ExitStatus> {
    let (stdout, stderr) = child.stdout.take().zip(child.stderr.take()).ok_or(io::ErrorKind::BrokenPipe)?;
    let mut stdout = stdout.take(OUTPUT_LIMIT);
    let reading = async {
        tokio::join!(stdout.read_to_end(output), pass_on(stderr, program, last_line, sink)).0.map(drop)
    };
    let mut reading = std::pin::pin!(reading);
    tokio::select! {
        read = &mut reading => {
            read?;
            child.wait().await
        }
        status = child.wait() => {
            if let Ok(read) = tokio::time::timeout(GRACE, &mut reading).await {
                read?;
            }
            status
        }
    }
}

/// Passes stderr on, line by line. A line without an end, such as a question, is passed on after [`LINE_WAIT`].
async fn pass_on(mut stderr: ChildStderr, program: &str, last: &mut String, sink: &dyn Sink) {
    let mut pending = Vec::new();
    loop {
        let read = tokio::time::timeout(LINE_WAIT, stderr.read_buf(&mut pending)).await;
        let has_ended = matches!(read, Ok(Ok(0) | Err(_)));
        if read.is_ok() && !has_ended && !pending.ends_with(b"\n") && pending.len() <= LINE_LIMIT {
            continue;
        }
        let text = String::from_utf8_lossy(&pending);
        for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
            sink.event(Event::Said(program.to_owned(), line.to_owned()));
            line.clone_into(last);
        }
        if has_ended {
            return;
        }
        pending.clear();
    }
}

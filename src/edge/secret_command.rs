//! Runs the command of a profile that keeps its secret in another secret manager, and takes what it prints.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::domain::event::{Event, Sink};
use crate::domain::secret::{ClientSecret, ClientSecretError, MAX_SECRET_BYTES};
use crate::domain::store_kind::SecretCommand;

/// How long a command may take. A person may be typing a passphrase into it.
const LIMIT: Duration = Duration::from_secs(30);

/// How much of its output is read: one byte more than a secret with its line break can have.
const OUTPUT_LIMIT: u64 = MAX_SECRET_BYTES as u64 + 3;

/// How many bytes of a line that it says on stderr are passed on.
const LINE_LIMIT: u64 = 4096;

/// Why a command gave no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// It could not be started.
    #[error("the secret command `{program}` cannot be run: {reason}")]
    NotRun {
        /// The program.
        program: String,
        /// Why not.
        reason: String,
    },
    /// It ended with a code that is not 0.
    #[error("the secret command `{program}` ended with {status}: {words}")]
    Failed {
        /// The program.
        program: String,
        /// `exit code 1`, `signal 9`.
        status: String,
        /// The last thing it said on stderr.
        words: String,
    },
    /// It took too long, and was ended.
    #[error("the secret command `{program}` was not done within {} s", LIMIT.as_secs())]
    TimedOut {
        /// The program.
        program: String,
    },
    /// What it printed is no secret.
    #[error("what the secret command `{program}` printed is not a client secret: {reason}")]
    NotASecret {
        /// The program.
        program: String,
        /// What is wrong with it.
        reason: ClientSecretError,
    },
}

/// Runs `command`, without a shell and with this terminal's standard input. What it says on stderr is passed on as it
/// comes.
///
/// # Errors
/// [`CommandError`], see its variants.
pub(super) async fn run(command: &SecretCommand, sink: &dyn Sink) -> Result<ClientSecret, CommandError> {
    let program = || command.program().to_owned();
    let not_run = |reason: String| CommandError::NotRun { program: program(), reason };
    let mut child = Command::new(command.program())
        .args(command.words().iter().skip(1))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| not_run(error.to_string()))?;
    let finished = tokio::time::timeout(LIMIT, finish(&mut child, command.program(), sink)).await;
    let finished = finished.map_err(|_| CommandError::TimedOut { program: program() })?;
    let (status, output, words) = finished.map_err(|error| not_run(error.to_string()))?;
    let output = zeroize::Zeroizing::new(output);
    // First: a program that had more to say was ended by the pipe that nobody read from.
    if output.len() as u64 == OUTPUT_LIMIT {
        return Err(CommandError::NotASecret { program: program(), reason: ClientSecretError::TooLong });
    }
    if !status.success() {
        let words = if words.is_empty() { "it said nothing".to_owned() } else { words };
        return Err(CommandError::Failed { program: program(), status: describe(status), words });
    }
    let secret = ClientSecret::from_bytes(&output);
    secret.map_err(|reason| CommandError::NotASecret { program: program(), reason })
}

/// Its status, what it printed, and the last line that it said on stderr.
async fn finish(
    child: &mut Child,
    program: &str,
    sink: &dyn Sink,
) -> std::io::Result<(std::process::ExitStatus, Vec<u8>, String)> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let read = async {
        let mut output = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(OUTPUT_LIMIT).read_to_end(&mut output).await?;
        }
        std::io::Result::Ok(output)
    };
    let (output, words, status) = tokio::join!(read, pass_on(stderr, program, sink), child.wait());
    Ok((status?, output?, words))
}

/// Passes lines on, and gives the last one.
async fn pass_on(stderr: Option<impl AsyncRead + Unpin>, program: &str, sink: &dyn Sink) -> String {
    let mut last = String::new();
    let Some(stderr) = stderr else { return last };
    let mut reader = BufReader::new(stderr);
    loop {
        let mut line = Vec::new();
        match (&mut reader).take(LINE_LIMIT).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return last,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        if !text.is_empty() {
            sink.event(Event::Note(format!("{program}: {text}")));
            last = text;
        }
    }
}

fn describe(status: std::process::ExitStatus) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt as _;
        if let Some(signal) = status.signal() {
            return format!("signal {signal}");
        }
    }
    status.code().map_or_else(|| "no exit code".to_owned(), |code| format!("exit code {code}"))
}

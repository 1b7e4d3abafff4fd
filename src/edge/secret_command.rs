//! Runs the command of a profile that keeps its secret in another secret manager, and takes what it prints.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use crate::domain::client::secret::{ClientSecret, ClientSecretError, MAX_SECRET_BYTES, Secret};
use crate::domain::client::store_kind::SecretCommand;
use crate::domain::client::variable;
use crate::domain::text::event::{Event, Sink};

use super::children;
use super::host::Env;
use super::prompt::TerminalGuard;

/// How long a command may take. A person may be typing a passphrase into it.
const LIMIT: Duration = Duration::from_secs(30);

/// How much of its output is read: one byte more than a secret with its line break can have.
const OUTPUT_LIMIT: u64 = MAX_SECRET_BYTES as u64 + 3;

/// How many bytes of what it says on stderr are passed on at once, whether its line is ended or not.
const LINE_LIMIT: usize = 4096;

/// How long a line may be unended before it is passed on.
const MOMENT: Duration = Duration::from_millis(100);

/// How long its pipes are read after it has ended.
const GRACE: Duration = Duration::from_millis(200);

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
    #[error("the secret command `{program}` failed ({status}): {words}")]
    Failed {
        /// The program.
        program: String,
        /// `exit status: 1`, as the system says it.
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
/// comes. What it starts in the background is neither waited for nor ended.
///
/// # Errors
/// [`CommandError`], see its variants.
pub(super) async fn run(
    command: &SecretCommand,
    env: &Env,
    sink: &dyn Sink,
) -> Result<ClientSecret, CommandError> {
    let program = || command.program().to_owned();
    let not_run = |reason: String| CommandError::NotRun { program: program(), reason };
    // It may ask for a passphrase, and be ended while it does.
    let _terminal = TerminalGuard::new();
    let mut started = Command::new(command.program());
    // Variables that hold a secret of ours.
    for name in env.removed_from_program(variable::is_removed_from_programs, None) {
        started.env_remove(name);
    }
    started.args(command.words().iter().skip(1)).stdout(Stdio::piped()).stderr(Stdio::piped());
    let spawned = children::spawn(started.kill_on_drop(true));
    let (mut child, _started) = spawned.map_err(|error| not_run(error.to_string()))?;
    let mut said = Said::default();
    let finished = tokio::time::timeout(LIMIT, finish(&mut child, command.program(), &mut said, sink)).await;
    let finished = finished.map_err(|_| CommandError::TimedOut { program: program() })?;
    let status = finished.map_err(|error| not_run(error.to_string()))?;
    if let Ok(text) = std::str::from_utf8(&said.output) {
        // Even of one that failed: its last words may repeat what it printed.
        sink.redactor().add(&Secret::new(text.trim_end().to_owned()));
    }
    // First: a program that had more to say was ended by the pipe that nobody read from.
    if said.output.len() as u64 == OUTPUT_LIMIT {
        return Err(CommandError::NotASecret { program: program(), reason: ClientSecretError::TooLong });
    }
    if !status.success() {
        let words = if said.last_line.is_empty() { "it said nothing".to_owned() } else { said.last_line };
        return Err(CommandError::Failed { program: program(), status: status.to_string(), words });
    }
    let secret = ClientSecret::from_bytes(&said.output);
    secret.map_err(|reason| CommandError::NotASecret { program: program(), reason })
}

/// What a command said so far.
#[derive(Default)]
struct Said {
    output: Zeroizing<Vec<u8>>,
    last_line: String,
}

/// Reads until the command has ended and its pipes are closed, or a moment longer than it: a program that it left in the
/// background may hold them open.
async fn finish(
    child: &mut Child,
    program: &str,
    said: &mut Said,
    sink: &dyn Sink,
) -> std::io::Result<ExitStatus> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let Said { output, last_line } = said;
    let reading = async {
        let read = async {
            match stdout {
                Some(stdout) => stdout.take(OUTPUT_LIMIT).read_to_end(output).await.map(drop),
                None => Ok(()),
            }
        };
        tokio::join!(read, pass_on(stderr, program, last_line, sink)).0
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

/// Passes on what is said, line by line; a line that is not ended, such as a question, after a moment.
async fn pass_on(stderr: Option<impl AsyncRead + Unpin>, program: &str, last: &mut String, sink: &dyn Sink) {
    let Some(mut stderr) = stderr else { return };
    let (mut pending, mut chunk) = (Vec::new(), [0; 1024]);
    let mut tell = |bytes: &[u8]| {
        for line in String::from_utf8_lossy(bytes).lines().map(str::trim_end).filter(|line| !line.is_empty())
        {
            sink.event(Event::Said(program.to_owned(), line.to_owned()));
            line.clone_into(last);
        }
    };
    loop {
        let read = stderr.read(&mut chunk);
        let count = if pending.is_empty() {
            read.await
        } else if let Ok(count) = tokio::time::timeout(MOMENT, read).await {
            count
        } else {
            tell(&std::mem::take(&mut pending));
            continue;
        };
        match count {
            Ok(0) | Err(_) => return tell(&pending),
            Ok(count) => pending.extend_from_slice(chunk.get(..count).unwrap_or_default()),
        }
        if pending.ends_with(b"\n") || pending.len() > LINE_LIMIT {
            tell(&std::mem::take(&mut pending));
        }
    }
}

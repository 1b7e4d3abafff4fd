//! Questions to a person, on the terminal, by dialoguer.
//!
//! Each question runs on a thread of its own, so that Ctrl-C can end the wait. A guard restores the terminal afterwards.

use std::io;
#[cfg(unix)]
use std::io::Write as _;
use std::str::FromStr;
use std::time::Duration;

use dialoguer::console::Term;
use dialoguer::{Confirm, Input, Select};
#[cfg(unix)]
use rustix::{
    stdio::stdin,
    termios::{OptionalActions, Termios, tcgetattr, tcsetattr},
};
use zeroize::Zeroizing;

use super::thread;

#[cfg(unix)]
mod hidden;

/// How long a question's thread may take until it reads from the terminal.
const MODE_CHANGE: Duration = Duration::from_millis(20);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// The person pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The terminal cannot be used.
    #[error("the terminal gave no answer: {0}")]
    Terminal(String),
}

/// Asks for one of `choices`, and returns its index.
pub async fn select(question: &'static str, choices: &'static [&'static str]) -> Result<usize, PromptError> {
    ask(move || {
        Select::new()
            .with_prompt(question)
            .items(choices)
            .default(0)
            .report(true)
            .interact_on(&Term::stderr())
    })
    .await
}

/// Asks for a line of text, until it can be parsed.
pub async fn text<T>(question: &'static str, default: Option<T>) -> Result<T, PromptError>
where
    T: Clone + ToString + FromStr<Err: ToString> + Send + 'static,
{
    ask(move || {
        let mut input = Input::<T>::new().with_prompt(question);
        if let Some(default) = default {
            input = input.default(default);
        }
        input.interact_text_on(&Term::stderr())
    })
    .await
}

/// Asks a yes-no question. Enter alone means no.
pub async fn confirm(question: String) -> Result<bool, PromptError> {
    ask(move || {
        let question = Confirm::new().with_prompt(question).default(false);
        question.wait_for_newline(true).report(true).interact_on(&Term::stderr())
    })
    .await
}

/// Asks for a line of text that is not shown.
#[cfg(unix)]
pub async fn password(question: &'static str) -> Result<Zeroizing<String>, PromptError> {
    // Before the question is shown: nothing that is typed after it is lost or shown.
    let (guard, line) = hidden::begin().map_err(|error| failed(&error))?;
    answer(guard, move || {
        let mut term = Term::stderr();
        write!(term, "{question}: ")?;
        let answer = line.read();
        writeln!(term)?;
        Ok(answer?)
    })
    .await
}

/// Asks for a line of text that is not shown.
#[cfg(not(unix))]
pub async fn password(question: &'static str) -> Result<Zeroizing<String>, PromptError> {
    use std::io::Write as _;

    use dialoguer::console::Key;

    use crate::domain::client::secret::MAX_SECRET_BYTES;

    ask(move || {
        let mut term = Term::stderr();
        write!(term, "{question}: ")?;
        // Not dialoguer's own `Password`: it ignores Backspace on Windows (console 0.16.6).
        // It has room for the longest secret: a string that grows leaves copies in freed memory.
        let mut text = Zeroizing::new(String::with_capacity(MAX_SECRET_BYTES));
        loop {
            match term.read_key()? {
                Key::Enter if !text.is_empty() => break,
                Key::Backspace => drop(text.pop()),
                Key::Escape => text.clear(),
                Key::Char(char) => text.push(char),
                _ => {}
            }
        }
        writeln!(term)?;
        Ok(text)
    })
    .await
}

async fn ask<T: Send + 'static>(
    question: impl FnOnce() -> dialoguer::Result<T> + Send + 'static,
) -> Result<T, PromptError> {
    answer(TerminalGuard::new(), question).await
}

async fn answer<T: Send + 'static>(
    mut guard: TerminalGuard,
    question: impl FnOnce() -> dialoguer::Result<T> + Send + 'static,
) -> Result<T, PromptError> {
    guard.is_asking = true;
    let answer = thread::on_a_thread(question).await;
    guard.is_asking = false;
    let answer = answer.ok_or_else(|| PromptError::Terminal("the question was given up".to_owned()))?;
    answer.map_err(|dialoguer::Error::IO(error)| failed(&error))
}

fn failed(error: &io::Error) -> PromptError {
    match error.kind() {
        io::ErrorKind::Interrupted => PromptError::Interrupted,
        _ => PromptError::Terminal(error.to_string()),
    }
}

/// Restores the terminal's mode and cursor when it is dropped: after the answer, or when a signal ends the wait.
pub(super) struct TerminalGuard {
    /// The terminal's mode, and whether restoring it discards what was typed and not read.
    #[cfg(unix)]
    mode: Option<(Termios, OptionalActions)>,
    /// Whether a question's thread still reads from the terminal.
    is_asking: bool,
}

impl TerminalGuard {
    pub(super) fn new() -> Self {
        Self {
            #[cfg(unix)]
            mode: tcgetattr(stdin()).ok().map(|mode| (mode, OptionalActions::Now)),
            is_asking: false,
        }
    }
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        // A question that has just begun may still be about to change the mode.
        if self.is_asking {
            std::thread::sleep(MODE_CHANGE);
        }
        // Otherwise the control sequence would be in a log.
        if Term::stderr().is_term() {
            let _ = Term::stderr().show_cursor();
        }
        #[cfg(unix)]
        if let Some((mode, when)) = &self.mode {
            let _ = tcsetattr(stdin(), *when, mode);
        }
    }
}

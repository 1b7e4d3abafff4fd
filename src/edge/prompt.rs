//! Questions to a person, on the terminal, by dialoguer.
//!
//! Each question runs on a thread of its own, so that Ctrl-C can end the wait. A guard puts the terminal back afterwards.

use std::io;
#[cfg(unix)]
use std::io::Write as _;
use std::str::FromStr;
use std::time::Duration;

use dialoguer::console::Term;
use dialoguer::{Confirm, Input, Select};

use super::thread;

#[cfg(unix)]
mod hidden;

/// How long a question's thread may take to get to the terminal's read.
const MOMENT: Duration = Duration::from_millis(20);

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

/// One of `choices`, by its place.
///
/// # Errors
/// [`PromptError`], see its variants.
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

/// A line of text that can be parsed; the question is put again until it can.
///
/// # Errors
/// [`PromptError`], see its variants.
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

/// Yes or no; no where only Enter is pressed.
///
/// # Errors
/// [`PromptError`], see its variants.
pub async fn confirm(question: String) -> Result<bool, PromptError> {
    ask(move || {
        let question = Confirm::new().with_prompt(question).default(false);
        question.wait_for_newline(true).report(true).interact_on(&Term::stderr())
    })
    .await
}

/// A line of text that is not shown.
///
/// # Errors
/// [`PromptError`], see its variants.
#[cfg(unix)]
pub async fn password(question: &'static str) -> Result<String, PromptError> {
    // In this order: nothing that is typed once the question is seen is lost, or shown.
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

/// A line of text that is not shown.
///
/// # Errors
/// [`PromptError`], see its variants.
#[cfg(not(unix))]
pub async fn password(question: &'static str) -> Result<String, PromptError> {
    use dialoguer::Password;
    ask(move || Password::new().with_prompt(question).report(false).interact_on(&Term::stderr())).await
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
    let answer = thread::beside(question).await;
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

/// Puts the terminal's mode and cursor back when it is dropped: after the answer, or when a signal ends the wait for it.
pub(super) struct TerminalGuard {
    #[cfg(unix)]
    mode: Option<rustix::termios::Termios>,
    /// Whether what was typed and not read is discarded.
    #[cfg(unix)]
    discards: bool,
    /// Whether a question's thread still sits in the terminal's read.
    is_asking: bool,
}

impl TerminalGuard {
    pub(super) fn new() -> Self {
        Self {
            #[cfg(unix)]
            mode: rustix::termios::tcgetattr(rustix::stdio::stdin()).ok(),
            #[cfg(unix)]
            discards: false,
            is_asking: false,
        }
    }
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        // A question that was only just put may be about to change the mode. That has to come first.
        if self.is_asking {
            std::thread::sleep(MOMENT);
        }
        // Off a terminal the sequence would be text in somebody's log.
        if Term::stderr().is_term() {
            let _ = Term::stderr().show_cursor();
        }
        #[cfg(unix)]
        if let Some(mode) = &self.mode {
            use rustix::termios::{OptionalActions, tcsetattr};
            let when = if self.discards { OptionalActions::Flush } else { OptionalActions::Now };
            let _ = tcsetattr(rustix::stdio::stdin(), when, mode);
        }
    }
}

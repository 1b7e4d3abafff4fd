//! Questions to a person, on the terminal, by dialoguer.
//!
//! Each question runs on a thread of its own, so that Ctrl-C can end the wait. Whatever state the terminal was in
//! before the question, it is in afterwards.

use std::io;
#[cfg(unix)]
use std::io::Write as _;
use std::time::Duration;

use dialoguer::console::Term;
use dialoguer::{Confirm, Input, Select};

use super::thread;

#[cfg(unix)]
mod hidden;

/// How long a question's thread is given to get to the terminal's read.
const MOMENT: Duration = Duration::from_millis(20);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
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

/// A line of text that `check` accepts; the question is put again until it does.
///
/// # Errors
/// [`PromptError`], see its variants.
pub async fn text(
    question: &'static str,
    default: Option<String>,
    check: impl Fn(&str) -> Result<(), String> + Send + 'static,
) -> Result<String, PromptError> {
    ask(move || {
        let mut input = Input::<String>::new().with_prompt(question);
        if let Some(default) = default {
            input = input.default(default);
        }
        input.validate_with(move |text: &String| check(text)).interact_text_on(&Term::stderr())
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
    let hidden = hidden::Hidden::begin().map_err(|error| told(&error))?;
    let line = hidden.line();
    attend(hidden, move || {
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
    attend(TerminalState::save(), question).await
}

/// Puts a question; `terminal` puts the terminal back.
async fn attend<T: Send + 'static>(
    terminal: impl Sized,
    question: impl FnOnce() -> dialoguer::Result<T> + Send + 'static,
) -> Result<T, PromptError> {
    let mut attended = Attended { is_answered: false, _terminal: terminal };
    let answer = thread::beside(question).await;
    attended.is_answered = true;
    drop(attended);
    let answer = answer.ok_or_else(|| PromptError::Terminal("the question was given up".to_owned()))?;
    answer.map_err(|dialoguer::Error::IO(error)| told(&error))
}

/// A question that stands on the terminal. It is dropped, too, when the caller stops waiting: then its thread still sits in
/// the terminal's read.
struct Attended<T> {
    is_answered: bool,
    _terminal: T,
}

impl<T> Drop for Attended<T> {
    fn drop(&mut self) {
        // Only just put, it may be about to change the terminal's mode. That is to come before the mode is put back.
        if !self.is_answered {
            std::thread::sleep(MOMENT);
        }
    }
}

fn told(error: &io::Error) -> PromptError {
    match error.kind() {
        io::ErrorKind::Interrupted => PromptError::Interrupted,
        _ => PromptError::Terminal(error.to_string()),
    }
}

/// The terminal's mode and cursor, put back when it is dropped.
pub(super) struct TerminalState {
    #[cfg(unix)]
    mode: Option<rustix::termios::Termios>,
}

impl TerminalState {
    pub(super) fn save() -> Self {
        Self {
            #[cfg(unix)]
            mode: rustix::termios::tcgetattr(rustix::stdio::stdin()).ok(),
        }
    }
}

impl Drop for TerminalState {
    fn drop(&mut self) {
        // Off a terminal the sequence would be text in somebody's log.
        if Term::stderr().is_term() {
            let _ = Term::stderr().show_cursor();
        }
        #[cfg(unix)]
        if let Some(mode) = &self.mode {
            use rustix::termios::{OptionalActions, tcsetattr};
            let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, mode);
        }
    }
}

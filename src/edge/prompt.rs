//! Questions to a person, on the terminal, by dialoguer.
//!
//! Each question runs on a thread of its own, so that Ctrl-C can end the wait. A guard restores the terminal afterwards.

#[cfg(not(unix))]
use std::fmt::Display;
use std::io;
use std::io::Write as _;
use std::str::FromStr;
#[cfg(unix)]
use std::sync::Arc;
use std::time::Duration;

use dialoguer::console::Term;
use dialoguer::{Input, Select};
#[cfg(unix)]
use rustix::{
    stdio::stdin,
    termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr},
};
use zeroize::Zeroizing;

use super::{input, thread};

#[cfg(unix)]
mod hidden;
#[cfg(unix)]
mod paste;

/// How long a question's thread may take until it reads from the terminal.
const MODE_CHANGE: Duration = Duration::from_millis(20);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// The person pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The terminal cannot be used.
    #[error("cannot read from the terminal: {0}")]
    Terminal(String),
}

/// Asks questions that are answered in plain sight.
#[derive(Clone, Copy, Debug)]
pub struct Questions {
    /// One line after the other, without moving the cursor: a screen reader reads them in order.
    pub plain: bool,
}

impl Questions {
    /// Asks for one of `choices`, and returns its index.
    pub async fn select(self, question: &str, choices: Vec<String>) -> Result<usize, PromptError> {
        if self.plain {
            let lines: Vec<_> =
                (1..).zip(&choices).map(|(number, it)| format!("  {number}. {it}\n")).collect();
            let question = format!("{question}:\n{}Number [1]", lines.concat());
            return answer(TerminalGuard::new(), move || {
                parsed_line(&question, |line| match line.parse::<usize>() {
                    _ if line.is_empty() => Ok(0),
                    Ok(number) if (1..=choices.len()).contains(&number) => Ok(number - 1),
                    _ => Err(format!("type a number from 1 to {}", choices.len())),
                })
            })
            .await;
        }
        let question = question.to_owned();
        answer(TerminalGuard::new().hiding_cursor(true), move || {
            let select = Select::new().with_prompt(question).items(&choices).default(0).report(true);
            select.interact_on(&Term::stderr())
        })
        .await
    }

    /// Asks for a line of text, until it can be parsed.
    pub async fn text<T>(self, question: &'static str, default: Option<T>) -> Result<T, PromptError>
    where
        T: Clone + ToString + FromStr<Err: ToString> + Send + 'static,
    {
        answer(TerminalGuard::new(), move || {
            if self.plain {
                let shown = default.as_ref().map(|it| format!(" [{}]", it.to_string()));
                return parsed_line(
                    &format!("{question}{}", shown.unwrap_or_default()),
                    |line| match &default {
                        Some(default) if line.is_empty() => Ok(default.clone()),
                        _ => line.parse().map_err(|error: T::Err| error.to_string()),
                    },
                );
            }
            let mut input = Input::<T>::new().with_prompt(question);
            if let Some(default) = default {
                input = input.default(default);
            }
            input.interact_text_on(&Term::stderr())
        })
        .await
    }

    /// Asks a yes-no question. Enter alone means no.
    pub async fn confirm(self, question: &str) -> Result<bool, PromptError> {
        let question = format!("{question} [y/N]");
        answer(TerminalGuard::new(), move || {
            if self.plain {
                return parsed_line(&question, yes_or_no);
            }
            // Not dialoguer's own `Confirm`, which does not show what is typed.
            let input = Input::<String>::new().with_prompt(question).allow_empty(true);
            let line = input.validate_with(|line: &String| yes_or_no(line).map(drop));
            Ok(yes_or_no(&line.interact_text_on(&Term::stderr())?).unwrap_or(false))
        })
        .await
    }
}

fn yes_or_no(line: &str) -> Result<bool, String> {
    match line.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(true),
        "" | "n" | "no" => Ok(false),
        _ => Err("type y or n".to_owned()),
    }
}

/// Asks for a line as the terminal itself reads it, until it can be parsed.
fn parsed_line<T>(question: &str, parse: impl Fn(&str) -> Result<T, String>) -> dialoguer::Result<T> {
    let mut term = Term::stderr();
    loop {
        write!(term, "{question}: ")?;
        match parse(input::line()?.trim()) {
            Ok(answer) => return Ok(answer),
            Err(reason) => writeln!(term, "{reason}")?,
        }
    }
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

/// Asks for a text, such as a `token`, that is pasted and not shown. `is_whole` tells whether one line is all of it. What is pasted
/// beyond the end is discarded: it must not reach the shell.
#[cfg(unix)]
pub async fn paste(
    what: &'static str,
    plain: bool,
    is_whole: fn(&str) -> bool,
) -> Result<Zeroizing<String>, PromptError> {
    let (guard, text) = paste::begin(!plain, &Term::stderr()).map_err(|error| failed(&error))?;
    answer(guard, move || {
        let mut term = Term::stderr();
        write!(term, "Paste the {what}, then Enter: ")?;
        let answer = text
            .read(is_whole, || write!(term, "\nNot a whole {what} yet. Paste the rest, or press Ctrl-D: "));
        writeln!(term)?;
        Ok(answer?)
    })
    .await
}

/// Asks for a text that is pasted and not shown: one line.
#[cfg(not(unix))]
pub async fn paste(
    what: &'static str,
    _plain: bool,
    _is_whole: fn(&str) -> bool,
) -> Result<Zeroizing<String>, PromptError> {
    password(format!("Paste the {what}, then Enter")).await
}

/// Asks for a line of text that is not shown.
#[cfg(not(unix))]
pub async fn password(question: impl Display + Send + 'static) -> Result<Zeroizing<String>, PromptError> {
    use dialoguer::console::Key;

    use crate::domain::client::secret::MAX_SECRET_BYTES;

    answer(TerminalGuard::new(), move || {
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

async fn answer<T: Send + 'static>(
    mut guard: TerminalGuard,
    question: impl FnOnce() -> dialoguer::Result<T> + Send + 'static,
) -> Result<T, PromptError> {
    guard.is_asking = true;
    let answer = thread::on_a_thread(question).await;
    guard.is_asking = false;
    let answer = answer.ok_or_else(|| PromptError::Terminal("the thread that asked ended".to_owned()))?;
    answer.map_err(|dialoguer::Error::IO(error)| failed(&error))
}

fn failed(error: &io::Error) -> PromptError {
    match error.kind() {
        io::ErrorKind::Interrupted => PromptError::Interrupted,
        _ => PromptError::Terminal(error.to_string()),
    }
}

/// Restores the terminal when it is dropped: after the answer, or when a signal ends the wait.
pub(super) struct TerminalGuard {
    /// The terminal's mode, and whether restoring it discards what was typed and not read.
    #[cfg(unix)]
    mode: Option<(Termios, OptionalActions)>,
    /// Whether a question's thread still reads from the terminal.
    is_asking: bool,
    /// Whether somebody may have hidden the cursor.
    hides_cursor: bool,
    /// If a text may be arriving, all of it is discarded, and this is written then.
    #[cfg(unix)]
    after_paste: Option<(Arc<paste::Arrival>, &'static [u8])>,
}

impl TerminalGuard {
    fn new() -> Self {
        Self {
            #[cfg(unix)]
            mode: tcgetattr(stdin()).ok().map(|mode| (mode, OptionalActions::Now)),
            is_asking: false,
            hides_cursor: false,
            #[cfg(unix)]
            after_paste: None,
        }
    }

    fn hiding_cursor(mut self, hides: bool) -> Self {
        self.hides_cursor = hides;
        self
    }

    /// For a program that may change the terminal. `plain` is a terminal on which no cursor is hidden.
    pub(super) fn for_program(plain: bool) -> Self {
        Self::new().hiding_cursor(!plain)
    }

    /// Whether a program has changed the mode, as for a password.
    #[cfg_attr(not(unix), expect(clippy::unused_self, reason = "there is no mode"))]
    pub(super) fn is_changed(&self) -> bool {
        #[cfg(unix)]
        {
            let echoes = |mode: &Termios| mode.local_modes.contains(LocalModes::ECHO | LocalModes::ICANON);
            self.mode
                .as_ref()
                .is_some_and(|(before, _)| tcgetattr(stdin()).is_ok_and(|now| echoes(before) != echoes(&now)))
        }
        #[cfg(not(unix))]
        false
    }
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        // A question that has just begun may still be about to change the mode.
        if self.is_asking {
            std::thread::sleep(MODE_CHANGE);
        }
        // Otherwise the control sequence would be in a log.
        if self.hides_cursor && Term::stderr().is_term() {
            let _ = Term::stderr().show_cursor();
        }
        #[cfg(unix)]
        {
            if let Some((arrival, sequence)) = &self.after_paste {
                arrival.discard_rest();
                let _ = Term::stderr().write_all(sequence);
            }
            if let Some((mode, when)) = &self.mode {
                let _ = tcsetattr(stdin(), *when, mode);
            }
        }
    }
}

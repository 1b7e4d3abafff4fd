//! The only file that writes to stdout and stderr: data, messages, errors; as text or as JSON; with or without colour.
//!
//! Whatever came from a server, a token or a file is made printable here, so nothing can steer the terminal, and the secrets
//! in hand are taken out of it: a server may repeat them. What is a secret on purpose comes as a [`Secret`]. A closed pipe
//! ends quietly.

use std::cell::{Cell, RefCell};
use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::domain::client::secret::Secret;
use crate::domain::text::event::{Event, Sink};
use crate::domain::text::page::{Page, Tone, printable_json, printable_json_lines};
use crate::domain::text::redactor::Redactor;
use crate::edge::host::Terminal;
use crate::failure::{Failure, Kind};

mod layout;

use layout::{layout, paint, shown};

/// What a command has to say when it is done.
pub trait Outcome {
    /// The command's name in the JSON schema: `corti-auth/{command}/v1`.
    fn command(&self) -> &'static str;
    /// The fields of the JSON object, without the schema.
    fn json(&self) -> Value;
    /// The members of that object that hold a secret on purpose. `json` leaves them out.
    fn secrets(&self) -> Vec<(&'static str, Secret)> {
        Vec::new()
    }
    /// The same for a person.
    fn text(&self) -> Text;
    /// A verdict that is not success although the outcome is printed: an expired token.
    fn verdict(&mut self) -> Option<Failure> {
        None
    }
    /// The command that takes back what was made, for when its outcome could not be printed.
    fn undo(&self) -> Option<String> {
        None
    }
    /// The code of a program that was run in this one's place.
    fn program_code(&self) -> u8 {
        0
    }
}

/// An outcome as text.
pub enum Text {
    /// A datum for a program or a pipe: it alone goes to stdout.
    Datum(Secret),
    /// The JSON object, as with `--json`.
    Json,
    /// A page of data, on stdout.
    Page(Page),
    /// A message that something was done, on stderr.
    Message(Page),
    /// Everything was said by events. The same with `--json`.
    Nothing,
}

/// How to print.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// One JSON object per outcome.
    pub json: bool,
    /// No notes.
    pub quiet: bool,
    /// How much of the traffic is shown: 1, requests.
    pub verbose: u8,
    /// Where colours go.
    pub colours: Colours,
}

/// Which streams are coloured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Colours {
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
}

impl Colours {
    /// As the user forces it, else on terminals unless they are not wanted (`NO_COLOR`) or cannot (`TERM=dumb`).
    pub fn choose(forced: Option<bool>, plain: bool, terminal: Terminal) -> Self {
        let on = |is_terminal: bool| forced.unwrap_or(is_terminal && !plain);
        Self { stdout: on(terminal.stdout), stderr: on(terminal.stderr) }
    }
}

/// Prints.
#[derive(Default)]
pub struct Printer {
    style: Style,
    redactor: Redactor,
    /// Why data of a command that goes on could not be written, to be told when it is done.
    lost: RefCell<Option<io::Error>>,
    /// Whether the reader of the data has gone.
    unread: Cell<bool>,
    /// Whether the cursor is behind a line that is to be overwritten.
    spinning: Cell<bool>,
}

impl Printer {
    /// A printer of this style.
    pub fn new(style: Style) -> Self {
        Self { style, ..Self::default() }
    }

    /// Prints an outcome.
    ///
    /// # Errors
    /// stdout's own, a closed pipe aside.
    pub fn emit(&self, outcome: &dyn Outcome) -> io::Result<()> {
        if let Some(error) = self.lost.take() {
            return Err(error);
        }
        match outcome.text() {
            Text::Nothing => Ok(()),
            Text::Json => to_stdout(&self.json_line(outcome)),
            _ if self.style.json => to_stdout(&self.json_line(outcome)),
            Text::Datum(datum) => to_stdout(datum.expose()),
            Text::Page(page) => to_stdout(&self.laid_out(&page, self.style.colours.stdout)),
            Text::Message(page) if !self.style.quiet => {
                to_stderr(&self.laid_out(&page, self.style.colours.stderr));
                Ok(())
            }
            Text::Message(_) => Ok(()),
        }
    }

    /// Prints text that clap or a generator made: help, a version, completions.
    ///
    /// # Errors
    /// stdout's own, a closed pipe aside.
    pub fn generated(&self, text: &str) -> io::Result<()> {
        to_stdout(text.trim_end_matches('\n'))
    }

    /// Prints why a command line was not understood: in clap's words, where there are any.
    pub fn usage(&self, failure: &Failure, text: &str) {
        if self.style.json || text.is_empty() {
            return self.fail(failure);
        }
        let lines: Vec<_> = text.trim_end().lines().map(|line| self.shown(line)).collect();
        to_stderr(&lines.join("\n"));
    }

    /// Prints a failure: `error:`, its causes, and `hint:` lines; or one JSON line.
    pub fn fail(&self, failure: &Failure) {
        if self.spinning.take() {
            overwrite("");
        }
        if self.style.json {
            return to_stderr(&error_object(failure, &self.redactor));
        }
        if failure.kind() == Kind::Interrupted {
            // The shell's prompt should not stand behind the question that was left.
            return to_stderr("");
        }
        let colour = self.style.colours.stderr;
        let mut lines = Vec::new();
        for (depth, cause) in failure.causes().enumerate() {
            let text = self.shown(&cause);
            lines.push(match depth {
                0 => format!("{}: {text}", paint("error", Tone::Bad, colour)),
                _ => format!("  {text}"),
            });
        }
        for hint in failure.hints() {
            lines.push(format!("{}: {}", paint("hint", Tone::Strong, colour), self.shown(hint)));
        }
        to_stderr(&lines.join("\n"));
    }
}

impl Sink for Printer {
    fn is_read(&self) -> bool {
        !self.unread.get() && self.lost.borrow().is_none()
    }

    fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    fn event(&self, event: Event) {
        let Style { json, quiet, verbose, .. } = self.style;
        match event {
            Event::Note(text) if !quiet && !json => to_stderr(&self.shown(&text)),
            Event::Said(program, text) if json => {
                let line = json!({ "schema": "corti-auth/said/v1", "program": program, "message": text });
                to_stderr(&self.shown_json(line));
            }
            Event::Said(program, text) => to_stderr(&self.shown(&format!("{program}: {text}"))),
            Event::Warning(text, hint) => self.warn(&text, hint.as_deref()),
            Event::Story(page) if !json => self.data(&self.laid_out(&page, self.style.colours.stdout)),
            Event::Preview(page) => to_stderr(&self.laid_out(&page, self.style.colours.stderr)),
            Event::Datum(_, value) if json => self.data(&self.shown_json(value)),
            Event::Commands(lines) => self.data(lines.expose()),
            Event::Datum(page, _) => self.data(&self.laid_out(&page, self.style.colours.stdout)),
            Event::Step(_, value) if json => self.data(&self.shown_json(value)),
            Event::Step(page, _) if !quiet && !page.lines().is_empty() => {
                to_stderr(&self.laid_out(&page, self.style.colours.stderr));
            }
            Event::Lines(lines) => self.data(&printable_json_lines(lines)),
            Event::Exchange { method, url, result, elapsed } if verbose > 0 => {
                let line = format!("{method} {url} -> {result} ({} ms)", elapsed.as_millis());
                to_stderr(&paint(&self.shown(&line), Tone::Dim, self.style.colours.stderr));
            }
            Event::Waiting(what, count) if !quiet && !json && verbose == 0 => {
                let frame = ["|", "/", "-", "\\"].get(count % 4).copied().unwrap_or_default();
                self.spinning.set(true);
                overwrite(&format!("{frame} {what}"));
            }
            Event::Waited if self.spinning.take() => overwrite(""),
            Event::Note(_)
            | Event::Story(_)
            | Event::Step(..)
            | Event::Exchange { .. }
            | Event::Waiting(..)
            | Event::Waited => {}
        }
    }
}

impl Printer {
    fn shown(&self, text: &str) -> String {
        shown(text, &self.redactor)
    }

    fn laid_out(&self, page: &Page, colour: bool) -> String {
        layout(page, colour, &self.redactor)
    }

    fn shown_json(&self, value: Value) -> String {
        printable_json(&self.redactor.apply_json(value))
    }

    /// An outcome as JSON on one line.
    fn json_line(&self, outcome: &dyn Outcome) -> String {
        let mut object = self.redactor.apply_json(with_schema(outcome.command(), outcome.json()));
        if let Some(members) = object.as_object_mut() {
            let secrets = outcome.secrets().into_iter();
            members.extend(secrets.map(|(name, secret)| (name.to_owned(), secret.expose().into())));
        }
        printable_json(&object)
    }

    fn data(&self, text: &str) {
        match write_line(text) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.unread.set(true),
            Err(error) => drop(self.lost.replace(Some(error))),
        }
    }

    fn warn(&self, text: &str, hint: Option<&str>) {
        if self.style.json {
            let mut line = json!({ "schema": "corti-auth/warning/v1", "message": text });
            if let (Some(hint), Some(fields)) = (hint, line.as_object_mut()) {
                fields.insert("hint".to_owned(), hint.into());
            }
            return to_stderr(&self.shown_json(line));
        }
        let colour = self.style.colours.stderr;
        to_stderr(&format!("{}: {}", paint("warning", Tone::Caution, colour), self.shown(text)));
        if let Some(hint) = hint {
            to_stderr(&format!("{}: {}", paint("hint", Tone::Strong, colour), self.shown(hint)));
        }
    }
}

/// `fields` with the schema they are of.
pub fn with_schema(command: &str, fields: Value) -> Value {
    let mut object = Map::from_iter([("schema".to_owned(), json!(format!("corti-auth/{command}/v1")))]);
    if let Value::Object(fields) = fields {
        object.extend(fields);
    }
    Value::Object(object)
}

/// A failure as JSON on one line.
pub fn error_object(failure: &Failure, redactor: &Redactor) -> String {
    let message = failure.in_one_line();
    let fields = json!({
        "code": failure.kind().code(),
        "exit": failure.kind().exit(),
        "message": message,
        "hint": (!failure.hints().is_empty()).then(|| failure.hints().join("\n")),
        "http_status": failure.http_status(),
        "oauth_error": failure.oauth_error(),
        "retryable": failure.retryable(),
    });
    printable_json(&redactor.apply_json(with_schema("error", fields)))
}

/// Writes data; a reader that went away is no error.
fn to_stdout(text: &str) -> io::Result<()> {
    match write_line(text) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the door that the lint points to")]
fn write_line(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush())
}

#[expect(clippy::disallowed_methods, reason = "this is the door that the lint points to")]
fn to_stderr(text: &str) {
    // There is nowhere left to complain to.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Replaces the line the cursor is in.
#[expect(clippy::disallowed_methods, reason = "this is the door that the lint points to")]
fn overwrite(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "\r{text}\u{1b}[K").and_then(|()| stderr.flush());
}

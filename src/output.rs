//! Prints data, messages and errors, as text or as JSON. Everything that is printed goes through here.
//!
//! Text from a server, a token or a file is made printable here, so it cannot control the terminal, and known secrets are
//! redacted: a server may repeat them. A secret that is to be printed comes as a [`Secret`]. A closed pipe is not an error.

use std::cell::{Cell, RefCell};
use std::io;

use serde_json::{Map, Value, json};

use crate::domain::client::secret::Secret;
use crate::domain::text::event::{Event, Sink};
use crate::domain::text::field;
use crate::domain::text::page::{Page, Tone, printable, printable_json, printable_json_lines};
use crate::domain::text::redactor::Redactor;
use crate::failure::{Failure, Kind};

mod json;
mod layout;
mod line_writer;
mod streams;

pub use line_writer::LineWriter;

use layout::{layout, paint, shown, wrapped};
use streams::{overwrite, to_stderr, write_line};

/// The result of a command.
pub struct Outcome {
    /// The command's name in the JSON schema: `corti-auth/{command}/v1`.
    pub command: &'static str,
    /// The JSON object, without the schema and the secret.
    pub json: Value,
    /// A member of the JSON object that holds a secret to print.
    pub secret: Option<(&'static str, Secret)>,
    /// The result as text.
    pub text: Text,
    /// A failure to report after the result, such as an expired token.
    pub failure: Option<Failure>,
    /// The command that undoes what was made, in case the result cannot be printed.
    pub undo: Option<String>,
    /// The exit code of the program that `exec` ran.
    pub program_code: u8,
}

impl Outcome {
    /// A result without a secret or a failure.
    pub fn new(command: &'static str, json: Value, text: Text) -> Self {
        Self { command, json, secret: None, text, failure: None, undo: None, program_code: 0 }
    }

    /// Prints nothing: events have printed everything.
    pub fn silent() -> Self {
        Self::new("", Value::Null, Text::Nothing)
    }
}

/// An outcome as text.
#[derive(Clone)]
pub enum Text {
    /// One value on stdout, for a program.
    Datum(Secret),
    /// The JSON object, as with `--json`.
    Json,
    /// A page of data, on stdout.
    Page(Page),
    /// A message that something was done, on stderr.
    Message(Page),
    /// Nothing, also with `--json`: events have printed everything.
    Nothing,
}

/// How to print.
#[derive(Clone, Debug, Default)]
pub struct Style {
    /// One JSON object per outcome.
    pub json: bool,
    /// Only this member of that object.
    pub field: Option<String>,
    /// No notes.
    pub quiet: bool,
    /// 1 shows requests.
    pub verbose: u8,
    /// Standard output.
    pub stdout: Look,
    /// Standard error.
    pub stderr: Look,
}

/// How text looks on a stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// Whether it is coloured.
    pub colour: bool,
    /// The columns of the terminal, where text wraps; `usize::MAX` if they are not known, `None` off a terminal.
    pub columns: Option<usize>,
}

/// Prints outcomes, events and failures.
#[derive(Default)]
pub struct Printer {
    style: Style,
    redactor: Redactor,
    /// Why an event's data could not be written. Reported at the command's end.
    write_error: RefCell<Option<io::Error>>,
    /// Whether the reader of stdout has closed it.
    stdout_closed: Cell<bool>,
    /// Whether the cursor is behind the spinner.
    spinner_shown: Cell<bool>,
    /// If an object does not have the member to print.
    no_field: RefCell<Option<Failure>>,
}

impl Printer {
    /// A printer of this style.
    pub fn new(style: Style) -> Self {
        Self { style, ..Self::default() }
    }

    /// Prints an outcome, unless data before it could not be written.
    ///
    /// # Errors
    /// If it cannot be written, or has no member with the name that was asked for.
    pub fn emit(&self, outcome: &Outcome) -> Result<(), Failure> {
        if self.write_error.borrow().is_none() {
            match &outcome.text {
                Text::Nothing => {}
                _ if self.style.field.is_some() => self.field_of(&self.object(outcome)),
                Text::Json => self.data(&self.json(&self.object(outcome))),
                _ if self.style.json => self.data(&self.json(&self.object(outcome))),
                Text::Datum(datum) => self.data(&self.datum(datum.expose())),
                Text::Page(page) => self.data(&self.stdout_page(page)),
                Text::Message(page) if !self.style.quiet => self.message(page),
                Text::Message(_) => {}
            }
        }
        self.written()?;
        self.no_field.take().map_or(Ok(()), Err)
    }

    /// Prints help, a version or completions.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn print_text(&self, text: &str) -> Result<(), Failure> {
        self.data(text.trim_end_matches('\n'));
        self.written()
    }

    fn written(&self) -> Result<(), Failure> {
        let error = self.write_error.take();
        error.map_or(Ok(()), |error| {
            Err(Failure::new(Kind::Unexpected, format!("cannot write to stdout: {error}")))
        })
    }

    /// Prints a usage error: the `help`, if there is any and it is not JSON.
    pub fn usage(&self, failure: &Failure, help: &str) {
        if self.style.json || help.is_empty() {
            return self.fail(failure);
        }
        let page = help.trim_end().lines().fold(Page::new(), Page::line);
        self.message(&page);
    }

    /// Prints a failure: `error:`, its causes, and `hint:` lines; or one JSON line.
    pub fn fail(&self, failure: &Failure) {
        if self.spinner_shown.take() {
            overwrite("");
        }
        if self.style.json {
            return to_stderr(&error_object(failure, &self.redactor));
        }
        if failure.kind == Kind::Interrupted {
            // Ends the line of the question, so that the shell's prompt starts a new one.
            return to_stderr("");
        }
        let mut causes = failure.causes();
        let mut lines = vec![self.labelled("error", Tone::Bad, &causes.next().unwrap_or_default())];
        lines.extend(causes.map(|cause| self.note(&format!("  {cause}"))));
        lines.extend(failure.hints.iter().map(|hint| self.labelled("hint", Tone::Strong, hint)));
        to_stderr(&lines.join("\n"));
    }

    fn shown(&self, text: &str) -> String {
        shown(text, &self.redactor)
    }

    fn labelled(&self, label: &str, tone: Tone, text: &str) -> String {
        let text = wrapped(&self.shown(text), Tone::Plain, label.len() + 2, self.style.stderr);
        format!("{}: {text}", paint(label, tone, self.style.stderr.colour))
    }

    fn stdout_page(&self, page: &Page) -> String {
        layout(page, self.style.stdout, &self.redactor)
    }

    /// A line for stderr.
    fn note(&self, text: &str) -> String {
        layout(&Page::new().line(text), self.style.stderr, &self.redactor)
    }

    fn message(&self, page: &Page) {
        to_stderr(&layout(page, self.style.stderr, &self.redactor));
    }

    /// JSON for stderr.
    fn shown_json(&self, value: Value) -> String {
        printable_json(&self.redactor.apply_json(value))
    }

    /// JSON for stdout: on one line, but indented and coloured for a person.
    fn json(&self, value: &Value) -> String {
        match self.style.stdout.columns {
            Some(_) => json::indented(value, self.style.stdout.colour),
            None => printable_json(value),
        }
    }

    /// One value. If it is a JSON object, a person sees it as any other JSON.
    fn datum(&self, text: &str) -> String {
        let is_for_a_person = self.style.stdout.columns.is_some() && text.starts_with('{');
        let object = is_for_a_person.then(|| serde_json::from_str(text).ok()).flatten();
        object.map_or_else(|| text.to_owned(), |object| self.json(&object))
    }

    /// An outcome as a JSON object.
    fn object(&self, outcome: &Outcome) -> Value {
        let mut object = self.redactor.apply_json(with_schema(outcome.command, outcome.json.clone()));
        if let (Some(members), Some((name, secret))) = (object.as_object_mut(), &outcome.secret) {
            members.insert((*name).to_owned(), secret.expose().into());
        }
        object
    }

    /// Prints the member of an object that was asked for: raw, or with `--json` as the only one.
    fn field_of(&self, object: &Value) {
        let path = self.style.field.as_deref().unwrap_or_default();
        match member(object, path) {
            Err(failure) => drop(self.no_field.replace(Some(failure))),
            Ok(value) if self.style.json => {
                let only = json!({ "schema": object.get("schema"), path: value });
                self.data(&self.json(&only));
            }
            // Characters without a glyph are escaped as JSON does it, so it stays JSON.
            Ok(value @ (Value::Object(_) | Value::Array(_))) if !field::is_words(value) => {
                self.data(&printable_json(value));
            }
            Ok(value) => self.data(&printable(&field::plain(value))),
        }
    }

    /// Writes data. A reader that has gone is not an error.
    fn data(&self, text: &str) {
        match write_line(text) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.stdout_closed.set(true),
            Err(error) => drop(self.write_error.replace(Some(error))),
        }
    }

    fn warn(&self, text: &str, hint: Option<&str>) {
        if self.style.json {
            let mut line = json!({ "schema": "corti-auth/warning/v1", "message": text });
            if let Some(hint) = hint {
                line["hint"] = hint.into();
            }
            return to_stderr(&self.shown_json(line));
        }
        to_stderr(&self.labelled("warning", Tone::Caution, text));
        if let Some(hint) = hint {
            to_stderr(&self.labelled("hint", Tone::Strong, hint));
        }
    }
}

impl Sink for Printer {
    fn is_read(&self) -> bool {
        !self.stdout_closed.get() && self.write_error.borrow().is_none()
    }

    fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    fn event(&self, event: Event) {
        let Style { json, quiet, verbose, .. } = self.style;
        // What is printed during a wait gets a line of its own. The spinner comes back.
        if !matches!(event, Event::Waiting(..)) && self.spinner_shown.take() {
            overwrite("");
        }
        match event {
            Event::Datum(_, value) if self.style.field.is_some() => {
                self.field_of(&self.redactor.apply_json(value));
            }
            Event::Story(_) if self.style.field.is_some() => {}
            Event::Note(text) if !quiet && !json => to_stderr(&self.note(&text)),
            Event::Said(program, text) if json => {
                let line = json!({ "schema": "corti-auth/said/v1", "program": program, "message": text });
                to_stderr(&self.shown_json(line));
            }
            Event::Said(program, text) => to_stderr(&self.note(&format!("{program}: {text}"))),
            Event::Warning(text, hint) => self.warn(&text, hint.as_deref()),
            Event::Datum(_, value) | Event::Step(_, value) if json => {
                self.data(&self.json(&self.redactor.apply_json(value)));
            }
            Event::Story(page) if !json => self.data(&self.stdout_page(&page)),
            Event::Datum(page, _) => self.data(&self.stdout_page(&page)),
            Event::Preview(page) => self.message(&page),
            Event::Step(page, _) if !quiet && !page.lines.is_empty() => self.message(&page),
            Event::Commands(lines) => self.data(lines.expose()),
            Event::Lines(lines) => self.data(&printable_json_lines(lines)),
            Event::Exchange { method, url, result, elapsed } if verbose > 0 => {
                let line = format!("{method} {url} -> {result} ({} ms)", elapsed.as_millis());
                self.message(&Page::new().toned(Tone::Dim, line));
            }
            Event::Waiting(what, count) if !quiet && !json && verbose == 0 => {
                let frame = ["|", "/", "-", "\\"].get(count % 4).copied().unwrap_or_default();
                self.spinner_shown.set(true);
                overwrite(&format!("{frame} {what}"));
            }
            // Silent in this style.
            _ => {}
        }
    }
}

/// The member of an object that `--field` names.
///
/// # Errors
/// If there is none, or it is null.
pub fn member<'a>(object: &'a Value, path: &str) -> Result<&'a Value, Failure> {
    field::member(object, path).filter(|value| !value.is_null()).ok_or_else(|| {
        let members = object.as_object().into_iter().flatten();
        let names: Vec<_> =
            members.filter(|(_, value)| !value.is_null()).map(|(name, _)| name.as_str()).collect();
        let failure = Failure::new(Kind::Unexpected, format!("the result has no `{path}`"));
        failure.hint(format!("it has {}", names.join(", ")))
    })
}

/// `fields` with their schema.
pub fn with_schema(command: &str, fields: Value) -> Value {
    let mut object = Map::from_iter([("schema".to_owned(), json!(format!("corti-auth/{command}/v1")))]);
    if let Value::Object(fields) = fields {
        object.extend(fields);
    }
    Value::Object(object)
}

/// A failure as JSON on one line.
pub fn error_object(failure: &Failure, redactor: &Redactor) -> String {
    let fields = json!({
        "code": failure.kind.code(),
        "exit": failure.kind.exit(),
        "message": failure.in_one_line(),
        "hint": (!failure.hints.is_empty()).then(|| failure.hints.join("\n")),
        "http_status": failure.http_status,
        "oauth_error": failure.oauth_error,
        "retryable": failure.retryable(),
    });
    printable_json(&redactor.apply_json(with_schema("error", fields)))
}

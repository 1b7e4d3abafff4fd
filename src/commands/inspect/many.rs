//! Inspects many tokens, one a line: prints a line for each as soon as it is read, in constant memory.

use serde::Serialize;
use serde_json::json;

use crate::app::context::Context;
use crate::app::token_source::{MAX_LINE, Source};
use crate::domain::text::event::{Event, Sink};
use crate::domain::text::field::plain;
use crate::domain::text::lines::{Line, Lines};
use crate::domain::text::page::{Page, Tone, printable};
use crate::domain::text::shell::Shell;
use crate::domain::token::jwt::{JwtError, MAX_TOKEN_BYTES};
use crate::failure::{Failure, Kind};

use super::judge::{COLUMNS, Judge, Judged};

/// A little more than the output for one chunk of input, in bytes.
const BLOCK: usize = 192 * 1024;

const SCHEMA: &str = "corti-auth/inspect/v1";

/// The state of an inspection of many tokens.
struct Stream<'a, 'b> {
    judge: &'a mut Judge<'b>,
    /// The only field to print.
    field: Option<&'a str>,
    json: bool,
    /// The rows that are ready, if a person sees a table.
    table: Option<Page>,
    /// Lines that are ready to be printed.
    text: Vec<u8>,
    line: u64,
    tokens: u64,
    invalid: u64,
    lacking: u64,
    /// The first line that failed.
    first: u64,
}

/// Inspects each line of `source`, and gives the failure of the whole command. With `--field` only that field is printed, as JSON
/// or as text.
pub(super) async fn run(
    mut source: Source,
    judge: &mut Judge<'_>,
    context: &Context<'_>,
) -> Result<Option<Failure>, Failure> {
    let (sink, json, field) = (context.sink, context.options.json, context.options.field.as_deref());
    let is_table = context.host.terminal.stdout && !json && field.is_none();
    let mut stream = Stream {
        judge,
        field,
        json,
        table: is_table.then(|| Page::new().headings(&COLUMNS)),
        text: Vec::new(),
        line: 0,
        tokens: 0,
        invalid: 0,
        lacking: 0,
        first: 0,
    };
    let mut lines = Lines::new(MAX_LINE);
    let head = std::mem::take(&mut source.head);
    let (mut chunk, mut has_ended) = (head.as_slice(), false);
    while sink.is_read() && !has_ended {
        while let Some(line) = lines.next(&mut chunk) {
            let taken = stream.take(line).await;
            // If the keys of this token cannot be fetched, the tokens before it are still printed.
            taken.inspect_err(|_| stream.print(sink))?;
        }
        // Print what is ready before waiting for more.
        stream.print(sink);
        chunk = source.chunk().await?;
        has_ended = chunk.is_empty();
    }
    if let Some(line) = lines.last().filter(|_| has_ended) {
        stream.take(line).await?;
        stream.print(sink);
    }
    Ok(stream.failure())
}

impl Stream<'_, '_> {
    async fn take(&mut self, line: Line<'_>) -> Result<(), Failure> {
        self.line += 1;
        let text = match line {
            Line::TooLong => Err(format!("the line is longer than {MAX_TOKEN_BYTES} bytes")),
            Line::Bytes(bytes) if bytes.trim_ascii().is_empty() => return Ok(()),
            Line::Bytes(bytes) => std::str::from_utf8(bytes).map_err(|_| "it is not text".to_owned()),
        };
        self.tokens += 1;
        let judged = match text {
            Ok(text) => self.judge.judge(text).await?.map_err(|unreadable| unreadable.message()),
            Err(message) => Err(message),
        };
        let fault = match &judged {
            Ok(judged) => judged.fault(),
            Err(_) => Some(Kind::Token),
        };
        if fault.is_some() && self.invalid + self.lacking == 0 {
            self.first = self.line;
        }
        match fault {
            Some(Kind::Token) => self.invalid += 1,
            Some(_) => self.lacking += 1,
            None => {}
        }
        self.add(judged);
        Ok(())
    }

    /// Adds the line of one token, or of a text that is not one.
    fn add(&mut self, judged: Result<Judged, String>) {
        let line = self.line;
        if let Some(page) = self.table.take() {
            self.table = Some(match judged {
                Ok(judged) => page.cells(&COLUMNS, judged.cells(line)),
                Err(message) => page.toned_field(format!("{line:<4}"), Tone::Caution, message),
            });
            return;
        }
        match (judged, self.field) {
            (Ok(judged), None) => {
                self.add_json(&judged.report(Some(line)));
            }
            (Ok(judged), Some(name)) if self.json => {
                self.add_json(&json!({ "schema": SCHEMA, "line": line, name: judged.field(name) }));
            }
            (Ok(judged), Some(name)) => {
                self.text.extend_from_slice(printable(&plain(&judged.field(name))).as_bytes());
            }
            (Err(_), Some(_)) if !self.json => {}
            (Err(message), _) => {
                self.add_json(&json!({ "schema": SCHEMA, "line": line, "error": message }));
            }
        }
        self.text.push(b'\n');
    }

    fn add_json(&mut self, record: &impl Serialize) {
        // Writing a record to memory cannot fail.
        let _ = serde_json::to_writer(&mut self.text, record);
    }

    fn print(&mut self, sink: &dyn Sink) {
        if let Some(page) = self.table.as_mut().filter(|page| !page.lines.is_empty()) {
            sink.event(Event::Story(std::mem::take(page)));
        }
        if !self.text.is_empty() {
            let mut text = std::mem::replace(&mut self.text, Vec::with_capacity(BLOCK));
            text.pop();
            // JSON and printable text are UTF-8.
            sink.event(Event::Lines(String::from_utf8(text).unwrap_or_default()));
        }
    }

    /// The failure of the whole command.
    fn failure(&self) -> Option<Failure> {
        let Self { tokens, invalid, lacking, first, .. } = *self;
        if tokens == 0 {
            return Some(JwtError::Empty.into());
        }
        if invalid + lacking == 0 {
            return None;
        }
        let kind = if invalid > 0 { Kind::Token } else { Kind::Check };
        let counts = [
            (invalid, if invalid == 1 { "has no valid token" } else { "have no valid token" }),
            (lacking, if lacking == 1 { "lacks a required scope" } else { "lack a required scope" }),
        ];
        let mut total = format!(" of {tokens} lines");
        let counts = counts.into_iter().filter(|(count, _)| *count > 0);
        let counts = counts.map(|(count, what)| format!("{count}{} {what}", std::mem::take(&mut total)));
        let message = counts.collect::<Vec<_>>().join(", ");
        Some(Failure::new(kind, message).hint(Shell::HERE.pipe_line(first, "FILE", "corti-auth inspect")))
    }
}

//! Inspects many tokens, one a line: prints a line for each as soon as it is read, in constant memory.

use serde::Serialize;
use serde_json::json;

use crate::app::token_source::{MAX_TEXT, Source};
use crate::domain::text::event::{Event, Sink};
use crate::domain::text::lines::{Line, Lines};
use crate::domain::text::page::printable;
use crate::domain::token::jwt::MAX_TOKEN_BYTES;
use crate::failure::{Failure, Kind};

use super::judge::{Judge, Judged};
use super::plain;

/// A little more than the output for one chunk of input, in bytes.
const BLOCK: usize = 192 * 1024;

const SCHEMA: &str = "corti-auth/inspect/v1";

/// How many tokens there were, and how many of them failed.
#[derive(Default)]
struct Tally {
    line: u64,
    tokens: u64,
    invalid: u64,
    lacking: u64,
    first: u64,
}

/// Inspects each line of `source`, and gives the failure of the whole command. With `field` only that field is printed, as JSON
/// or as text.
pub(super) async fn run(
    field: Option<&'static str>,
    json: bool,
    mut source: Source,
    judge: &mut Judge<'_>,
    sink: &dyn Sink,
) -> Result<Option<Failure>, Failure> {
    let (mut lines, mut tally) = (Lines::new(MAX_TEXT), Tally::default());
    let mut output = Output { field, json, text: Vec::new() };
    let head = std::mem::take(&mut source.head);
    let (mut chunk, mut has_ended) = (head.as_slice(), false);
    while sink.is_read() && !has_ended {
        while let Some(line) = lines.next(&mut chunk) {
            let taken = tally.take(line, judge, &mut output).await;
            // If the keys of this token cannot be fetched, the tokens before it are still printed.
            taken.inspect_err(|_| output.print(sink))?;
        }
        // Print what is ready before waiting for more.
        output.print(sink);
        chunk = source.chunk().await?;
        has_ended = chunk.is_empty();
    }
    if let Some(line) = lines.last().filter(|_| has_ended) {
        tally.take(line, judge, &mut output).await?;
        output.print(sink);
    }
    Ok(tally.failure())
}

/// Lines that are ready to be printed.
struct Output {
    field: Option<&'static str>,
    json: bool,
    text: Vec<u8>,
}

impl Output {
    fn add(&mut self, record: &impl Serialize) {
        // Writing a record to memory cannot fail.
        let _ = serde_json::to_writer(&mut self.text, record);
        self.text.push(b'\n');
    }

    fn token(&mut self, judged: &Judged, line: u64) {
        let Some(name) = self.field else {
            let mut report = judged.report();
            report.line = Some(line);
            return self.add(&report);
        };
        let value = judged.field(name);
        if self.json {
            return self.add(&json!({ "schema": SCHEMA, "line": line, name: value }));
        }
        self.text.extend_from_slice(printable(&plain(&value)).as_bytes());
        self.text.push(b'\n');
    }

    fn error(&mut self, message: &str, line: u64) {
        if self.field.is_some() && !self.json {
            return self.text.push(b'\n');
        }
        self.add(&json!({ "schema": SCHEMA, "line": line, "error": message }));
    }

    fn print(&mut self, sink: &dyn Sink) {
        if !self.text.is_empty() {
            let mut text = std::mem::replace(&mut self.text, Vec::with_capacity(BLOCK));
            text.pop();
            // JSON and printable text are UTF-8.
            sink.event(Event::Lines(String::from_utf8(text).unwrap_or_default()));
        }
    }
}

impl Tally {
    async fn take(
        &mut self,
        line: Line<'_>,
        judge: &mut Judge<'_>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        self.line += 1;
        let text = match line {
            Line::TooLong => Err(format!("the line is longer than {MAX_TOKEN_BYTES} bytes")),
            Line::Bytes(bytes) if bytes.trim_ascii().is_empty() => return Ok(()),
            Line::Bytes(bytes) => std::str::from_utf8(bytes).map_err(|_| "it is not text".to_owned()),
        };
        self.tokens += 1;
        let judged = match text {
            Ok(text) => judge.judge(text).await?.map_err(|unreadable| unreadable.message()),
            Err(message) => Err(message),
        };
        let fault = match judged {
            Ok(judged) => {
                output.token(&judged, self.line);
                judged.fault()
            }
            Err(message) => {
                output.error(&message, self.line);
                Some(Kind::Token)
            }
        };
        if let Some(kind) = fault {
            if self.invalid + self.lacking == 0 {
                self.first = self.line;
            }
            if kind == Kind::Token { self.invalid += 1 } else { self.lacking += 1 }
        }
        Ok(())
    }

    /// The failure of the whole command.
    fn failure(&self) -> Option<Failure> {
        let Self { tokens, invalid, lacking, first, .. } = *self;
        if tokens == 0 {
            return Some(Failure::new(Kind::Token, "there is no token").hint("corti-auth inspect < FILE"));
        }
        if invalid + lacking == 0 {
            return None;
        }
        let kind = if invalid > 0 { Kind::Token } else { Kind::Check };
        let counts = [(invalid, "not valid"), (lacking, "without a required scope")].into_iter();
        let counts = counts.filter(|(count, _)| *count > 0).map(|(count, what)| format!(", {count} {what}"));
        let message = format!("of {tokens} tokens{}", counts.collect::<String>());
        Some(Failure::new(kind, message).hint(format!("sed -n {first}p FILE | corti-auth inspect")))
    }
}

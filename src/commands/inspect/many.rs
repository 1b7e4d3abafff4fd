//! Many tokens, one a line: a JSON line each as soon as it is read, in constant memory.

use std::fmt::Write as _;

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

/// Somewhat more than what is said of the tokens of one chunk, in bytes.
const BLOCK: usize = 192 * 1024;

/// Of every line.
const SCHEMA: &str = "corti-auth/inspect/v1";

/// How many tokens there were, and how many were not as they should be.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    line: u64,
    tokens: u64,
    invalid: u64,
    lacking: u64,
    first: u64,
}

/// What is said of a token.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// All of it, as JSON.
    Record,
    /// One field, as text.
    Field(&'static str),
    /// One field, as JSON.
    FieldAsJson(&'static str),
}

impl Form {
    pub(super) fn of(field: Option<&'static str>, json: bool) -> Self {
        match field {
            None => Self::Record,
            Some(name) if json => Self::FieldAsJson(name),
            Some(name) => Self::Field(name),
        }
    }
}

/// # Errors
/// Where the lines cannot be read, or keys cannot be had.
pub(super) async fn run(
    form: Form,
    source: Source,
    judge: &mut Judge<'_>,
    sink: &dyn Sink,
) -> Result<Tally, Failure> {
    let (mut lines, mut tally) = (Lines::new(MAX_TEXT), Tally::default());
    let mut ready = Ready { form, text: Vec::new() };
    let (head, mut rest) = source.into_parts();
    let mut chunk = head.as_slice();
    while sink.is_read() {
        while let Some(line) = lines.next(&mut chunk) {
            let taken = tally.take(line, judge, &mut ready).await;
            // Verdicts that were reached are not lost with the keys of a later one.
            taken.inspect_err(|_| ready.say(sink))?;
        }
        // What is ready is said before more is waited for.
        ready.say(sink);
        chunk = rest.chunk().await?;
        if chunk.is_empty() {
            if let Some(line) = lines.last() {
                let taken = tally.take(line, judge, &mut ready).await;
                taken.inspect_err(|_| ready.say(sink))?;
            }
            ready.say(sink);
            break;
        }
    }
    Ok(tally)
}

/// Lines that are not yet said.
struct Ready {
    form: Form,
    text: Vec<u8>,
}

impl Ready {
    fn add(&mut self, record: &impl Serialize) {
        // Nothing in a record fails to be written to memory.
        let _ = serde_json::to_writer(&mut self.text, record);
        self.text.push(b'\n');
    }

    fn token(&mut self, judged: &Judged, line: u64) {
        let value = |name: &str| judged.fields().get(name).cloned().unwrap_or_default();
        match self.form {
            Form::Field(name) => {
                self.text.extend_from_slice(printable(&plain(&value(name))).as_bytes());
                self.text.push(b'\n');
            }
            Form::FieldAsJson(name) => {
                self.add(&json!({ "schema": SCHEMA, "line": line, name: value(name) }));
            }
            Form::Record => {
                let mut report = judged.report();
                report.line = Some(line);
                self.add(&report);
            }
        }
    }

    fn error(&mut self, message: String, line: u64) {
        #[derive(Serialize)]
        struct Unread {
            schema: &'static str,
            line: u64,
            error: String,
        }
        match self.form {
            Form::Field(_) => self.text.push(b'\n'),
            Form::Record | Form::FieldAsJson(_) => self.add(&Unread { schema: SCHEMA, line, error: message }),
        }
    }

    fn say(&mut self, sink: &dyn Sink) {
        if !self.text.is_empty() {
            let mut text = std::mem::replace(&mut self.text, Vec::with_capacity(BLOCK));
            text.pop();
            // JSON and what was made printable are text.
            sink.event(Event::Lines(String::from_utf8(text).unwrap_or_default()));
        }
    }
}

impl Tally {
    async fn take(
        &mut self,
        line: Line<'_>,
        judge: &mut Judge<'_>,
        ready: &mut Ready,
    ) -> Result<(), Failure> {
        self.line += 1;
        let text = match line {
            Line::TooLong => {
                Err(format!("the line is longer than {MAX_TOKEN_BYTES} bytes, which no token is"))
            }
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
                ready.token(&judged, self.line);
                judged.fault()
            }
            Err(message) => {
                ready.error(message, self.line);
                Some(Kind::Token)
            }
        };
        self.count(fault);
        Ok(())
    }

    fn count(&mut self, fault: Option<Kind>) {
        let Some(kind) = fault else { return };
        if self.first == 0 {
            self.first = self.line;
        }
        if kind == Kind::Token { self.invalid += 1 } else { self.lacking += 1 }
    }

    /// The worst of them.
    pub(super) fn failure(&self) -> Option<Failure> {
        let Self { tokens, invalid, lacking, first, .. } = self;
        let mut message = format!("of {tokens} tokens");
        let kind = match (invalid, lacking) {
            (0, 0) if *tokens == 0 => {
                return Some(
                    Failure::new(Kind::Token, "there is no token").hint("corti-auth inspect < FILE"),
                );
            }
            (0, 0) => return None,
            (0, _) => Kind::Check,
            _ => Kind::Token,
        };
        let counts = [(invalid, "not valid"), (lacking, "without a required scope")];
        for (count, what) in counts.into_iter().filter(|(count, _)| **count > 0) {
            // Writing to a String cannot fail.
            let _ = write!(message, ", {count} {what}");
        }
        let hint = format!("the first is line {first}: sed -n {first}p FILE | corti-auth inspect");
        Some(Failure::new(kind, message).hint(hint))
    }
}

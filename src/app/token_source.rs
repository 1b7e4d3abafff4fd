//! Reads tokens from a file or standard input: one, or many.

use std::io::{Error, ErrorKind};
use std::path::Path;

use zeroize::Zeroizing;

use crate::app::context::Context;
use crate::app::input::{self, name};
use crate::domain::client::secret::{Secret, fingerprint};
use crate::domain::text::excerpt::at_most;
use crate::domain::token::inspection::Inspection;
use crate::domain::token::jwt::{Jwt, JwtError, MAX_TOKEN_BYTES};
use crate::domain::token::pasted::{self, Found, MAX_FOUND, MAX_TEXT};
use crate::edge::input::Input;
use crate::edge::prompt;
use crate::failure::{Failure, Kind};

/// The longest line with a token, in bytes, where each line is one: little text surrounds it.
pub(crate) const MAX_LINE: usize = MAX_TOKEN_BYTES + 4096;

/// How many tokens of a text are listed.
const MAX_LISTED: usize = 10;

/// A text with one token or many.
pub(crate) struct Source {
    input: Input,
    name: String,
    /// A command that reads a token, for hints.
    example: String,
    /// The bytes that were read to find out which.
    pub(crate) head: Vec<u8>,
    has_ended: bool,
}

impl Source {
    /// Opens a file, or standard input, to be read on this thread: quick, but Ctrl-C must end the process by itself.
    pub(crate) fn on_this_thread(file: Option<&Path>, example: String) -> Result<Self, Failure> {
        let input = Input::on_this_thread(file).map_err(|error| unreadable(&name(file), &error, &example))?;
        Ok(Self { input, name: name(file), example, head: Vec::new(), has_ended: false })
    }

    /// Opens it on another thread, so that the runtime can wait for Ctrl-C meanwhile. Reading reports a file that cannot be
    /// opened.
    pub(crate) fn on_a_thread(file: Option<&Path>, example: String) -> Self {
        let (input, name) = (Input::on_a_thread(file), name(file));
        Self { input, name, example, head: Vec::new(), has_ended: false }
    }

    /// A text that a person pasted.
    pub(crate) fn of(text: &str, example: String) -> Self {
        let input = Input::of(text.as_bytes().to_vec());
        Self { input, name: "the terminal".to_owned(), example, head: Vec::new(), has_ended: false }
    }

    /// Whether it is many tokens, one a line. Reads no further than needed to tell.
    pub(crate) async fn is_many(&mut self) -> Result<bool, Failure> {
        loop {
            let seen_enough = self.has_ended || self.head.len() > MAX_LINE;
            if let Some(many) = pasted::has_token_per_line(&self.head, seen_enough) {
                return Ok(many);
            }
            self.read_on().await?;
        }
    }

    /// The next bytes after the head; none at the end.
    pub(crate) async fn chunk(&mut self) -> Result<&[u8], Failure> {
        self.input.chunk().await.map_err(|error| unreadable(&self.name, &error, &self.example))
    }

    /// All of it.
    pub(crate) async fn whole(mut self) -> Result<Secret, Failure> {
        while !self.has_ended {
            if self.head.len() > MAX_TEXT {
                let error = Error::new(ErrorKind::InvalidData, format!("longer than {MAX_TEXT} bytes"));
                return Err(unreadable(&self.name, &error, &self.example));
            }
            self.read_on().await?;
        }
        // A search finds a token in any bytes.
        Ok(Secret::new(match String::from_utf8(self.head) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }))
    }

    async fn read_on(&mut self) -> Result<(), Failure> {
        let chunk =
            self.input.chunk().await.map_err(|error| unreadable(&self.name, &error, &self.example))?;
        self.has_ended = chunk.is_empty();
        self.head.extend_from_slice(chunk);
        Ok(())
    }
}

/// Finds the token that is meant in a text, and says where it was. Asks if there are several, or lists them; `nth` is the number
/// of one in that list.
pub(crate) async fn choose(
    text: &Secret,
    nth: Option<usize>,
    context: &Context<'_>,
) -> Result<Found, Failure> {
    let (found, remark) = choose_quietly(text, nth, context).await?;
    if let Some(remark) = remark {
        context.note(remark);
    }
    Ok(found)
}

/// As [`choose`], but returns what is to be said.
pub(crate) async fn choose_quietly(
    text: &Secret,
    nth: Option<usize>,
    context: &Context<'_>,
) -> Result<(Found, Option<String>), Failure> {
    let text = text.expose();
    // Nearly every text is just a token.
    let mut found = if pasted::is_bare(text) { vec![Found::bare(text)] } else { pasted::search(text)? };
    let chosen = match nth {
        Some(nth) if nth > found.len() => {
            let message = format!("--nth {nth} is too high: the text has {}", count(&found));
            return Err(list(message, &found, context));
        }
        Some(nth) => nth.saturating_sub(1),
        None => match pasted::preferred(&found) {
            Some(chosen) => chosen,
            None if context.may_ask() => {
                // A row that the terminal wraps would be drawn over.
                let columns = context.host.terminal.columns.unwrap_or(80).saturating_sub(6);
                let rows = found.iter().map(|it| at_most(columns, &row(it, context)).into_owned()).collect();
                let question = format!("The text has {}. Choose one", count(&found));
                context.questions().select(&question, rows).await?
            }
            None => return Err(list(format!("the text has {}", count(&found)), &found, context)),
        },
    };
    let others: Vec<String> =
        (0..found.len()).filter(|at| *at != chosen).take(3).map(|at| format!("--nth {}", at + 1)).collect();
    let found = found.swap_remove(chosen);
    let others = if others.is_empty() {
        String::new()
    } else {
        format!(" (for another token: {})", others.join(", "))
    };
    let remark = found.remark().map(|remark| remark + &others);
    Ok((found, remark))
}

/// `2 different tokens`.
fn count(found: &[Found]) -> String {
    match found.len() {
        1 => "1 token".to_owned(),
        MAX_FOUND => format!("{MAX_FOUND} different tokens or more"),
        count => format!("{count} different tokens"),
    }
}

fn list(message: String, found: &[Found], context: &Context<'_>) -> Failure {
    let rows =
        (1..).zip(found).take(MAX_LISTED).map(|(number, it)| format!("--nth {number}  {}", row(it, context)));
    rows.fold(Failure::new(Kind::Usage, message), Failure::hint)
}

/// A token in a list: nothing of it but what tells it from the others.
fn row(found: &Found, context: &Context<'_>) -> String {
    let inspection = Jwt::decode(&found.token).map(|jwt| Inspection::of(&jwt, context.host.clock.now()));
    let about = match inspection {
        Err(error) => error.to_string(),
        Ok(it) => {
            let client = it.client.as_ref().map(|client| format!(" of {client}")).unwrap_or_default();
            let expiry = it
                .expires_at
                .map(|at| format!(", {} {at:.0}", if it.is_expired() { "expired" } else { "expires" }));
            format!("{} token{client}{}", it.kind.as_str(), expiry.unwrap_or_default())
        }
    };
    let place = found.place();
    let place = if place.is_empty() { place } else { format!(", {place}") };
    format!("{}  {about}{place}", fingerprint(&found.token))
}

/// Asks a person for a token, unseen; a text around it is fine. `None` if a file is named, standard input is a pipe, or nobody can
/// be asked.
pub(crate) async fn ask(
    file: Option<&Path>,
    context: &Context<'_>,
) -> Result<Option<Zeroizing<String>>, Failure> {
    if file.is_some_and(|path| path.as_os_str() != "-") || !context.may_ask() {
        return Ok(None);
    }
    let plain = context.questions().plain;
    Ok(Some(prompt::paste("token", plain, pasted::is_token_line).await?))
}

/// The text with a token in a file or in standard input (`-`), which a person is asked for on a terminal. `hint` is for what
/// cannot be read.
pub(crate) async fn text(path: &Path, hint: String, context: &Context<'_>) -> Result<Secret, Failure> {
    if let Some(text) = ask(Some(path), context).await? {
        return Ok(Secret::new(text.to_string()));
    }
    let bytes = input::read(path, MAX_TEXT, context).await.map_err(|reason| {
        Failure::new(Kind::Usage, format!("cannot read the token from {reason}")).hint(hint)
    })?;
    Ok(Secret::new(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Refuses an empty text. `reader` is the command that reads it from standard input, and `what` the token that it needs.
pub(crate) fn refuse_empty(text: &Secret, what: &str, reader: &str) -> Result<(), Failure> {
    if !text.expose().trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').is_empty() {
        return Ok(());
    }
    Err(Failure::new(Kind::Token, JwtError::Empty).hint(format!("corti-auth token {what} | {reader}")))
}

/// Refuses a terminal as standard input, which `reader` reads.
pub(crate) fn refuse_terminal(reader: &str, context: &Context<'_>) -> Result<(), Failure> {
    if !context.host.terminal.stdin {
        return Ok(());
    }
    Err(Failure::new(Kind::Usage, "no token: pipe one in, or name a file")
        .hint(format!("corti-auth token transcribe | {reader}")))
}

fn unreadable(name: &str, error: &Error, example: &str) -> Failure {
    let kind = if error.kind() == ErrorKind::InvalidData { Kind::Token } else { Kind::Usage };
    Failure::new(kind, format!("cannot read a token from {name}: {error}")).hint(example)
}

//! Reads tokens from a file or standard input: one, or many.

use std::io::{Error, ErrorKind};
use std::path::Path;

use zeroize::Zeroizing;

use crate::app::context::Context;
use crate::app::input::name;
use crate::domain::client::secret::Secret;
use crate::domain::text::shell::Shell;
use crate::domain::token::jwt::MAX_TOKEN_BYTES;
use crate::domain::token::pasted;
use crate::edge::input::Input;
use crate::edge::prompt;
use crate::failure::{Failure, Kind};

/// How much of a text with one token is read, in bytes: little text surrounds a pasted token.
pub(crate) const MAX_TEXT: usize = MAX_TOKEN_BYTES + 4096;

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
            let seen_enough = self.has_ended || self.head.len() > MAX_TEXT;
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

    /// All of it, as the text of one token.
    pub(crate) async fn whole(mut self) -> Result<Secret, Failure> {
        while !self.has_ended {
            if self.head.len() > MAX_TEXT {
                let error = Error::new(ErrorKind::InvalidData, format!("longer than {MAX_TEXT} bytes"));
                return Err(advise(unreadable(&self.name, &error, &self.example), &self.head));
            }
            self.read_on().await?;
        }
        String::from_utf8(self.head).map(Secret::new).map_err(|error| {
            let failure = Failure::new(Kind::Token, "this is not a token: it is not text")
                .hint("give the token alone: corti-auth token transcribe | corti-auth inspect");
            advise(failure, error.as_bytes())
        })
    }

    async fn read_on(&mut self) -> Result<(), Failure> {
        let chunk =
            self.input.chunk().await.map_err(|error| unreadable(&self.name, &error, &self.example))?;
        self.has_ended = chunk.is_empty();
        self.head.extend_from_slice(chunk);
        Ok(())
    }
}

/// If a line of `text` is a token, adds a hint how to inspect line by line.
pub(crate) fn advise(failure: Failure, text: &[u8]) -> Failure {
    if pasted::has_token_line(text) {
        let inspect = Shell::HERE.read_from("corti-auth inspect --lines", "FILE");
        failure.hint(format!("one of its lines is a token; line by line: {inspect}"))
    } else {
        failure
    }
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
    Ok(Some(prompt::paste("Paste the token, then Enter", plain, pasted::is_token_line).await?))
}

/// Refuses a terminal as standard input.
pub(crate) fn refuse_terminal(context: &Context<'_>) -> Result<(), Failure> {
    if !context.host.terminal.stdin {
        return Ok(());
    }
    Err(Failure::new(Kind::Usage, "no token: pipe one in, or name a file")
        .hint("corti-auth token transcribe | corti-auth inspect"))
}

fn unreadable(name: &str, error: &Error, example: &str) -> Failure {
    let kind = if error.kind() == ErrorKind::InvalidData { Kind::Token } else { Kind::Usage };
    Failure::new(kind, format!("cannot read a token from {name}: {error}")).hint(example)
}

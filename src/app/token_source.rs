//! Where tokens come from, and whether it is one or many.

use std::io::{Error, ErrorKind};
use std::path::Path;

use crate::app::context::Context;
use crate::app::input::name;
use crate::domain::client::secret::Secret;
use crate::domain::token::jwt::MAX_TOKEN_BYTES;
use crate::domain::token::pasted;
use crate::edge::input::Input;
use crate::failure::{Failure, Kind};

/// How much of a text with one token is read: what stands around a token is short.
pub(crate) const MAX_TEXT: usize = MAX_TOKEN_BYTES + 4096;

/// A text with one token or many.
pub(crate) struct Source {
    input: Input,
    name: String,
    /// What was read to see which.
    pub(crate) head: Vec<u8>,
    has_ended: bool,
}

impl Source {
    /// A file, or standard input, where no runtime waits for anything else.
    ///
    /// # Errors
    /// Where the file cannot be opened.
    pub(crate) fn here(file: Option<&Path>) -> Result<Self, Failure> {
        let input = Input::here(file).map_err(|error| unreadable(&name(file), &error))?;
        Ok(Self { input, name: name(file), head: Vec::new(), has_ended: false })
    }

    /// The same beside the runtime, which waits for Ctrl-C, too. A file that cannot be opened is seen when it is read.
    pub(crate) fn beside(file: Option<&Path>) -> Self {
        Self { input: Input::beside(file), name: name(file), head: Vec::new(), has_ended: false }
    }

    /// Whether it is many tokens, one a line. Reads no further than needed to tell.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(crate) async fn is_many(&mut self) -> Result<bool, Failure> {
        loop {
            let seen_enough = self.has_ended || self.head.len() > MAX_TEXT;
            if let Some(many) = pasted::are_many(&self.head, seen_enough) {
                return Ok(many);
            }
            self.read_on().await?;
        }
    }

    /// The next bytes after the head; none at the end.
    pub(crate) async fn chunk(&mut self) -> Result<&[u8], Failure> {
        self.input.chunk().await.map_err(|error| unreadable(&self.name, &error))
    }

    /// All of it, as the text of one token.
    ///
    /// # Errors
    /// Where it cannot be read, is too long, or is no text.
    pub(crate) async fn whole(mut self) -> Result<Secret, Failure> {
        while !self.has_ended {
            if self.head.len() > MAX_TEXT {
                let error = Error::new(ErrorKind::InvalidData, format!("longer than {MAX_TEXT} bytes"));
                return Err(advise(unreadable(&self.name, &error), &self.head));
            }
            self.read_on().await?;
        }
        String::from_utf8(self.head).map(Secret::new).map_err(|error| {
            let failure = Failure::new(Kind::Token, "this is not a token: it is not text")
                .hint("give the token alone: corti-auth token --scope transcribe | corti-auth inspect");
            advise(failure, error.as_bytes())
        })
    }

    async fn read_on(&mut self) -> Result<(), Failure> {
        let chunk = self.input.chunk().await.map_err(|error| unreadable(&self.name, &error))?;
        self.has_ended = chunk.is_empty();
        self.head.extend_from_slice(chunk);
        Ok(())
    }
}

/// Where a text is no token and one of its lines is, says how to have them one by one.
pub(crate) fn advise(failure: Failure, text: &[u8]) -> Failure {
    if pasted::has_whole_line(text) {
        failure.hint("one of its lines is a token; line by line: corti-auth inspect --lines < FILE")
    } else {
        failure
    }
}

/// Refuses a terminal as standard input.
pub(crate) fn refuse_terminal(context: &Context<'_>) -> Result<(), Failure> {
    if !context.host.terminal.stdin {
        return Ok(());
    }
    Err(Failure::new(Kind::Usage, "there is no token: pipe one in, or name a file")
        .hint("corti-auth token --scope transcribe | corti-auth inspect"))
}

fn unreadable(name: &str, error: &Error) -> Failure {
    let kind = if error.kind == ErrorKind::InvalidData { Kind::Token } else { Kind::Usage };
    Failure::new(kind, format!("cannot read a token from {name}: {error}"))
        .hint("name a file with one token, or pipe it in: corti-auth inspect < FILE")
}

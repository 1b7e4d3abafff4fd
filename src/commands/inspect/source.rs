//! Where tokens come from, and whether it is one or many.

use std::io::{Error, ErrorKind};

use crate::domain::jwt::MAX_TOKEN_BYTES;
use crate::domain::paste;
use crate::domain::secret::Secret;
use crate::edge::input::Input;
use crate::failure::{Failure, Kind};

use super::super::context::Context;
use super::InspectArgs;

/// How much of a text with one token is read: what stands around a token is short.
pub(super) const MAX_TEXT: usize = MAX_TOKEN_BYTES + 4096;

/// A text with one token or many.
pub(super) struct Source {
    input: Input,
    name: String,
    /// What was read to see which.
    head: Vec<u8>,
    has_ended: bool,
}

impl Source {
    /// # Errors
    /// Where nothing is piped in, or the file cannot be opened.
    pub(super) fn open(args: &InspectArgs, context: &Context<'_>) -> Result<Self, Failure> {
        let file = args.file.as_deref().filter(|path| path.as_os_str() != "-");
        if args.file.is_none() && context.host.terminal.stdin {
            let message = "there is no token: nothing is piped in and no file is named";
            return Err(Failure::new(Kind::Usage, message)
                .hint("corti-auth token --scope transcribe | corti-auth inspect"));
        }
        let name = file.map_or_else(|| "standard input".to_owned(), |path| format!("`{}`", path.display()));
        let input = Input::open(file).map_err(|error| unreadable(&name, &error))?;
        let input = if args.needs_the_network() { input.beside() } else { input };
        Ok(Self { input, name, head: Vec::new(), has_ended: false })
    }

    /// Whether it is many tokens, one a line. Reads no further than needed to tell.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(super) async fn is_many(&mut self) -> Result<bool, Failure> {
        loop {
            let seen_enough = self.has_ended || self.head.len() > MAX_TEXT;
            if let Some(many) = paste::are_many(&self.head, seen_enough) {
                return Ok(many);
            }
            self.read_on().await?;
        }
    }

    /// The next bytes; none at the end.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(super) async fn chunk(&mut self) -> Result<&[u8], Failure> {
        if self.head.is_empty() {
            return self.input.chunk().await.map_err(|error| unreadable(&self.name, &error));
        }
        Ok(&[])
    }

    /// What was read ahead, once.
    pub(super) fn head(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.head)
    }

    /// All of it, as the text of one token.
    ///
    /// # Errors
    /// Where it cannot be read, is too long, or is no text.
    pub(super) async fn whole(mut self) -> Result<Secret, Failure> {
        while !self.has_ended {
            if self.head.len() > MAX_TEXT {
                let error = Error::new(ErrorKind::InvalidData, format!("longer than {MAX_TEXT} bytes"));
                return Err(unreadable(&self.name, &error));
            }
            self.read_on().await?;
        }
        String::from_utf8(self.head).map(Secret::new).map_err(|_| {
            Failure::new(Kind::Token, "this is not a token: it is not text")
                .hint("give the token alone: corti-auth token --scope transcribe | corti-auth inspect")
        })
    }

    async fn read_on(&mut self) -> Result<(), Failure> {
        let chunk = self.input.chunk().await.map_err(|error| unreadable(&self.name, &error))?;
        self.has_ended = chunk.is_empty();
        self.head.extend_from_slice(chunk);
        Ok(())
    }
}

fn unreadable(name: &str, error: &Error) -> Failure {
    let kind = if error.kind() == ErrorKind::InvalidData { Kind::Token } else { Kind::Usage };
    Failure::new(kind, format!("cannot read a token from {name}: {error}"))
        .hint("name a file with one token, or pipe it in: corti-auth inspect < FILE")
}

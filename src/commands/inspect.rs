//! `inspect`: decodes a token and says what it is and may do.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::domain::inspection::{Inspection, span};
use crate::domain::jwt::{Jwt, MAX_TOKEN_BYTES};
use crate::domain::page::{Page, Tone};
use crate::domain::scope::Reach;
use crate::domain::secret::Secret;
use crate::edge::host::{read_bounded, read_stdin};
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

use super::context::Context;

/// Decode a token and say what it is, what it may do, and until when
///
/// The token comes from a file or from standard input, never from the command line. Its signature is not checked: what
/// it says of itself is a claim.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth token --scope streams | corti-auth inspect
  corti-auth inspect token.txt --json

Exit code 7: the token has expired, or is none.")]
pub(super) struct InspectArgs {
    /// Read the token from this file, or from standard input (-)
    file: Option<PathBuf>,
}

/// A decoded token.
pub(super) struct InspectOutcome {
    inspection: Inspection,
    fingerprint: String,
}

/// # Errors
/// Where there is no token, or it cannot be read.
pub(super) fn run(args: &InspectArgs, context: &Context<'_>) -> Result<InspectOutcome, Failure> {
    let token = Secret::new(read(args.file.as_deref(), context)?);
    InspectOutcome::of(&token, context.host.clock.now())
}

fn read(file: Option<&Path>, context: &Context<'_>) -> Result<String, Failure> {
    // White space around a token is fine, up to a point.
    let limit = MAX_TOKEN_BYTES + 1024;
    let (read, source) = match file {
        Some(path) if path.as_os_str() != "-" => {
            (File::open(path).and_then(|file| read_bounded(file, limit)), format!("`{}`", path.display()))
        }
        None if context.host.terminal.stdin => {
            return Err(Failure::new(
                Kind::Usage,
                "there is no token: nothing is piped in and no file is named",
            )
            .hint("corti-auth token --scope transcribe | corti-auth inspect"));
        }
        _ => (read_stdin(limit), "standard input".to_owned()),
    };
    let bytes = read.map_err(|error| {
        let too_long = error.kind() == ErrorKind::InvalidData;
        let kind = if too_long { Kind::Token } else { Kind::Usage };
        Failure::new(kind, format!("cannot read a token from {source}: {error}"))
            .hint("name a file with one token, or pipe it in: corti-auth inspect < FILE")
    })?;
    String::from_utf8(bytes).map_err(|_| {
        Failure::new(Kind::Token, "this is not a token: it is not text")
            .hint("give the token alone: corti-auth token --scope transcribe | corti-auth inspect")
    })
}

impl InspectOutcome {
    /// # Errors
    /// Where `token` is not a readable JWT.
    pub(super) fn of(token: &Secret, now: Timestamp) -> Result<Self, Failure> {
        let text = token.expose().trim();
        let inspection = Inspection::of(&Jwt::decode(text)?, now)?;
        Ok(Self { inspection, fingerprint: Secret::new(text.to_owned()).fingerprint() })
    }

    /// What the scopes make of the token.
    pub(super) fn reach(&self) -> Option<Reach> {
        self.inspection.reach
    }

    /// The lines that matter most.
    pub(super) fn summary(&self) -> Page {
        let scopes = &self.inspection.scopes;
        let tone = match self.inspection.reach {
            Some(Reach::Limited) => Tone::Good,
            Some(_) => Tone::Caution,
            None => Tone::Plain,
        };
        let (expiry_tone, expiry) = self.expiry();
        Page::new()
            .field("kind", format!("{} token", self.inspection.kind.as_str()))
            .toned_field("may do", tone, self.inspection.meaning())
            .field(
                "scopes",
                if scopes.iter().next().is_none() { "none".to_owned() } else { scopes.to_string() },
            )
            .toned_field("expires", expiry_tone, expiry)
    }

    /// All of it.
    fn page(&self) -> Page {
        let Inspection { place, issuer, client, issued_at, algorithm, key_id, .. } = &self.inspection;
        let not_yet = self.inspection.not_before.map(|time| format!("{time}: it does not work yet"));
        self.summary()
            .optional("not before", not_yet)
            .optional("issued", issued_at.map(|time| time.to_string()))
            .optional("client", client.clone())
            .optional("environment", place.as_ref().map(|(environment, _)| environment.to_string()))
            .optional("tenant", place.as_ref().map(|(_, tenant)| tenant.to_string()))
            .optional("issuer", issuer.clone())
            .field("algorithm", algorithm)
            .optional("key id", key_id.clone())
            .field("fingerprint", &self.fingerprint)
            .toned_field(
                "signature",
                Tone::Caution,
                "not checked: all of this is what the token says of itself",
            )
    }

    fn expiry(&self) -> (Tone, String) {
        let (Some(at), Some(remaining)) = (self.inspection.expires_at, self.inspection.remaining) else {
            return (Tone::Caution, "never: it has no `exp` claim".to_owned());
        };
        let distance = span(remaining.unsigned_abs());
        if self.inspection.is_expired() {
            (Tone::Bad, format!("{at} (expired {distance} ago)"))
        } else {
            (Tone::Good, format!("{at} (in {distance})"))
        }
    }
}

impl Outcome for InspectOutcome {
    fn command(&self) -> &'static str {
        "inspect"
    }

    fn json(&self) -> Value {
        let it = &self.inspection;
        json!({
            "kind": it.kind.as_str(),
            "reach": it.reach.map(Reach::as_str),
            "meaning": it.meaning(),
            "scopes": it.scopes.to_strings(),
            "issuer": it.issuer,
            "environment": it.place.as_ref().map(|(environment, _)| environment.to_string()),
            "tenant": it.place.as_ref().map(|(_, tenant)| tenant.as_str()),
            "client_id": it.client,
            "issued_at": it.issued_at.map(|time| time.to_string()),
            "issued_at_unix": it.issued_at.map(Timestamp::as_second),
            "expires_at": it.expires_at.map(|time| time.to_string()),
            "expires_at_unix": it.expires_at.map(Timestamp::as_second),
            "remaining_seconds": it.remaining,
            "expired": it.is_expired(),
            "not_before": it.not_before.map(|time| time.to_string()),
            "not_before_unix": it.not_before.map(Timestamp::as_second),
            "algorithm": it.algorithm,
            "key_id": it.key_id,
            "signature": "not checked",
            "fingerprint": self.fingerprint,
        })
    }

    fn text(&self) -> Text {
        Text::Page(self.page())
    }

    fn verdict(&self) -> Option<Failure> {
        let failure = |message: String| {
            Failure::new(Kind::Token, message).hint("mint a new one: corti-auth token --scope transcribe")
        };
        match (self.inspection.remaining, self.inspection.not_before) {
            (Some(remaining), _) if self.inspection.is_expired() => {
                Some(failure(format!("the token expired {} ago", span(remaining.unsigned_abs()))))
            }
            (_, Some(time)) => Some(failure(format!("the token does not work before {time}"))),
            _ => None,
        }
    }
}

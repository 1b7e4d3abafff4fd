//! `explain`: lists the likely causes of a failed request. It sends nothing.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::app::context::Context;
use crate::app::input;
use crate::domain::client::resolve::{self, ResolveError};
use crate::domain::client::secret::Secret;
use crate::domain::client::variable::GivenSecret;
use crate::domain::explain::causes::{Cause, Confidence, explain};
use crate::domain::explain::evidence::{Configured, Evidence, UsedToken};
use crate::domain::explain::saved_exchange::SavedExchange;
use crate::domain::text::page::{Page, Tone};
use crate::domain::token::jwt::MAX_TOKEN_BYTES;
use crate::domain::token::scope::TokenClass;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

/// The longest saved response that is read. Corti's are kilobytes.
const MAX_RESPONSE_BYTES: usize = 4 * 1024 * 1024;

/// Give what you have: a status or a close code, the response as curl -i, -D or -v saved it (or its body, or a WebSocket's
/// message), the token that was used (default: `CORTI_ACCESS_TOKEN`). The token is compared with your configuration, if
/// there is one. Nothing is sent.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth explain --status 401
  curl -si https://api.eu.corti.app/v2/languages/ | corti-auth explain --response -
  corti-auth explain --response saved.txt --token-file token.txt --json

Exit code 1: no known cause matches.")]
pub(super) struct ExplainArgs {
    /// The HTTP status, or the close code of a WebSocket
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(100..5000))]
    status: Option<u16>,
    /// Read the response from this file, or from standard input (-)
    #[arg(long, value_name = "FILE")]
    response: Option<PathBuf>,
    /// Read the token that was used from this file, or from standard input (-)
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// An explained failure.
pub(super) struct ExplainOutcome {
    evidence: Evidence,
    causes: Vec<Cause>,
}

pub(super) async fn run(args: &ExplainArgs, context: &Context<'_>) -> Result<ExplainOutcome, Failure> {
    let named = [&args.response, &args.token_file];
    let piped = named.into_iter().flatten().filter(|path| path.as_os_str() == "-");
    if piped.count() > 1 {
        return Err(Failure::new(
            Kind::Usage,
            "the response and the token cannot both come from standard input",
        )
        .hint("corti-auth explain --response - --token-file FILE"));
    }
    let now = context.host.clock.now();
    let token = token(args, context).await?.map(|text| UsedToken::read(text.expose(), now));
    if args.status.is_none() && args.response.is_none() && token.is_none() {
        return Err(Failure::new(Kind::Usage, "there is nothing to explain")
            .hint("corti-auth explain --status 401")
            .hint("curl -si URL | corti-auth explain --response -"));
    }
    let exchange = match &args.response {
        Some(path) => SavedExchange::read(&read(RESPONSE, path, MAX_RESPONSE_BYTES, context).await?),
        None => SavedExchange::default(),
    };
    if let (Some(said), Some(saved)) = (args.status, exchange.status)
        && said != saved
    {
        let message = format!("--status is {said}, but the response's own is {saved}");
        return Err(Failure::new(Kind::Usage, message).hint("leave --status out"));
    }
    let secret = match &context.variables()?.client_secret {
        Some(GivenSecret::Value(secret)) => Some(secret.secret()),
        _ => None,
    };
    let evidence = Evidence::new(args.status, &exchange, token, configured(context)?, secret, now);
    let causes = explain(&evidence);
    Ok(ExplainOutcome { evidence, causes })
}

async fn token(args: &ExplainArgs, context: &Context<'_>) -> Result<Option<Secret>, Failure> {
    if let Some(path) = &args.token_file {
        return Ok(Some(Secret::new(read("--token-file", path, MAX_TOKEN_BYTES + 1024, context).await?)));
    }
    Ok(context.variables()?.access_token.as_ref().map(|token| token.secret().clone()))
}

/// The option that names a saved response.
const RESPONSE: &str = "--response";

/// Bytes that are not UTF-8 become `U+FFFD`.
async fn read(option: &str, path: &Path, limit: usize, context: &Context<'_>) -> Result<String, Failure> {
    let what = if option == RESPONSE { "response" } else { "token" };
    let bytes = input::read(path, limit, context).await.map_err(|reason| {
        Failure::new(Kind::Usage, format!("cannot read the {what} from {reason}")).hint(format!(
            "name a file that can be read, or pipe it in: corti-auth explain {option} - < FILE"
        ))
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The configuration, as far as there is one. A profile that was named must exist.
fn configured(context: &Context<'_>) -> Result<Configured, Failure> {
    let (flags, variables, config) = (context.flags()?, context.variables()?, context.config()?);
    match resolve::resolve(flags, variables, config) {
        Ok(plan) => Ok(Configured {
            place: Some((plan.client.environment, plan.client.tenant)),
            client: Some(plan.client.id),
        }),
        Err(error @ ResolveError::UnknownProfile { .. }) => Err(error.into()),
        Err(_) => {
            Ok(Configured { place: resolve::resolve_target(flags, variables, config).ok(), client: None })
        }
    }
}

impl ExplainOutcome {
    fn page(&self) -> Page {
        let mut page = Page::new();
        for (number, cause) in (1..).zip(&self.causes) {
            let (tone, confidence) = match cause.confidence {
                Confidence::High => (Tone::Strong, "high"),
                Confidence::Medium => (Tone::Plain, "medium"),
                Confidence::Low => (Tone::Plain, "low"),
            };
            page = page.toned(tone, format!("{number}. {} ({confidence}: {})", cause.cause, cause.id));
            for evidence in &cause.evidence {
                page = page.field("   because", evidence);
            }
            page = page.field("   remedy", &cause.remedy);
        }
        if self.causes.iter().all(|cause| cause.confidence == Confidence::Low) {
            let missing = match (self.evidence.answer(), &self.evidence.token) {
                (None, _) => "With a status alone these are guesses; add --response FILE to rank them.",
                (_, None) => "These are guesses; add --token-file FILE to rank them.",
                (_, Some(_)) => "These are guesses.",
            };
            page = page.line(missing);
        }
        match self.evidence.request_id() {
            Some(id) => page.toned(Tone::Dim, format!("for Corti's support: request {id}")),
            None => page,
        }
    }

    /// What is known, where no cause matches.
    fn seen(&self) -> Page {
        let token = self.evidence.token.as_ref().map(|held| held.secret.fingerprint());
        Page::new()
            .optional("status", self.evidence.status.map(|status| status.to_string()))
            .optional("answer", self.evidence.answer())
            .optional("token", token)
            .optional("request", self.evidence.request_id())
    }

    /// The token, without the token itself.
    fn token(&self) -> Option<Value> {
        let held = self.evidence.token.as_ref()?;
        let seen = held.inspection.as_ref();
        let place = seen.and_then(|seen| seen.place.as_ref());
        Some(json!({
            "fingerprint": held.secret.fingerprint(),
            "kind": seen.map(|seen| seen.kind.as_str()),
            "reach": seen.and_then(|seen| seen.class).map(TokenClass::as_str),
            "environment": place.map(|(environment, _)| environment.to_string()),
            "tenant": place.map(|(_, tenant)| tenant.as_str()),
            "expires_at": seen.and_then(|seen| seen.expires_at).map(|time| time.to_string()),
        }))
    }
}

impl Outcome for ExplainOutcome {
    fn command(&self) -> &'static str {
        "explain"
    }

    fn json(&self) -> Value {
        let cause = |cause: &Cause| {
            json!({
                "id": cause.id,
                "cause": cause.cause,
                "confidence": cause.confidence,
                "evidence": cause.evidence,
                "remedy": cause.remedy,
            })
        };
        json!({
            "status": self.evidence.status,
            "shape": self.evidence.answer(),
            "request_id": self.evidence.request_id(),
            "token": self.token(),
            "causes": self.causes.iter().map(cause).collect::<Vec<_>>(),
        })
    }

    fn text(&self) -> Text {
        Text::Page(if self.causes.is_empty() { self.seen() } else { self.page() })
    }

    fn verdict(&mut self) -> Option<Failure> {
        let missing = [
            (
                self.evidence.answer().is_none(),
                "save the response too: curl -si URL | corti-auth explain --response -",
            ),
            (
                self.evidence.token.as_ref().is_none(),
                "add the token that was used: corti-auth explain --token-file FILE",
            ),
        ];
        let failure = Failure::new(Kind::Unexpected, "no known cause matches");
        let hints = missing.into_iter().filter(|(is_missing, _)| *is_missing);
        let failure = hints.fold(failure, |failure, (_, hint)| failure.hint(hint));
        let last = "ask Corti's support, with a report: corti-auth doctor --report FILE";
        self.causes.is_empty().then(|| failure.hint(last))
    }
}

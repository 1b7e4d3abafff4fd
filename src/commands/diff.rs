//! `diff`: compares two tokens.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use crate::app::context::Context;
use crate::app::token_source::{self, Source, choose_quietly, refuse_terminal};
use crate::app::tokens::Tokens;
use crate::cli::token_args::{NthArgs, ScopeArgs};
use crate::domain::client::config::Config;
use crate::domain::client::identity::ProfileName;
use crate::domain::client::resolve::{self, Flags};
use crate::domain::client::secret::{Secret, fingerprint};
use crate::domain::text::page::{Page, Tone};
use crate::domain::token::comparison::{self, Comparison};
use crate::domain::token::inspection::Inspection;
use crate::domain::token::jwt::Jwt;
use crate::domain::token::reuse::CachePolicy;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

/// Reads a token from standard input.
const READER: &str = "corti-auth diff - FILE";

/// Each is a file with a token, standard input (-), or the name of a profile. For a profile a token is minted, with --scope,
/// --full or the profile's default scope. If a profile and a file have the same name, write ./NAME for the file. Neither
/// token is verified, and expired ones are compared too.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  corti-auth diff works.txt fails.txt
  corti-auth diff eu-dev us-dev --full
  corti-auth token -p acme --scope streams | corti-auth diff - token-of-the-customer.txt

Exit codes:
  0 they are the same, 10 they differ")]
pub(super) struct DiffArgs {
    /// The first token: a file, - or a profile
    a: String,
    /// The second token: a file, - or a profile
    b: String,
    #[command(flatten)]
    choice: ScopeArgs,
    #[command(flatten)]
    which: NthArgs,
}

pub(super) async fn run(args: &DiffArgs, context: &Context<'_>) -> Result<Outcome, Failure> {
    if args.a == "-" && args.b == "-" {
        return Err(Failure::new(Kind::Usage, "only one of the two can come from standard input")
            .hint("corti-auth diff - FILE"));
    }
    let Flags { profile, environment, tenant } = context.flags()?;
    if profile.is_some() || environment.is_some() || tenant.is_some() {
        let message = "diff takes no --profile, --environment or --tenant: name profiles or files as A and B";
        return Err(Failure::new(Kind::Usage, message).hint("corti-auth diff PROFILE PROFILE --full"));
    }
    let (a, a_line, a_inspection) = side(&args.a, args, context).await?;
    let (b, b_line, b_inspection) = side(&args.b, args, context).await?;
    let comparison = Comparison::of(&a_inspection, &b_inspection);
    let differences = comparison.differences();
    let json = json!({
        "same": differences.is_empty(),
        "differences": differences,
        "a": a,
        "b": b,
        "fields": comparison.fields(),
        "signature": "not checked",
    });
    let caution = "NOT VERIFIED, so none of this is proven";
    let page = Page::new().field("A", a_line).field("B", b_line).join(comparison.page()).toned_field(
        "signatures",
        Tone::Caution,
        caution,
    );
    let failure = (!differences.is_empty())
        .then(|| Failure::new(Kind::Check, format!("the tokens differ: {}", comparison::list(&differences))));
    Ok(Outcome { failure, ..Outcome::new("diff", json, Text::Page(page)) })
}

/// One of the tokens: as JSON, as a line of text, and its claims.
async fn side(
    word: &str,
    args: &DiffArgs,
    context: &Context<'_>,
) -> Result<(Value, String, Inspection), Failure> {
    let profile = match word.parse::<ProfileName>() {
        Ok(name) if context.config()?.profiles().contains_key(&name) => Some(name),
        _ => None,
    };
    let (source, text) = match (profile, word) {
        (Some(name), _) => (format!("profile {name}"), minted(name, args, context).await?),
        (None, "-") => {
            if let Some(text) = token_source::ask(None, context).await? {
                ("the terminal".to_owned(), Secret::new(text.to_string()))
            } else {
                refuse_terminal(READER, context)?;
                ("standard input".to_owned(), read(None).await?)
            }
        }
        (None, file) => {
            refuse_missing(file, context.config()?)?;
            (file.to_owned(), read(Some(Path::new(file))).await?)
        }
    };
    let unreadable = |failure: Failure| failure.context(format!("cannot compare {source}"));
    token_source::refuse_empty(&text, "transcribe", READER).map_err(unreadable)?;
    let of_both = "--nth counts in both texts: put a token of one of them into a file of its own";
    let several =
        |failure: Failure| if failure.kind == Kind::Usage { failure.hint(of_both) } else { failure };
    let chosen = choose_quietly(&text, args.which.nth, context).await;
    let (found, remark) = chosen.map_err(several).map_err(unreadable)?;
    if let Some(remark) = remark {
        context.note(format!("{source}: {remark}"));
    }
    let jwt = Jwt::decode(&found.token).map_err(|error| unreadable(error.into()))?;
    let inspection = Inspection::of(&jwt, context.host.clock.now());
    let fingerprint = fingerprint(&found.token);
    let is_expired = inspection.is_expired();
    let mark = if is_expired { ", expired" } else { "" };
    let line = format!("{source} ({fingerprint}{mark})");
    let json = json!({ "source": source, "fingerprint": fingerprint, "expired": is_expired });
    Ok((json, line, inspection))
}

/// Refuses a word that is neither a file nor a profile.
fn refuse_missing(word: &str, config: &Config) -> Result<(), Failure> {
    if !Path::new(word).try_exists().is_ok_and(|exists| !exists) {
        return Ok(());
    }
    let failure = Failure::new(Kind::Usage, format!("there is no file and no profile named `{word}`"));
    Err(failure.hint(match config.nearest(word) {
        Some(nearest) => format!("did you mean the profile `{nearest}`?"),
        None => "corti-auth profile list".to_owned(),
    }))
}

async fn read(file: Option<&Path>) -> Result<Secret, Failure> {
    Source::on_a_thread(file, "corti-auth diff FILE FILE".to_owned()).whole().await
}

async fn minted(name: ProfileName, args: &DiffArgs, context: &Context<'_>) -> Result<Secret, Failure> {
    let flags = Flags { profile: Some(name), ..Flags::default() };
    let plan = resolve::resolve(&flags, context.variables()?, context.config()?)?;
    let requested = args.choice.scope_request(
        &plan,
        context,
        ["corti-auth diff A B --scope transcribe", "corti-auth diff A B --full"],
    )?;
    let token = Tokens::new(context).get(&plan, &requested, CachePolicy::BYPASS).await?;
    Ok(token.access_token.secret().clone())
}

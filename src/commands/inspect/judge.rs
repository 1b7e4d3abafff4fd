//! Judges one token: decodes it, verifies it if asked to, and redacts it for a ticket.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::Value;

use crate::app::context::Context;
use crate::cli::argument;
use crate::domain::client::secret::fingerprint;
use crate::domain::text::excerpt::quoted;
use crate::domain::text::field;
use crate::domain::text::page::{Column, Page, Tone};
use crate::domain::token::claims::AllClaims;
use crate::domain::token::inspection::{Inspection, Places, span};
use crate::domain::token::jwt::{self, Jwt, LastHeader};
use crate::domain::token::pasted::{self, NoToken, Wrapping};
use crate::domain::token::report::Report;
use crate::domain::token::scope::{BASE, Scope, ScopeSet, TokenClass};
use crate::domain::token::signature::{self, SignatureError};
use crate::domain::token::verification::Verification;
use crate::edge::clock::Clock;
use crate::failure::{Failure, Kind};

use super::InspectArgs;
use super::verifier::Verifier;

/// The columns of [`Judged::cells`].
pub(super) const COLUMNS: [Column; 7] = [
    Column::whole("LINE", 4),
    Column::whole("MAY DO", 7),
    Column::whole("EXPIRES", 14),
    Column::whole("RESULT", 10),
    Column::whole("FINGERPRINT", 15),
    Column::text("SCOPES", 20, 10),
    Column::text("CLIENT", 36, 8),
];

/// Judges tokens.
pub(super) struct Judge<'a> {
    clock: Clock,
    verifier: Option<Verifier<'a>>,
    claims: bool,
    redact: bool,
    required: Vec<String>,
    named_audience: bool,
    header: LastHeader,
    places: Places,
}

/// A text that cannot be read as a token.
pub(super) struct Unreadable {
    error: NoToken,
    /// The scopes in what is left of it.
    scopes: Option<ScopeSet>,
    /// Whether its signature is good, if there are keys.
    signature: Option<Result<(), SignatureError>>,
}

/// A decoded token.
pub(super) struct Judged {
    inspection: Inspection,
    fingerprint: String,
    pub(super) cleaned: Vec<Wrapping>,
    verification: Option<Verification>,
    claims: Option<AllClaims>,
    /// When it was judged.
    now: Timestamp,
    redacted: bool,
    /// Whether `--audience` was given.
    named_audience: bool,
    /// The required scopes that it lacks.
    missing: Vec<String>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(args: &InspectArgs, context: &'a Context<'a>) -> Result<Self, Failure> {
        let verifier = args.verify.then(|| Verifier::new(args, context)).transpose()?;
        let required = argument::words(&args.require_scope).map(str::to_owned).collect();
        let (clock, header, places) = (context.host.clock, LastHeader::default(), Places::default());
        let (claims, redact, named_audience) = (args.claims, args.redact, !args.audience.is_empty());
        Ok(Self { clock, verifier, claims, redact, required, named_audience, header, places })
    }

    /// Judges a text. The inner error is the text's; the outer one means that there are no keys.
    pub(super) async fn judge(&mut self, text: &str) -> Result<Result<Judged, Unreadable>, Failure> {
        let now = self.clock.now();
        let (header, places) = (&mut self.header, &mut self.places);
        let mut read =
            |token: &str| Jwt::decode_after(token, header).map(|jwt| Inspection::from(jwt, now, places));
        // Nearly every text is just a token: try that first, since it is quicker.
        let (mut token, mut cleaned, mut read_as) = (Cow::Borrowed(text.trim()), Vec::new(), read(text));
        if read_as.is_err() {
            match pasted::only(text) {
                Ok(mut found) => {
                    (token, cleaned) = (Cow::Owned(std::mem::take(&mut *found.token)), found.cleaned);
                    read_as = read(&token);
                }
                Err(error) => return Ok(Err(self.unreadable(error, text))),
            }
        }
        let inspection = match read_as {
            Ok(inspection) => inspection,
            Err(error) => return Ok(Err(self.unreadable(error.into(), &token))),
        };
        let verification = match &mut self.verifier {
            Some(verifier) => Some(verifier.verify(&token, &inspection).await?),
            None => None,
        };
        let lacks = |scope: &&String| !inspection.scopes.contains(scope);
        let missing = self.required.iter().filter(lacks).cloned().collect();
        let claims = if self.claims { AllClaims::of(&token).ok() } else { None };
        Ok(Ok(Judged {
            fingerprint: fingerprint(&token),
            claims: claims.map(|claims| if self.redact { claims.redacted(&inspection) } else { claims }),
            now,
            inspection: if self.redact { inspection.redacted() } else { inspection },
            cleaned,
            verification,
            redacted: self.redact,
            named_audience: self.named_audience,
            missing,
        }))
    }
}

impl Judge<'_> {
    fn unreadable(&self, error: NoToken, token: &str) -> Unreadable {
        let keys = self.verifier.as_ref().and_then(Verifier::known);
        let signature = keys.map(|keys| signature::check(token, keys).map(drop));
        Unreadable { error, scopes: jwt::scopes_of_fragment(token), signature }
    }
}

impl Unreadable {
    /// The reason, without any of the text.
    pub(super) fn message(&self) -> String {
        match &self.signature {
            Some(Ok(())) => format!("{}, although the signature is good", self.error),
            Some(Err(SignatureError::Unreadable(_))) | None => self.error.to_string(),
            Some(Err(error)) => format!("{}; {error}", self.error),
        }
    }
}

impl From<Unreadable> for Failure {
    fn from(unreadable: Unreadable) -> Self {
        let failure = Self::from(unreadable.error);
        let failure = match &unreadable.scopes {
            Some(scopes) => failure.hint(format!("or mint a new one: {}", scopes.mint_command())),
            None => failure,
        };
        match unreadable.signature {
            Some(_) => failure.context(unreadable.message()),
            None => failure,
        }
    }
}

impl Judged {
    /// The record for programs. `line` is the number of its line, if there are many.
    pub(super) fn report(&self, line: Option<u64>) -> Report<'_> {
        let Self { inspection, fingerprint, cleaned, redacted, .. } = self;
        let (verification, claims) = (self.verification.as_ref(), self.claims.as_ref());
        Report { line, inspection, fingerprint, cleaned, verification, claims, redacted: *redacted }
    }

    /// One field of the record; null if the token lacks it.
    pub(super) fn field(&self, name: &str) -> Value {
        field::member(&self.fields(), name).cloned().unwrap_or_default()
    }

    /// The record as a JSON object.
    pub(super) fn fields(&self) -> Value {
        serde_json::to_value(self.report(None)).unwrap_or_default()
    }

    /// Everything about the token, for a person.
    pub(super) fn page(&self) -> Page {
        let it = &self.inspection;
        let page = match &self.claims {
            Some(claims) => it.summary().join(claims.page(it, self.now)).line(""),
            None => self.details(),
        };
        let page = page.field("fingerprint", &self.fingerprint);
        if let Some(verification) = &self.verification {
            return page.join(verification.page());
        }
        page.toned_field("signature", Tone::Caution, "NOT VERIFIED, so none of this is proven; add --verify")
    }

    /// The claims that matter to a user of Corti.
    fn details(&self) -> Page {
        let it = &self.inspection;
        let list = |items: &[String]| (!items.is_empty()).then(|| items.join(" "));
        let own_keys = (!it.own_keys.is_empty()).then(|| {
            format!("{}: the token names its own keys; corti-auth ignores them", it.own_keys.join(", "))
        });
        it.summary()
            .optional("not before", it.not_before.map(|time| format!("{time:.0}: not valid yet")))
            .optional("issued", it.issued_at.map(|time| format!("{time:.0}")))
            .optional("client", it.client.clone())
            .optional("user", it.username.clone())
            .optional("subject", it.subject.clone())
            .optional("environment", it.place.as_ref().map(|(environment, _)| environment.to_string()))
            .optional("tenant", it.place.as_ref().map(|(_, tenant)| tenant.to_string()))
            .optional("issuer", it.issuer.clone())
            .optional("audience", list(&it.audience))
            .optional("roles", list(&it.roles))
            .field("algorithm", &it.algorithm)
            .optional("key id", it.key_id.clone())
            .optional("token id", it.token_id.clone())
            .optional("caution", own_keys)
    }

    /// The command that mints a token like this one that also has the missing scopes.
    fn renewal_with_missing(&self) -> String {
        let scopes = &self.inspection.scopes;
        let wanted = scopes.iter().map(Scope::as_str).chain(self.missing.iter().map(String::as_str));
        ScopeSet::from_wire(&wanted.collect::<Vec<_>>().join(" ")).mint_command()
    }

    /// One row of a table, see [`COLUMNS`].
    pub(super) fn cells(&self, line: u64) -> Vec<String> {
        let it = &self.inspection;
        let expires = match it.remaining {
            None => "never".to_owned(),
            Some(..=0) => "expired".to_owned(),
            Some(seconds) => format!("in {}", span(seconds.unsigned_abs())),
        };
        let result = match self.verification.as_ref().map(|it| (it.valid, it.is_signed())) {
            None => "unverified",
            Some((true, _)) => "valid",
            Some((false, true)) => "INVALID",
            Some((false, false)) => "BAD SIG",
        };
        let reach = it.class.map_or(it.kind.as_str(), TokenClass::as_str);
        let fingerprint = self.fingerprint.clone();
        let scopes = it.scopes.iter().map(Scope::as_str).filter(|scope| !BASE.contains(scope));
        let (scopes, client) = (scopes.collect::<Vec<_>>().join(" "), it.client.clone().unwrap_or_default());
        let texts = [reach, &expires, result].map(str::to_owned);
        [&[line.to_string()], &texts[..], &[fingerprint, scopes, client]].concat()
    }

    /// What is wrong with the token, as a kind of failure.
    pub(super) fn fault(&self) -> Option<Kind> {
        let it = &self.inspection;
        let is_invalid = match &self.verification {
            Some(verification) => !verification.valid,
            None => it.is_expired() || it.not_before.is_some() || !it.errors.is_empty(),
        };
        if is_invalid { Some(Kind::Token) } else { Some(Kind::Check).filter(|_| !self.missing.is_empty()) }
    }

    /// The hint for an audience that is not the one of `--audience`. `failed` are the failed checks.
    fn hint_for_audience(&self, failed: &[String]) -> Option<String> {
        let it = &self.inspection;
        let is_wrong = failed.iter().any(|name| name == "audience") && it.error("aud").is_none();
        let found = it.audience.join(" ");
        (self.named_audience && is_wrong).then(|| match &*quoted(&found) {
            "" => "the token has no audience: leave --audience out".to_owned(),
            found => format!("the token's audience is {found}: compare it with --audience"),
        })
    }

    /// What is wrong with the token, in words.
    pub(super) fn failure(&self) -> Option<Failure> {
        let (kind, it) = (self.fault()?, &self.inspection);
        if kind == Kind::Check {
            let message = format!("the token lacks the scope `{}`", self.missing.join("` and `"));
            return Some(Failure::new(kind, message).hint(self.renewal_with_missing()));
        }
        if let Some(verification) = &self.verification {
            let failed: Vec<String> =
                verification.failed().map(|check| check.name.replace('_', " ")).collect();
            let message = format!("the token is not valid: {}", failed.join(", "));
            let failure = Failure::new(kind, message);
            let failure = match self.hint_for_audience(&failed) {
                // A new token would have the same audience.
                Some(hint) if failed.len() == 1 => return Some(failure.hint(hint)),
                Some(hint) => failure.hint(hint),
                None => failure,
            };
            return Some(failure.hint(it.renewal()).hint("corti-auth status"));
        }
        if !it.errors.is_empty() {
            let hint = match self.claims {
                None => "corti-auth inspect --claims FILE",
                Some(_) => "ask the issuer: Corti does not issue tokens with such claims",
            };
            return Some(Failure::new(kind, it.error_text()).hint(hint));
        }
        let message = match it.not_before.filter(|_| !it.is_expired()) {
            Some(time) => format!("the token is not valid before {time:.0}"),
            None => {
                format!("the token expired {} ago", span(it.remaining.unwrap_or_default().unsigned_abs()))
            }
        };
        Some(Failure::new(kind, message).hint(it.renewal()))
    }
}

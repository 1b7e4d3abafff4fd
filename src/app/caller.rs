//! Chooses who calls the API: a token that is given, or a client, for which tokens are minted.

use std::path::Path;

use jiff::Timestamp;

use crate::app::context::Context;
use crate::app::token_source;
use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::client::resolve::{self, Plan};
use crate::domain::client::secret::AccessToken;
use crate::domain::client::variable::ACCESS_TOKEN;
use crate::domain::text::shell::{Shell, quote};
use crate::domain::token::claim_error::{ClaimError, ClaimProblem};
use crate::domain::token::inspection::{Inspection, Kind as TokenKind};
use crate::domain::token::jwt::{Jwt, JwtError};
use crate::domain::token::scope::TokenClass;
use crate::failure::{Failure, Kind};

/// Who calls the API.
pub(crate) enum Caller {
    /// The client of a given token; nothing is minted.
    Ready(Box<ReadyToken>),
    /// A client.
    Client(Box<Plan>),
}

/// A given token, and where it is sent.
pub(crate) struct ReadyToken {
    pub(crate) token: AccessToken,
    /// `the token in CORTI_ACCESS_TOKEN`.
    pub(crate) name: String,
    /// The command that inspects it.
    pub(crate) inspect: String,
    environment: Environment,
    tenant: Tenant,
    /// `None` if its scopes cannot be read.
    class: Option<TokenClass>,
}

impl Caller {
    /// The ready token, unless a profile is named on the command line; else the client. The token need not say who issued it,
    /// but must not be for another environment.
    pub(crate) fn of(context: &Context<'_>) -> Result<Self, Failure> {
        let ready = context.variables()?.access_token.as_ref();
        let Some(token) = ready.filter(|_| context.options.profile.is_none()) else {
            return Ok(Self::Client(Box::new(context.plan()?)));
        };
        let (environment, tenant) =
            resolve::resolve_target(context.flags()?, context.variables()?, context.config()?)?;
        let inspection = inspect(token, context.host.clock.now())?;
        if inspection.as_ref().is_some_and(Inspection::is_expired) {
            return Err(Failure::new(Kind::Token, format!("the token in {ACCESS_TOKEN} has expired")).hint(
                format!("without it, corti-auth mints one itself: {}", Shell::HERE.unset(&[ACCESS_TOKEN])),
            ));
        }
        let place = inspection.as_ref().and_then(|inspection| inspection.place.as_ref());
        if let Some((issuer, realm)) = place.filter(|place| **place != (environment.clone(), tenant.clone()))
        {
            let token = format!("the token in {ACCESS_TOKEN}");
            return Err(misplaced(Kind::Configuration, &token, (issuer, realm), (&environment, &tenant)));
        }
        Ok(Self::Ready(Box::new(ReadyToken {
            token: token.clone(),
            name: format!("the token in {ACCESS_TOKEN}"),
            inspect: Shell::HERE.pipe_variable(ACCESS_TOKEN, "corti-auth inspect"),
            environment,
            tenant,
            class: inspection.and_then(|inspection| inspection.class),
        })))
    }

    /// The token in a file or in standard input (`-`). `what` it must be able to do, and `again` is a command that needs no such token.
    pub(crate) async fn of_file(
        path: &Path,
        nth: Option<usize>,
        what: &str,
        again: &str,
        context: &Context<'_>,
    ) -> Result<Self, Failure> {
        let GivenToken { token, inspection, environment, tenant } =
            GivenToken::in_file(path, nth, what, &format!("{again} --token-file -"), again, context).await?;
        let file = path.display().to_string();
        Ok(Self::Ready(Box::new(ReadyToken {
            token,
            name: if file == "-" { "the given token".to_owned() } else { format!("the token in `{file}`") },
            inspect: format!("corti-auth inspect {}", quote(&file)),
            environment,
            tenant,
            class: inspection.class,
        })))
    }

    /// Where its requests go.
    pub(crate) fn place(&self) -> (&Environment, &Tenant) {
        match self {
            Self::Ready(ready) => (&ready.environment, &ready.tenant),
            Self::Client(plan) => (&plan.client.environment, &plan.client.tenant),
        }
    }

    /// Whether it is a ready token that does not open the REST API.
    pub(crate) fn is_limited(&self) -> bool {
        matches!(self, Self::Ready(ready) if ready.class == Some(TokenClass::Limited))
    }
}

/// A token that the command line names. It is sent only to the environment and tenant that issued it, which must be the chosen
/// ones.
pub(crate) struct GivenToken {
    pub(crate) token: AccessToken,
    pub(crate) inspection: Inspection,
    pub(crate) environment: Environment,
    pub(crate) tenant: Tenant,
}

impl GivenToken {
    /// The token in a file or in standard input (`-`). `piped` is the command that reads standard input; see [`Self::of`].
    pub(crate) async fn in_file(
        path: &Path,
        nth: Option<usize>,
        what: &str,
        piped: &str,
        again: &str,
        context: &Context<'_>,
    ) -> Result<Self, Failure> {
        let text = token_source::text(path, Shell::HERE.read_from(piped, "FILE"), context).await?;
        token_source::refuse_empty(&text, what, piped)?;
        let found = token_source::choose(&text, nth, context).await?;
        let token = AccessToken::parse(&found.token).ok_or_else(|| {
            Failure::new(Kind::Token, "the token has characters that no token has").hint(again)
        })?;
        Self::of(token, again, context)
    }

    /// Refuses a token that is no access token, has expired, or belongs elsewhere. `again` is a command that needs no such token.
    pub(crate) fn of(token: AccessToken, again: &str, context: &Context<'_>) -> Result<Self, Failure> {
        let (environment, tenant) =
            resolve::resolve_target(context.flags()?, context.variables()?, context.config()?)?;
        context.sink.redactor().add(token.secret());
        let inspection = usable(&token, again, context.host.clock.now())?;
        issuer(Some(&inspection), Some((&environment, &tenant)), "the token", again)?;
        Ok(Self { token, inspection, environment, tenant })
    }
}

/// Refuses a token that is not an access token, or has expired.
pub(crate) fn usable(token: &AccessToken, again: &str, now: Timestamp) -> Result<Inspection, Failure> {
    match decode(token) {
        Ok(_) | Err(JwtError::Opaque) => {}
        Err(error) => return Err(error.into()),
    }
    let reason = match inspect(token, now)? {
        None => "the token is not a JWT, so its scopes cannot be read".to_owned(),
        Some(Inspection { kind: kind @ (TokenKind::Id | TokenKind::Refresh), .. }) => {
            format!("the token is of the kind `{}`, which opens no API", kind.as_str())
        }
        Some(inspection) if inspection.is_expired() => {
            return Err(Failure::new(Kind::Token, "the token has expired").hint(inspection.renewal()));
        }
        Some(inspection) => return Ok(inspection),
    };
    Err(Failure::new(Kind::Token, reason).hint(again))
}

/// Decodes a token.
pub(crate) fn decode(token: &AccessToken) -> Result<Jwt, JwtError> {
    Jwt::decode(token.secret().expose())
}

/// What a token says about itself; `None` if it is not a JWT.
pub(crate) fn inspect(token: &AccessToken, now: Timestamp) -> Result<Option<Inspection>, Failure> {
    match decode(token) {
        Ok(jwt) => Ok(Some(Inspection::of(&jwt, now))),
        Err(error @ JwtError::Claim(ClaimError { problem: ClaimProblem::NoDate, .. })) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// The issuer of a given token: the only environment and tenant it may be sent to. Fails if the token names none, or another
/// than `chosen`. `token` is its name in messages, `otherwise` the hint if it names none.
pub(crate) fn issuer<'a>(
    inspection: Option<&'a Inspection>,
    chosen: Option<(&Environment, &Tenant)>,
    token: &str,
    otherwise: &str,
) -> Result<(&'a Environment, &'a Tenant), Failure> {
    let Some((issuer, realm)) = inspection.and_then(|inspection| inspection.place.as_ref()) else {
        let message = format!("{token} does not say which environment issued it: it was not sent");
        return Err(Failure::new(Kind::Token, message).hint(otherwise));
    };
    match chosen.filter(|chosen| *chosen != (issuer, realm)) {
        Some(chosen) => Err(misplaced(Kind::Token, token, (issuer, realm), chosen)),
        None => Ok((issuer, realm)),
    }
}

fn misplaced(
    kind: Kind,
    token: &str,
    (issuer, realm): (&Environment, &Tenant),
    (environment, tenant): (&Environment, &Tenant),
) -> Failure {
    let message = format!(
        "{token} was issued by `{issuer}`, tenant `{realm}`, and is not sent to `{environment}`, tenant `{tenant}`"
    );
    Failure::new(kind, message)
        .hint(format!("to use the environment that issued it: add --environment {issuer} --tenant {realm}"))
}

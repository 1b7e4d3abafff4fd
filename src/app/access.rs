//! Who acts towards the API: the ready token of `CORTI_ACCESS_TOKEN`, or a client whose tokens are minted or cached.

use jiff::Timestamp;

use crate::app::context::Context;
use crate::app::minting::Minter;
use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::client::resolve::{self, Plan};
use crate::domain::client::secret::AccessToken;
use crate::domain::client::variable::ACCESS_TOKEN;
use crate::domain::token::inspection::Inspection;
use crate::domain::token::jwt::Jwt;
use crate::domain::token::reuse::{Mode, Reuse};
use crate::domain::token::scope::{Ask, Reach};
use crate::failure::{Failure, Kind};

/// Where requests go, and whose tokens they carry.
pub(crate) enum Access {
    /// A token that is there already: nothing is minted.
    Ready(Box<Ready>),
    /// A client.
    Client(Box<Plan>),
}

/// A ready token and where it belongs.
pub(crate) struct Ready {
    environment: Environment,
    tenant: Tenant,
    token: AccessToken,
    /// What its scopes make of it, where they can be read.
    reach: Option<Reach>,
}

impl Access {
    /// A profile that was named on the command line outranks the variable.
    ///
    /// # Errors
    /// Where neither is known, or the ready token has expired or belongs elsewhere.
    pub(crate) fn of(context: &Context<'_>) -> Result<Self, Failure> {
        let ready = context.variables()?.access_token.as_ref();
        let Some(token) = ready.filter(|_| context.options.profile.is_none()) else {
            return Ok(Self::Client(Box::new(context.plan()?)));
        };
        let (environment, tenant) =
            resolve::resolve_target(context.flags()?, context.variables()?, context.config()?)?;
        let reach = match inspect(token, context.host.clock.now())? {
            Some(inspection) => {
                refuse_misplaced(&inspection, &environment, &tenant)?;
                inspection.reach
            }
            None => None,
        };
        Ok(Self::Ready(Box::new(Ready { environment, tenant, token: token.clone(), reach })))
    }

    pub(crate) fn environment(&self) -> &Environment {
        match self {
            Self::Ready(ready) => &ready.environment,
            Self::Client(plan) => &plan.client.environment,
        }
    }

    pub(crate) fn tenant(&self) -> &Tenant {
        match self {
            Self::Ready(ready) => &ready.tenant,
            Self::Client(plan) => &plan.client.tenant,
        }
    }

    /// Whether the token is a ready one that opens no REST API.
    pub(crate) fn is_limited(&self) -> bool {
        matches!(self, Self::Ready(ready) if ready.reach == Some(Reach::Limited))
    }

    /// A token for the REST API.
    ///
    /// # Errors
    /// Where none can be minted.
    pub(crate) async fn full_token(&self, minter: &Minter<'_>) -> Result<AccessToken, Failure> {
        if self.is_limited() {
            let message = format!("the token in {ACCESS_TOKEN} is a limited one, which opens no REST API");
            let hint = format!("put a full one there, or unset {ACCESS_TOKEN} to have one minted");
            minter.context.warn(message, Some(&hint));
        }
        self.token(minter, &Ask::Full).await
    }

    /// A token that was minted just now; `None` where a ready one is all there is.
    ///
    /// # Errors
    /// Where none can be minted.
    pub(crate) async fn renewed_token(
        &self,
        minter: &Minter<'_>,
        ask: &Ask,
    ) -> Result<Option<AccessToken>, Failure> {
        let reuse = minter.context.default_reuse();
        match self {
            Self::Client(plan) => {
                let mode = if reuse.mode == Mode::NoCache { Mode::NoCache } else { Mode::Refresh };
                let reuse = Reuse { mode, ..reuse };
                Ok(Some(minter.lease(plan, ask, reuse).await?.access_token))
            }
            Self::Ready(_) => Ok(None),
        }
    }

    /// The ready token, whatever it is, or a new one.
    ///
    /// # Errors
    /// Where none can be minted.
    pub(crate) async fn token(&self, minter: &Minter<'_>, ask: &Ask) -> Result<AccessToken, Failure> {
        match self {
            Self::Ready(ready) => Ok(ready.token.clone()),
            Self::Client(plan) => {
                Ok(minter.lease(plan, ask, minter.context.default_reuse()).await?.access_token)
            }
        }
    }
}

/// What a token says of itself; `None` where it is no JWT.
///
/// # Errors
/// Where its dates are none.
pub(crate) fn inspect(token: &AccessToken, now: Timestamp) -> Result<Option<Inspection>, Failure> {
    let Ok(jwt) = Jwt::decode(token.secret().expose()) else { return Ok(None) };
    Ok(Some(Inspection::of(&jwt, now)?))
}

/// The environment and tenant that issued a token, by its own claims. A token that somebody gave is sent there only: elsewhere
/// it would be of no use, and be seen. `token` is its name in messages, `otherwise` the hint where the issuer is unknown.
///
/// # Errors
/// Where the token does not say who issued it, or others are `chosen`.
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
        .hint(format!("if that is where it belongs: --environment {issuer} --tenant {realm}"))
}

/// The same for a ready token, which need not say who issued it.
fn refuse_misplaced(
    inspection: &Inspection,
    environment: &Environment,
    tenant: &Tenant,
) -> Result<(), Failure> {
    if inspection.is_expired() {
        return Err(Failure::new(Kind::Token, format!("the token in {ACCESS_TOKEN} has expired"))
            .hint(format!("mint a new one, or unset {ACCESS_TOKEN}")));
    }
    match &inspection.place {
        Some((issuer, realm)) if issuer != environment || realm != tenant => {
            let token = format!("the token in {ACCESS_TOKEN}");
            Err(misplaced(Kind::Configuration, &token, (issuer, realm), (environment, tenant)))
        }
        _ => Ok(()),
    }
}

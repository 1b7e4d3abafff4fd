//! Who acts towards the API: the ready token of `CORTI_ACCESS_TOKEN`, or a client whose tokens are minted or cached.

use jiff::Timestamp;

use crate::domain::environment::Environment;
use crate::domain::identity::Tenant;
use crate::domain::inspection::Inspection;
use crate::domain::jwt::Jwt;
use crate::domain::lease::{Mode, Reuse};
use crate::domain::resolve::{self, Plan};
use crate::domain::scope::{Ask, Reach};
use crate::domain::secret::AccessToken;
use crate::domain::variable::ACCESS_TOKEN;
use crate::failure::{Failure, Kind};

use super::context::Context;
use super::minting::Minter;
use super::reuse;

/// Where requests go, and whose tokens they carry.
pub(super) enum Access {
    /// A token that is there already: nothing is minted.
    Ready(Box<Ready>),
    /// A client.
    Client(Box<Plan>),
}

/// A ready token and where it belongs.
pub(super) struct Ready {
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
    pub(super) fn of(context: &Context<'_>) -> Result<Self, Failure> {
        let ready = context.variables()?.access_token.as_ref();
        let Some(token) = ready.filter(|_| context.globals.profile.is_none()) else {
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

    pub(super) fn environment(&self) -> &Environment {
        match self {
            Self::Ready(ready) => &ready.environment,
            Self::Client(plan) => &plan.client.environment,
        }
    }

    pub(super) fn tenant(&self) -> &Tenant {
        match self {
            Self::Ready(ready) => &ready.tenant,
            Self::Client(plan) => &plan.client.tenant,
        }
    }

    /// Whether the token is a ready one that opens no REST API.
    pub(super) fn is_limited(&self) -> bool {
        matches!(self, Self::Ready(ready) if ready.reach == Some(Reach::Limited))
    }

    /// A token for the REST API.
    ///
    /// # Errors
    /// Where none can be minted.
    pub(super) async fn full_token(&self, minter: &Minter<'_>) -> Result<AccessToken, Failure> {
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
    pub(super) async fn renewed_token(
        &self,
        minter: &Minter<'_>,
        ask: &Ask,
    ) -> Result<Option<AccessToken>, Failure> {
        let reuse = reuse::by_default(minter.context);
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
    pub(super) async fn token(&self, minter: &Minter<'_>, ask: &Ask) -> Result<AccessToken, Failure> {
        match self {
            Self::Ready(ready) => Ok(ready.token.clone()),
            Self::Client(plan) => {
                Ok(minter.lease(plan, ask, reuse::by_default(minter.context)).await?.access_token)
            }
        }
    }
}

/// What a token says of itself; `None` where it is no JWT.
///
/// # Errors
/// Where its dates are none.
pub(super) fn inspect(token: &AccessToken, now: Timestamp) -> Result<Option<Inspection>, Failure> {
    let Ok(jwt) = Jwt::decode(token.secret().expose()) else { return Ok(None) };
    Ok(Some(Inspection::of(&jwt, now)?))
}

/// A token goes to the environment that issued it, and to no other: it would be of no use there, and be seen.
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
            let message = format!(
                "the token in {ACCESS_TOKEN} was issued by `{issuer}`, tenant `{realm}`, and is not sent to \
                 `{environment}`, tenant `{tenant}`"
            );
            Err(Failure::new(Kind::Configuration, message)
                .hint(format!("if that is where it belongs: --environment {issuer} --tenant {realm}")))
        }
        _ => Ok(()),
    }
}

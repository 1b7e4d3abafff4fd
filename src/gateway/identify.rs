//! Finds out who asks: reads the credential and verifies it.

use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::kept::Missing;
use super::state::Gateway;
use super::throttle::lock;
use crate::domain::client::secret::Secret;
use crate::domain::gateway::caller::{Caller, JwtRefusal, KEY_PREFIX, claimed_issuer};
use crate::domain::gateway::place::Credential;
use crate::domain::gateway::refusal::{Code, Refusal};
use crate::domain::gateway::ticket::Ticket;

/// How long a verified JWT is not verified again.
const VERIFIED_LIVES: Duration = Duration::from_secs(60);

/// How many verified JWTs are remembered.
const MOST_VERIFIED: usize = 10_000;

impl Gateway {
    /// The caller, and the ticket if that is the credential.
    pub(super) async fn identify(
        &self,
        credential: &Credential,
    ) -> Result<(Caller, Option<Ticket>), Refusal> {
        match credential {
            Credential::Ticket(text) => {
                let ticket = Ticket::verify(text, &self.ticket_keys, self.clock.now())?;
                Ok((ticket.caller(), Some(ticket)))
            }
            Credential::Bearer(token) if token.expose().starts_with(KEY_PREFIX) => {
                Ok((self.of_key(token)?, None))
            }
            Credential::Bearer(token) => Ok((self.of_jwt(token).await?, None)),
        }
    }

    fn of_key(&self, key: &Secret) -> Result<Caller, Refusal> {
        let digest: [u8; 32] = Sha256::digest(key.expose().as_bytes()).into();
        let same = self.config.keys.iter().find(|known| bool::from(known.sha256.ct_eq(&digest)));
        let key = same.ok_or_else(|| Refusal::new(Code::CredentialInvalid, "there is no such API key"))?;
        Ok(Caller::of_key(&key.name, &key.groups))
    }

    async fn of_jwt(&self, token: &Secret) -> Result<Caller, Refusal> {
        let digest: [u8; 32] = Sha256::digest(token.expose().as_bytes()).into();
        let now = self.clock.now();
        if let Some((caller, verified)) = lock(&self.verified).get(&digest)
            && verified.elapsed() < VERIFIED_LIVES
            && !caller.remaining(now, VERIFIED_LIVES).is_zero()
        {
            return Ok(caller.clone());
        }
        let claimed = claimed_issuer(token);
        let known = self.issuers.iter().find(|(issuer, _)| Some(&issuer.url) == claimed.as_ref());
        let Some((issuer, keys)) = known else {
            return Err(Refusal::new(
                Code::CredentialInvalid,
                "the token is of no issuer that this gateway trusts",
            ));
        };
        let unavailable = |Missing(after)| {
            Refusal::later(
                Code::TokenUnavailable,
                "the identity provider's keys cannot be fetched now",
                after,
            )
        };
        let (set, generation) = keys.get().await.map_err(unavailable)?;
        let caller = match Caller::of_jwt(token, issuer, &set, now) {
            Err(JwtRefusal::UnknownKey) => match keys.after(generation).await {
                Ok((newer, _)) => Caller::of_jwt(token, issuer, &newer, now),
                Err(_) => Err(JwtRefusal::UnknownKey),
            },
            verified => verified,
        };
        let caller = caller.map_err(|refusal| match refusal {
            JwtRefusal::Refused(refusal) => refusal,
            JwtRefusal::UnknownKey => {
                Refusal::new(Code::CredentialInvalid, "the token's key is not one of its issuer's")
            }
        })?;
        let mut verified = lock(&self.verified);
        if verified.len() >= MOST_VERIFIED {
            verified.retain(|_, (_, at)| at.elapsed() < VERIFIED_LIVES);
        }
        if verified.len() < MOST_VERIFIED {
            verified.insert(digest, (caller.clone(), Instant::now()));
        }
        Ok(caller)
    }
}

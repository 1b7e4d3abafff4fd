//! Finds out who asks: reads the credential and verifies it.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::kept::Missing;
use super::state::Gateway;
use crate::domain::client::secret::Secret;
use crate::domain::gateway::caller::{Caller, KEY_PREFIX, claimed_issuer, needs_newer_keys};
use crate::domain::gateway::config::ApiKey;
use crate::domain::gateway::credential::Credential;
use crate::domain::gateway::refusal::{Code, Refusal};
use crate::domain::gateway::ticket::Ticket;
use crate::domain::token::jwt;

/// The shortest API key, in characters. An operator may have hashed one that can be guessed.
const SHORTEST_KEY: usize = 32;

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
        if key.length() < SHORTEST_KEY {
            return Err(invalid("this is too short for an API key"));
        }
        let digest = format!("{:x}", Sha256::digest(key.expose().as_bytes()));
        let is_same = |known: &ApiKey| bool::from(known.sha256.as_bytes().ct_eq(digest.as_bytes()));
        let known = self.config.keys.iter().find(|(_, known)| is_same(known));
        let (name, key) = known.ok_or_else(|| invalid("unknown API key"))?;
        Ok(Caller::of_key(name, &key.groups))
    }

    async fn of_jwt(&self, token: &Secret) -> Result<Caller, Refusal> {
        let digest: [u8; 32] = Sha256::digest(token.expose().as_bytes()).into();
        let now = self.clock.now();
        let known = self.verified.get(&digest);
        if let Some(caller) = known.filter(|caller| caller.expires_at.is_none_or(|end| end > now)) {
            return Ok(caller);
        }
        if jwt::header(token.expose()).is_err() {
            return Err(invalid("this is neither an API key nor a JWT"));
        }
        let claimed = claimed_issuer(token);
        let known = self.issuers.iter().find(|(issuer, _)| Some(&issuer.url) == claimed.as_ref());
        let (issuer, keys) =
            known.ok_or_else(|| invalid("this gateway does not trust the token's issuer"))?;
        let unavailable = |Missing(after)| {
            let detail = "the identity provider's keys cannot be fetched now";
            Refusal::later(Code::KEYS_UNAVAILABLE, detail, after)
        };
        let (mut set, generation) = keys.get().await.map_err(unavailable)?;
        if needs_newer_keys(token, &set)
            && let Ok((newer, _)) = keys.after(generation).await
        {
            set = newer;
        }
        let mut caller = Caller::of_jwt(token, issuer, &set, now)?;
        // The other groups decide nothing, and would make tickets long.
        let known = self.config.groups();
        caller.groups.retain(|group| known.contains(group.as_str()));
        self.verified.insert(digest, caller.clone());
        Ok(caller)
    }
}

fn invalid(detail: &str) -> Refusal {
    Refusal::new(Code::CREDENTIAL_INVALID, detail)
}

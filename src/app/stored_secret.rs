//! What changes a stored secret. The configuration is locked meanwhile, and a profile is named before its secret is stored
//! and removed after it: whenever a command is killed, no secret is stored that no profile names.

use crate::app::context::Context;
use crate::app::tokens;
use crate::app::verification;
use crate::domain::client::config::{Config, Profile};
use crate::domain::client::identity::{Client, ProfileName};
use crate::domain::client::secret::ClientSecret;
use crate::domain::client::store_kind::StoreKind;
use crate::domain::token::cache_key::CredentialId;
use crate::edge::config_file::ConfigLock;
use crate::edge::store::StoreError;
use crate::failure::Failure;

/// A secret on its way into the store of a profile.
pub(crate) struct SecretUpdate<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) name: &'a ProfileName,
    pub(crate) client: &'a Client,
    pub(crate) kind: &'a StoreKind,
    /// `None` where it is stored already.
    pub(crate) secret: Option<&'a ClientSecret>,
    /// Whether the server has accepted it.
    pub(crate) verified: bool,
    /// The command that does the same again.
    pub(crate) again: String,
}

impl SecretUpdate<'_> {
    /// Stores the secret, and gives the configuration as it is then. `check_profile` makes sure that the profile is in the
    /// configuration, which another process may have changed since this one read it.
    ///
    /// # Errors
    /// Where the store or the configuration cannot be used, and those of `check_profile`.
    pub(crate) async fn run(
        &self,
        check_profile: impl FnOnce(&mut Config) -> Result<(), Failure>,
    ) -> Result<Config, Failure> {
        let Self { context, client, kind, .. } = self;
        let store = context.store(kind)?;
        // Others wait for the configuration: whatever takes long, or asks a person to unlock the keyring, comes first.
        let write = match self.secret {
            Some(secret) => {
                let usable = store.ensure_usable(client, context.sink).await;
                usable.map_err(|error| self.failed(&error))?;
                Some(store.prepare_write(client, secret).await.map_err(|error| self.failed(&error))?)
            }
            None => None,
        };
        let mut held = context.config_file()?.hold().await?;
        let before = held.config.clone();
        check_profile(&mut held.config)?;
        // No cached token belongs to the new secret, and a kill may come before it has an id of its own.
        held.config.set_credential(client, kind, None);
        if !self.verified {
            held.config.set_verified(client, kind, None);
        }
        held.save()?;
        if let Some(write) = write
            && let Err(error) = write.run().await
        {
            if !matches!(error, StoreError::Unanswered(_)) {
                held.config = before;
                // Where this fails too, a new profile stays without a secret, as after a kill. The next login mends it.
                let _ = held.save();
            }
            return Err(self.failed(&error));
        }
        self.note(&mut held);
        tokens::remove_of(client, context);
        Ok(held.config.clone())
    }

    /// Notes a new id for the secret, and that it was verified just now. Without them tokens are found more slowly, and
    /// `status` does not know.
    fn note(&self, held: &mut ConfigLock) {
        let Self { context, client, kind, .. } = self;
        held.config.set_credential(client, kind, new_id(kind).as_ref());
        if self.verified {
            held.config.set_verified(client, kind, Some(verification::now(context)));
        }
        if let Err(error) = held.save() {
            verification::warn_not_updated(context, &error.into());
        }
    }

    fn failed(&self, error: &StoreError) -> Failure {
        Failure::change(error, self.client, self.name, "stored", &self.again)
    }
}

/// An id for what is stored from now on. A command's secret has none: the other program may change it at any time.
fn new_id(kind: &StoreKind) -> Option<CredentialId> {
    let mut random = [0; 16];
    let has_one = !matches!(kind, StoreKind::Command(_)) && getrandom::fill(&mut random).is_ok();
    has_one.then(|| CredentialId::of(random))
}

impl Context<'_> {
    /// The store of a profile's secret, ready to be used: a locked keyring is unlocked now, and not while others wait for the
    /// configuration.
    ///
    /// # Errors
    /// Where the store cannot be used.
    pub(crate) async fn reach_store(&self, name: &ProfileName, profile: &Profile) -> Result<(), Failure> {
        let reached = self.store(&profile.store)?.ensure_usable(&profile.client, self.sink).await;
        reached.map(drop).map_err(|error| Failure::store(&error, &profile.client, name))
    }

    /// Removes a profile's secret and says whether there was one. What another program keeps is left alone. `again` is the
    /// command that does the same again.
    ///
    /// Before it, [`Context::reach_store`], and [`Config::set_credential`] in a configuration that is held: no cached token
    /// is found by an id whose secret is gone, and no other process stores a secret meanwhile.
    ///
    /// # Errors
    /// Where the store cannot be used.
    pub(crate) async fn remove_secret(
        &self,
        name: &ProfileName,
        profile: &Profile,
        again: &str,
    ) -> Result<bool, Failure> {
        let Profile { client, store, .. } = profile;
        if matches!(store, StoreKind::Command(_)) {
            return Ok(false);
        }
        let deleted = self.store(store)?.delete(client).await;
        deleted.map_err(|error| Failure::change(&error, client, name, "removed", again))
    }
}

//! A client on its way into a store and a profile: what `login` and `profile import` share.
//!
//! The store and the file are tried before anybody is asked for a secret, the secret is verified before it is stored,
//! and it is stored before the profile names it: a profile never stands there without its secret.

use serde_json::{Value, json};

use crate::domain::config::StoreKind;
use crate::domain::identity::{Client, ProfileName};
use crate::domain::page::{Page, Tone};
use crate::domain::scope::Ask;
use crate::domain::secret::ClientSecret;
use crate::edge::config_file::ConfigFile;
use crate::edge::keyring::SERVICE;
use crate::edge::store::Store;
use crate::failure::Failure;

use super::context::Context;
use super::minting::Minter;
use super::verification;

/// A client that can be stored.
pub(super) struct Enrolment<'a> {
    context: &'a Context<'a>,
    file: ConfigFile,
    name: ProfileName,
    client: Client,
    kind: StoreKind,
    store: Store,
}

/// A stored client.
pub(super) struct Enrolled {
    profile: ProfileName,
    client: Client,
    store: StoreKind,
    pub(super) verified: bool,
    is_default: bool,
}

/// The profile that a client is stored under: the named one, or `default`.
///
/// # Errors
/// Where its name is malformed.
pub(super) fn profile_name(context: &Context<'_>) -> Result<ProfileName, Failure> {
    let named = context.flags()?.profile.clone();
    Ok(named.or(context.variables()?.profile.clone()).unwrap_or_default())
}

impl<'a> Enrolment<'a> {
    /// Makes sure that a secret could be kept, and found again.
    ///
    /// # Errors
    /// Where the store or the configuration cannot be used.
    pub(super) async fn prepare(
        context: &'a Context<'a>,
        name: ProfileName,
        client: Client,
        kind: StoreKind,
    ) -> Result<Self, Failure> {
        let (store, file) = (context.store(kind), context.config_file()?);
        file.prepare()?;
        let usable = store.ensure_usable(&client, context.sink).await;
        usable.map_err(|error| Failure::store(&error, &client, &name))?;
        Ok(Self { context, file, name, client, kind, store })
    }

    /// Verifies the secret, unless that is not wanted, and stores it.
    ///
    /// # Errors
    /// Where the server does not take the secret, or it cannot be stored.
    pub(super) async fn complete(self, secret: &ClientSecret, verify: bool) -> Result<Enrolled, Failure> {
        let Self { context, file, name, client, kind, store } = self;
        if verify {
            Minter::new(context).mint_with(secret, &client, Some(&name), &Ask::Full).await?;
        }
        let written = store.write(&client, secret).await;
        written.map_err(|error| Failure::store(&error, &client, &name))?;
        let before = context.config()?.profiles().get(&name).map(|profile| profile.client.clone());
        let verified_at = verify.then(|| verification::now(context));
        let config = file.update(|config| {
            config.put(&name, &client, kind);
            config.set_verified(&name, &client, verified_at);
            config.clone()
        })?;
        if let Some(before) =
            before.filter(|before| *before != client && config.sharing(&name, before).is_empty())
        {
            forget(context, &store, &before).await;
        }
        warn_of_variables(context)?;
        let is_default = config.default_profile() == Some(&name);
        Ok(Enrolled { profile: name, client, store: kind, verified: verify, is_default })
    }
}

/// The profile stood for another client before, whose secret nothing uses any more.
async fn forget(context: &Context<'_>, store: &Store, before: &Client) {
    match store.delete(before, context.sink).await {
        Ok(true) => context.note(format!(
            "removed the secret of `{}`, which the profile stood for before",
            before.store_user()
        )),
        Ok(false) => {}
        Err(error) => {
            context.warn(format!("the secret of `{}` is still stored: {error}", before.store_user()), None);
        }
    }
}

fn warn_of_variables(context: &Context<'_>) -> Result<(), Failure> {
    if let Some(name) = context.variables()?.client_variable() {
        let hint = format!("unset {name}, or name the profile: --profile");
        context.warn(format!("{name} is set, and is used rather than the default profile"), Some(&hint));
    }
    Ok(())
}

impl Enrolled {
    /// The fields of the JSON object.
    pub(super) fn json(&self) -> Value {
        json!({
            "profile": self.profile.as_str(),
            "default": self.is_default,
            "environment": self.client.environment.to_string(),
            "tenant": self.client.tenant.as_str(),
            "client_id": self.client.id.as_str(),
            "store": self.store.as_str(),
            "verified": self.verified,
        })
    }

    /// The same for a person, below what was done in a word.
    pub(super) fn page(&self, done: &str) -> Page {
        let Client { environment, tenant, id } = &self.client;
        let named = if self.is_default { String::new() } else { format!(" --profile {}", self.profile) };
        let mark = if self.is_default { " (the default)" } else { "" };
        let place = format!("in the OS keyring: service `{SERVICE}`, user `{}`", self.client.store_user());
        Page::new()
            .toned(Tone::Good, format!("{done}: client `{id}` of `{environment}`, tenant `{tenant}`"))
            .field("profile", format!("{}{mark}", self.profile))
            .field("secret", place)
            .field("next", format!("corti-auth token --scope transcribe{named}"))
    }
}

//! A client on its way into a store and a profile: what `login` and `profile import` share.
//!
//! The store and the file are tried before anybody is asked for a secret, the secret is verified before it is stored,
//! and it is stored before the profile names it: a profile never stands there without its secret.

use serde_json::{Value, json};

use crate::domain::config::{Config, Profile};
use crate::domain::identity::{Client, ProfileName};
use crate::domain::page::{Page, Tone};
use crate::domain::redactor::Redactor;
use crate::domain::resolve::SecretOrigin;
use crate::domain::scope::Ask;
use crate::domain::secret::ClientSecret;
use crate::domain::store_kind::StoreKind;
use crate::edge::config_file::ConfigFile;
use crate::edge::store::{State, Store};
use crate::failure::Failure;

use super::context::Context;
use super::minting::Minter;
use super::{unused, verification};

/// A client that can be stored.
pub(super) struct Enrolment<'a> {
    context: &'a Context<'a>,
    file: ConfigFile,
    name: ProfileName,
    client: Client,
    kind: StoreKind,
    store: Store,
    /// Whether the store had nothing of the client before.
    is_new: bool,
}

/// A stored client.
pub(super) struct Enrolled {
    profile: ProfileName,
    client: Client,
    store: StoreKind,
    place: String,
    pub(super) verified: bool,
    is_default: bool,
    /// Whether a variable that names a client is used rather than the default profile.
    is_hidden: bool,
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
        let (store, file) = (context.store(&kind)?, context.config_file()?);
        file.prepare().await?;
        // What another program keeps is only read.
        let is_new = if matches!(kind, StoreKind::Command(_)) {
            false
        } else {
            let writable = store.ensure_writable(&client, context.sink).await;
            !writable.map_err(|error| Failure::store(&error, &client, &name))?
        };
        Ok(Self { context, file, name, client, kind, store, is_new })
    }

    /// The secret, where another program keeps it and nobody is asked for it.
    ///
    /// # Errors
    /// Where that program does not give it.
    pub(super) async fn kept_elsewhere(&self) -> Result<Option<ClientSecret>, Failure> {
        if !matches!(self.kind, StoreKind::Command(_)) {
            return Ok(None);
        }
        let read = self.store.read(&self.client, self.context.sink).await;
        let secret = read.map_err(|error| Failure::store(&error, &self.client, &self.name))?;
        if let StoreKind::Command(command) = &self.kind
            && command.words().iter().any(|word| Redactor::from_iter([secret.secret()]).finds_in(word))
        {
            let message =
                "the secret stands in the command itself, which is kept in config.toml in plain text";
            self.context.warn(
                message,
                Some("name a program that keeps it, or store it: corti-auth login --secret-stdin"),
            );
        }
        Ok(Some(secret))
    }

    /// Verifies the secret, unless that is not wanted, and stores it.
    ///
    /// # Errors
    /// Where the server does not take the secret, or it cannot be stored.
    pub(super) async fn complete(self, secret: &ClientSecret, verify: bool) -> Result<Enrolled, Failure> {
        let Self { context, name, client, kind, store, .. } = &self;
        context.sink.redactor().add(secret.secret());
        if verify {
            let origin = match kind {
                StoreKind::Command(command) => SecretOrigin::Command(command),
                StoreKind::Keyring | StoreKind::File => SecretOrigin::Profile(name),
            };
            Minter::new(context).mint_with(secret, client, origin, &Ask::Full).await?;
        }
        if !matches!(kind, StoreKind::Command(_)) {
            context.withdraw_credential(client, kind).await?;
            self.write(secret).await?;
        }
        let (config, kept) = context.undisturbed.run(self.name_it_or_remove_it(verify)).await?;
        self.keep(secret).await?;
        context.renew_credential(client, kind).await;
        unused::remove(context, &config).await;
        self.tell_of_kept(kept.as_ref())?;
        let is_hidden = warn_of_variables(context, name)?;
        let is_default = config.default_profile() == Some(name);
        let place = store.place(client);
        let (profile, client, store) = (name.clone(), client.clone(), kind.clone());
        Ok(Enrolled { profile, client, store, place, verified: verify, is_default, is_hidden })
    }

    async fn write(&self, secret: &ClientSecret) -> Result<(), Failure> {
        let written = self.store.write(&self.client, secret).await;
        written.map_err(|error| Failure::store(&error, &self.client, &self.name))
    }

    /// A stored secret that no profile names would be lost sight of.
    async fn name_it_or_remove_it(&self, verified: bool) -> Result<(Config, Option<Profile>), Failure> {
        let Self { context, client, kind, store, .. } = self;
        let named = self.name_it(verified).await;
        // Another process may have named it meanwhile.
        if let (Err(_), true) = (&named, self.is_new)
            && let Ok(held) = self.file.hold().await
            && !held.config.is_used(client, kind)
        {
            drop(store.delete(client, context.sink).await);
        }
        named
    }

    /// Has the profile stand for the client, and gives the configuration that says so. Beside it what the profile was, where
    /// the secret of that is kept: one that was good is not given up for one that nobody has tried.
    async fn name_it(&self, verified: bool) -> Result<(Config, Option<Profile>), Failure> {
        let Self { context, file, name, client, kind, .. } = self;
        let verified_at = verified.then(|| verification::now(context));
        let change = |config: &mut Config| {
            let before = config.profiles().get(name).cloned();
            config.put(name, client, kind);
            config.set_verified(client, kind, verified_at);
            let left = before.filter(|before| !config.is_used(&before.client, &before.store));
            let is_kept = |left: &Profile| !verified && left.last_verified.is_some();
            let kept = left.clone().filter(is_kept);
            if let (Some(left), None) = (left, &kept) {
                config.note_unused(&left.client, &left.store);
            }
            (config.clone(), kept)
        };
        Ok(file.update(change).await?)
    }

    /// What another program keeps is no secret of ours.
    fn tell_of_kept(&self, kept: Option<&Profile>) -> Result<(), Failure> {
        let Some(Profile { client, store: store @ (StoreKind::Keyring | StoreKind::File), .. }) = kept else {
            return Ok(());
        };
        let store = self.context.store(store)?;
        let place = store.place(client);
        let message = format!(
            "the secret that the profile had before was verified, which the new one is not: it is kept in {place}, and no logout removes it"
        );
        let hint = format!("once it is of no use: {}", store.removal(client));
        self.context.warn(message, Some(&hint));
        Ok(())
    }

    /// Another process may have removed the client's last profile, and the secret with it, before this one's was named. It
    /// is written again as long as a profile uses it.
    async fn keep(&self, secret: &ClientSecret) -> Result<(), Failure> {
        let is_gone = || async { matches!(self.store.probe(&self.client).await, Ok(State::Missing)) };
        if !is_gone().await {
            return Ok(());
        }
        let held = self.file.hold().await?;
        if held.config.is_used(&self.client, &self.kind) && is_gone().await {
            self.write(secret).await?;
        }
        Ok(())
    }
}

/// Says whether one is set.
fn warn_of_variables(context: &Context<'_>, profile: &ProfileName) -> Result<bool, Failure> {
    let variable = context.variables()?.client_variable();
    if let Some(name) = variable {
        let hint = format!("unset {name}, or name the profile: --profile {profile}");
        let message = format!("{name} is set, and other commands use it rather than the default profile");
        context.warn(message, Some(&hint));
    }
    Ok(variable.is_some())
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
        let is_found = self.is_default && !self.is_hidden;
        let named = if is_found { String::new() } else { format!(" --profile {}", self.profile) };
        let mark = if self.is_default { " (the default)" } else { "" };
        Page::new()
            .toned(Tone::Good, format!("{done}: client `{id}` of `{environment}`, tenant `{tenant}`"))
            .field("profile", format!("{}{mark}", self.profile))
            .field("secret", format!("in {}", self.place))
            .field("next", format!("corti-auth token --scope transcribe{named}"))
    }
}

//! A client on its way into a store and a profile: what `login` and `profile import` share.
//!
//! The store and the configuration are tried before anybody is asked for a secret, and the secret is verified before anything
//! is stored.

use serde_json::{Value, json};

use crate::app::context::Context;
use crate::app::stored_secret::SecretUpdate;
use crate::app::tokens::Tokens;
use crate::domain::client::config::{Config, Profile};
use crate::domain::client::identity::{Client, ProfileName};
use crate::domain::client::resolve::SecretOrigin;
use crate::domain::client::secret::ClientSecret;
use crate::domain::client::store_kind::StoreKind;
use crate::domain::text::page::{Page, Tone};
use crate::domain::text::redactor::Redactor;
use crate::domain::token::scope::ScopeRequest;
use crate::edge::store::Store;
use crate::failure::Failure;

/// A client that can be stored.
pub(crate) struct Enrolment<'a> {
    context: &'a Context<'a>,
    name: ProfileName,
    client: Client,
    kind: StoreKind,
    store: Store,
}

/// A stored client.
pub(crate) struct Enrolled {
    profile: ProfileName,
    client: Client,
    store: StoreKind,
    place: String,
    pub(crate) verified: bool,
    is_default: bool,
    /// Whether a variable that names a client is used rather than the default profile.
    is_hidden: bool,
}

/// The profile that a client is stored under: the named one, or `default`.
///
/// # Errors
/// Where its name is malformed.
pub(crate) fn profile_name(context: &Context<'_>) -> Result<ProfileName, Failure> {
    let named = context.flags()?.profile.clone();
    Ok(named.or(context.variables()?.profile.clone()).unwrap_or_default())
}

impl<'a> Enrolment<'a> {
    /// Makes sure that a secret could be kept, and found again.
    ///
    /// # Errors
    /// Where the store or the configuration cannot be used.
    pub(crate) async fn prepare(
        context: &'a Context<'a>,
        name: ProfileName,
        client: Client,
        kind: StoreKind,
    ) -> Result<Self, Failure> {
        let store = context.store(&kind)?;
        context.config_file()?.prepare().await?;
        // What another program keeps is only read.
        if !matches!(kind, StoreKind::Command(_)) {
            let writable = store.ensure_writable(&client, context.sink).await;
            let is_new = !context.config()?.profiles().contains_key(&name);
            let failure = if is_new { Failure::store_of_new } else { Failure::store };
            writable.map_err(|error| failure(&error, &client, &name))?;
        }
        Ok(Self { context, name, client, kind, store })
    }

    /// The secret, where another program keeps it and nobody is asked for it.
    ///
    /// # Errors
    /// Where that program does not give it.
    pub(crate) async fn kept_elsewhere(&self) -> Result<Option<ClientSecret>, Failure> {
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

    /// Verifies the secret, unless that is not wanted, and stores it. `again` is the command that does the same again.
    ///
    /// # Errors
    /// Where the server does not accept the secret, or it cannot be stored.
    pub(crate) async fn complete(
        self,
        secret: &ClientSecret,
        verify: bool,
        again: String,
    ) -> Result<Enrolled, Failure> {
        let Self { context, name, client, kind, store } = self;
        let is_ours = !matches!(kind, StoreKind::Command(_));
        // Also without a mint, which adds it too: a keyring's error may repeat what it was given.
        context.sink.redactor().add(secret.secret());
        if verify {
            let origin = match &kind {
                StoreKind::Command(command) => SecretOrigin::Command(command),
                StoreKind::Keyring | StoreKind::File => SecretOrigin::Profile(&name),
            };
            Tokens::new(context).mint_with(secret, &client, origin, &ScopeRequest::Full).await?;
        }
        let update = SecretUpdate {
            context,
            name: &name,
            client: &client,
            kind: &kind,
            secret: is_ours.then_some(secret),
            verified: verify,
            again,
        };
        let config = update.run(|config| put_profile(config, &name, &client, &kind)).await?;
        let is_hidden = warn_of_variables(context, &name)?;
        let is_default = config.default_profile() == Some(&name);
        let place = store.place(&client);
        Ok(Enrolled { profile: name, client, store: kind, place, verified: verify, is_default, is_hidden })
    }
}

/// Adds the profile. One that exists keeps its client and its store.
fn put_profile(
    config: &mut Config,
    name: &ProfileName,
    client: &Client,
    kind: &StoreKind,
) -> Result<(), Failure> {
    let same = |it: &Profile| it.client == *client && it.store.as_str() == kind.as_str();
    if config.profiles().get(name).is_some_and(|it| !same(it)) {
        return Err(Failure::changed_meanwhile(name));
    }
    config.put(name, client, kind);
    Ok(())
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
    pub(crate) fn json(&self) -> Value {
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
    pub(crate) fn page(&self, done: &str) -> Page {
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

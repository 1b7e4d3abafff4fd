//! Stores a client's secret for a profile, and removes it.
//!
//! A profile is written to config.toml before its secret is stored, and removed after the secret, under the configuration's
//! lock: after a kill, every stored secret still has a profile.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::app::context::Context;
use crate::app::spinner;
use crate::app::tokens::{self, Tokens};
use crate::domain::client::api_client::Client;
use crate::domain::client::config::{Config, Profile};
use crate::domain::client::identity::ProfileName;
use crate::domain::client::import::Taken;
use crate::domain::client::resolve::{self, SecretOrigin};
use crate::domain::client::secret::ClientSecret;
use crate::domain::client::store_kind::{SecretCommand, StoreKind};
use crate::domain::client::variable;
use crate::domain::text::page::{Page, Tone};
use crate::domain::text::shell::Shell;
use crate::domain::token::cache_key::CredentialId;
use crate::domain::token::scope::ScopeRequest;
use crate::edge::config_file::{ConfigFileError, ConfigLock};
use crate::edge::store::{Store, StoreError};
use crate::failure::{Failure, Kind};

/// The profile that a client is stored under: the named one, or `default`.
pub(crate) fn profile_name(context: &Context<'_>) -> Result<ProfileName, Failure> {
    let named = resolve::named_profile(context.flags()?, context.variables()?);
    Ok(named.map(|(name, _)| name.clone()).unwrap_or_default())
}

/// A value, with the option or variable that gave it.
pub(crate) fn taken<T: Clone>(value: Option<&T>, name: &str) -> Option<Taken<T>> {
    value.cloned().map(|value| Taken { value, name: name.to_owned() })
}

/// The store that the options or the variable name. `--store command` alone means the secret command that the profile has.
pub(crate) fn named_store(
    store: Option<&str>,
    command: Option<&str>,
    known: Option<&Profile>,
    context: &Context<'_>,
) -> Result<Option<Taken<StoreKind>>, Failure> {
    let wrong_option = |error: String| {
        let hint = "use --store keyring, --store file or --secret-command 'CMD ARGS'";
        Failure::new(Kind::Usage, error).hint(hint)
    };
    let command = command.map(SecretCommand::split).transpose();
    let command = command.map_err(|error| {
        Failure::new(Kind::Usage, error)
            .hint(r#"such as --secret-command 'op read "op://dev/corti/a secret"'"#)
    })?;
    let variable = context.host.env.get(variable::STORE);
    let (name, word) = match (&command, store, &variable) {
        (Some(_), _, _) => ("--secret-command", store),
        (None, Some(word), _) => ("--store", Some(word)),
        (None, None, Some(word)) => (variable::STORE, Some(word.as_str())),
        (None, None, None) => return Ok(None),
    };
    let known = known.and_then(|it| it.store.command()).filter(|_| word == Some("command")).cloned();
    match StoreKind::parse(word, command.or(known)) {
        Ok(value) => Ok(Some(Taken { value, name: name.to_owned() })),
        Err(error) if name == variable::STORE => {
            Err(Failure::new(Kind::Configuration, format!("{name}: {error}"))
                .hint(Shell::HERE.unset(&[name])))
        }
        Err(error) => Err(wrong_option(error.to_string())),
    }
}

/// The named store, else the profile's, else the keyring.
pub(crate) fn store_kind(named: Option<&Taken<StoreKind>>, known: Option<&Profile>) -> StoreKind {
    let kind = named.map(|named| &named.value).or(known.map(|profile| &profile.store));
    kind.cloned().unwrap_or(StoreKind::Keyring)
}

/// A profile's client and the store of its secret.
pub(crate) struct Credential<'a> {
    context: &'a Context<'a>,
    name: ProfileName,
    client: Client,
    kind: StoreKind,
    store: Store,
    /// Whether the profile did not exist when the command began.
    is_new: bool,
}

impl<'a> Credential<'a> {
    pub(crate) fn new(
        context: &'a Context<'a>,
        name: ProfileName,
        client: Client,
        kind: StoreKind,
    ) -> Result<Self, Failure> {
        let store = context.store(&kind)?;
        let is_new = !context.config()?.profiles().contains_key(&name);
        Ok(Self { context, name, client, kind, store, is_new })
    }

    pub(crate) fn of(
        context: &'a Context<'a>,
        name: &ProfileName,
        profile: &Profile,
    ) -> Result<Self, Failure> {
        Self::new(context, name.clone(), profile.client.clone(), profile.store.clone())
    }

    /// Where the secret is, in words.
    pub(crate) fn place(&self) -> String {
        self.store.place(&self.client)
    }

    /// Makes sure that a secret can be stored, before anybody types one. A passphrase for a new file is asked for later, once
    /// there is a secret to encrypt.
    pub(crate) async fn prepare(&self) -> Result<(), Failure> {
        drop(self.context.config_file()?.hold().await?);
        let prepared = self.store.prepare(&self.client, self.context.sink).await;
        prepared.map_err(|error| self.failed(&error))
    }

    /// Mints a token with the secret, and throws it away.
    pub(crate) async fn verify(&self, secret: &ClientSecret) -> Result<(), Failure> {
        let Self { context, name, client, kind, .. } = self;
        let origin = kind.command().map_or(SecretOrigin::Profile(name), SecretOrigin::Command);
        Tokens::new(context).mint_with(secret, client, origin, &ScopeRequest::Full).await.map(drop)
    }

    /// The stored secret.
    pub(crate) async fn read(&self) -> Result<ClientSecret, Failure> {
        let read = self.store.read(&self.client, self.context.sink).await;
        read.map_err(|error| self.failed(&error))
    }

    /// Stores the secret, unless a command keeps it. Gives the outcome of `login` and `import` as JSON and as text; `done` is its
    /// first word.
    pub(crate) async fn log_in(
        &self,
        secret: &ClientSecret,
        verified: bool,
        done: &str,
    ) -> Result<(Value, Page), Failure> {
        let Self { context, name, client, kind, .. } = self;
        let is_default = self.save(Some(secret).filter(|_| kind.command().is_none()), verified).await?;
        let variables = context.variables()?;
        let variable = variables.client_variable();
        if let Some(variable) = variable {
            let unset = Shell::HERE.unset(&variables.naming_a_client().collect::<Vec<_>>());
            context.warn(format!("{variable} overrides the default profile"), Some(&unset));
        }
        let Client { environment, tenant, id } = client;
        let json = json!({
            "profile": name.as_str(),
            "default": is_default,
            "environment": environment.to_string(),
            "tenant": tenant.as_str(),
            "client_id": id.as_str(),
            "store": kind.as_str(),
            "verified": verified,
        });
        let is_used = is_default && variable.is_none();
        let option = if is_used { String::new() } else { format!(" --profile {name}") };
        let mark = if is_default && name.as_str() != "default" { " (the default)" } else { "" };
        let page = Page::new()
            .toned(Tone::Good, format!("{done}: client `{id}` of `{environment}`, tenant `{tenant}`"))
            .field("profile", format!("{name}{mark}"))
            .field(
                "secret",
                format!("{} {}", if kind.command().is_some() { "from" } else { "in" }, self.place()),
            )
            .field("next", format!("corti-auth token transcribe{option}"));
        Ok((json, page))
    }

    /// Stores the secret, and says whether the profile is the default then. `secret` is `None` if it is stored already, or a
    /// command keeps it.
    pub(crate) async fn save(&self, secret: Option<&ClientSecret>, verified: bool) -> Result<bool, Failure> {
        let Self { context, client, kind, .. } = self;
        if let Some(secret) = secret {
            // A keyring's error may repeat what it was given.
            context.sink.redactor().add(secret.secret());
            // Others wait for the configuration: a person is asked to unlock the keyring before it is locked.
            let writable = self.store.ensure_writable(client, context.sink).await;
            writable.map_err(|error| self.failed(&error))?;
        }
        let mut held = context.config_file()?.hold().await?;
        let before = held.config.clone();
        self.name_profile(&mut held.config)?;
        self.withdraw(&mut held)?;
        if let Some(secret) = secret
            && let Err(error) =
                spinner::show_store(context, &self.store, self.store.write(client, secret)).await
        {
            if !error.is_uncertain() {
                held.config = before;
                // If this fails too, a new profile stays without a secret, as after a kill. The next login stores it.
                let _ = held.save();
            }
            return Err(self.change_failed(&error, "stored"));
        }
        // A command's secret has no id: the other program may change it at any time.
        let id = if kind.command().is_some() { None } else { new_id() };
        held.config.set_credential(client, kind, id.as_ref());
        if verified {
            held.config.set_verified(client, kind, Some(now(context)));
        }
        warn_if_not_noted(context, held.save());
        tokens::forget_cached_of(client, context);
        Ok(held.config.default_profile() == Some(&self.name))
    }

    /// Unlocks the store, before the configuration is locked and others wait for it. Returns whether it has the secret.
    pub(crate) async fn unlock(&self) -> Result<bool, Failure> {
        let usable = self.store.ensure_usable(&self.client, self.context.sink).await;
        usable.map_err(|error| self.failed(&error))
    }

    /// Removes the secret from its store, and says whether there was one. A command's secret is left alone.
    pub(crate) async fn remove(&self, held: &mut ConfigLock) -> Result<bool, Failure> {
        if self.kind.command().is_some() {
            return Ok(false);
        }
        self.withdraw(held)?;
        let deleting = self.store.delete(&self.client);
        let deleted = spinner::show_store(self.context, &self.store, deleting).await;
        deleted.map_err(|error| self.change_failed(&error, "removed"))
    }

    /// Takes the secret's id and the time of its verification out of the configuration: wherever the command is killed after
    /// this, no cached token is found for a secret that was replaced or removed.
    fn withdraw(&self, held: &mut ConfigLock) -> Result<(), Failure> {
        held.config.set_credential(&self.client, &self.kind, None);
        held.config.set_verified(&self.client, &self.kind, None);
        Ok(held.save()?)
    }

    /// Adds the profile if it is new. Another process may have changed the configuration since this one read it.
    fn name_profile(&self, config: &mut Config) -> Result<(), Failure> {
        let is_unchanged = match config.profiles().get(&self.name) {
            Some(profile) => profile.client == self.client && profile.store.as_str() == self.kind.as_str(),
            None => self.is_new,
        };
        if !is_unchanged {
            return Err(Failure::changed_meanwhile(&self.name));
        }
        // The only change to a profile that exists is another secret command.
        if self.is_new || self.kind.command().is_some() {
            config.put(&self.name, &self.client, &self.kind);
        }
        Ok(())
    }

    fn failed(&self, error: &StoreError) -> Failure {
        let failure = if self.is_new { Failure::store_of_new } else { Failure::store };
        failure(error, &self.client, &self.name)
    }

    fn change_failed(&self, error: &StoreError, done: &'static str) -> Failure {
        if error.is_uncertain() {
            Failure::uncertain_change(error, &self.client, done)
        } else {
            self.failed(error).context(format!("the secret is not {done}"))
        }
    }
}

fn new_id() -> Option<CredentialId> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).is_ok().then(|| CredentialId::of(random))
}

/// Notes that Corti accepted the secret of `client` in `store` just now.
pub(crate) async fn note_verified(context: &Context<'_>, client: &Client, store: &StoreKind) {
    let at = Some(now(context));
    if let Ok(file) = context.config_file() {
        warn_if_not_noted(context, file.update(|config| config.set_verified(client, store, at)).await);
    }
}

/// The time now, in whole seconds: people read config.toml.
pub(crate) fn now(context: &Context<'_>) -> Timestamp {
    let now = context.host.clock.now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

fn warn_if_not_noted(context: &Context<'_>, noted: Result<(), ConfigFileError>) {
    if let Err(error) = noted {
        let reason = Failure::from(error).in_one_line();
        context.warn(format!("config.toml was not updated: {reason}"), None);
    }
}

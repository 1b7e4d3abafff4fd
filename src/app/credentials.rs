//! A client's secret on its way into the store of a profile, and out of it.
//!
//! A profile is named before its secret is stored, and removed after it. The configuration is locked meanwhile. So whenever a
//! command is killed, every stored secret has a profile.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::app::context::Context;
use crate::app::tokens::{self, Tokens};
use crate::domain::client::api_client::Client;
use crate::domain::client::config::{Config, Profile};
use crate::domain::client::identity::ProfileName;
use crate::domain::client::import::Taken;
use crate::domain::client::resolve::SecretOrigin;
use crate::domain::client::secret::ClientSecret;
use crate::domain::client::store_kind::{SecretCommand, StoreKind};
use crate::domain::client::variable;
use crate::domain::text::page::{Page, Tone};
use crate::domain::token::cache_key::CredentialId;
use crate::domain::token::scope::ScopeRequest;
use crate::edge::config_file::{ConfigFileError, ConfigLock};
use crate::edge::store::Store;
use crate::edge::store::StoreError;
use crate::failure::Failure;
use crate::failure::Kind;

/// The profile that a client is stored under: the named one, or `default`.
pub(crate) fn profile_name(context: &Context<'_>) -> Result<ProfileName, Failure> {
    let named = context.flags()?.profile.clone();
    Ok(named.or(context.variables()?.profile.clone()).unwrap_or_default())
}

/// The store that the flags or the variable name. `command` as a word alone means the command that the profile has.
pub(crate) fn named_store(
    flag: Option<&str>,
    command: Option<&str>,
    known: Option<&Profile>,
    context: &Context<'_>,
) -> Result<Option<Taken<StoreKind>>, Failure> {
    let hint = "--store keyring, --store file, or --secret-command 'CMD ARGS'";
    let command = command.map(SecretCommand::split).transpose();
    let command = command.map_err(|error| Failure::new(Kind::Usage, error).hint(hint))?;
    // A command on the command line is the choice; the variable is for the others.
    let from_variable = context.host.env.get(variable::STORE).filter(|_| command.is_none());
    let name = match (&command, flag, &from_variable) {
        (Some(_), _, _) => "--secret-command",
        (None, Some(_), _) => "--store",
        (None, None, Some(_)) => variable::STORE,
        (None, None, None) => return Ok(None),
    };
    let word = flag.or(from_variable.as_deref());
    let known = known.and_then(|it| it.store.command()).filter(|_| word == Some("command")).cloned();
    match StoreKind::parse(word, command.or(known)) {
        Ok(value) => Ok(Some(Taken { value, name: name.to_owned() })),
        Err(error) if name == variable::STORE => {
            Err(Failure::new(Kind::Configuration, format!("{name}: {error}")).hint(format!("unset {name}")))
        }
        Err(error) => Err(Failure::new(Kind::Usage, error).hint(hint)),
    }
}

/// The store that was named, else the profile's, else the keyring.
pub(crate) fn store_kind(named: Option<&Taken<StoreKind>>, known: Option<&Profile>) -> StoreKind {
    let kind = named.map(|named| &named.value).or(known.map(|profile| &profile.store));
    kind.cloned().unwrap_or(StoreKind::Keyring)
}

/// A profile's client and the store of its secret.
pub(crate) struct Credential<'a> {
    context: &'a Context<'a>,
    pub(crate) name: ProfileName,
    pub(crate) client: Client,
    kind: StoreKind,
    store: Store,
    /// Whether there was no such profile when the command began.
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

    /// Makes sure that a secret can be stored, before anybody types one.
    pub(crate) async fn prepare(&self) -> Result<(), Failure> {
        drop(self.context.config_file()?.hold().await?);
        self.ensure_writable().await
    }

    async fn ensure_writable(&self) -> Result<(), Failure> {
        let writable = self.store.ensure_writable(&self.client, self.context.sink).await;
        writable.map_err(|error| self.failed(&error))
    }

    /// The stored secret.
    pub(crate) async fn read(&self) -> Result<ClientSecret, Failure> {
        let read = self.store.read(&self.client, self.context.sink).await;
        read.map_err(|error| self.failed(&error))
    }

    /// Makes sure that Corti accepts the secret: a token is minted and thrown away.
    pub(crate) async fn verify(&self, secret: &ClientSecret) -> Result<(), Failure> {
        let origin = match &self.kind {
            StoreKind::Command(command) => SecretOrigin::Command(command),
            StoreKind::Keyring | StoreKind::File => SecretOrigin::Profile(&self.name),
        };
        Tokens::new(self.context).mint_with(secret, &self.client, origin, &ScopeRequest::Full).await.map(drop)
    }

    /// Verifies the secret if that is wanted, and stores it, unless a command keeps it: what `login` and `import` share.
    pub(crate) async fn log_in(self, secret: &ClientSecret, verify: bool) -> Result<LoggedIn, Failure> {
        if verify {
            self.verify(secret).await?;
        }
        let is_ours = self.kind.command().is_none();
        let config = self.store(is_ours.then_some(secret), verify).await?;
        let variable = self.context.variables()?.client_variable();
        if let Some(variable) = variable {
            let message =
                format!("{variable} is set, and other commands use it rather than the default profile");
            let hint = format!("unset {variable}, or name the profile: --profile {}", self.name);
            self.context.warn(message, Some(&hint));
        }
        Ok(LoggedIn {
            place: self.place(),
            verified: verify,
            is_default: config.default_profile() == Some(&self.name),
            is_hidden: variable.is_some(),
            profile: self.name,
            client: self.client,
            store: self.kind,
        })
    }

    /// Stores the secret, and gives the configuration as it is then. `secret` is `None` where it is stored already, or a
    /// command keeps it.
    pub(crate) async fn store(
        &self,
        secret: Option<&ClientSecret>,
        verified: bool,
    ) -> Result<Config, Failure> {
        let Self { context, client, kind, .. } = self;
        if let Some(secret) = secret {
            // A keyring's error may repeat what it was given.
            context.sink.redactor().add(secret.secret());
            // Others wait for the configuration: a person is asked to unlock the keyring before it is locked.
            self.ensure_writable().await?;
        }
        let mut held = context.config_file()?.hold().await?;
        let before = held.config.clone();
        self.name_profile(&mut held.config)?;
        self.withdraw(&mut held)?;
        if let Some(secret) = secret
            && let Err(error) = self.store.write(client, secret).await
        {
            if !error.is_uncertain() {
                held.config = before;
                // Where this fails too, a new profile stays without a secret, as after a kill. The next login stores it.
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
        tokens::remove_of(client, context);
        Ok(held.config.clone())
    }

    /// Unlocks the store, before the configuration is locked and others wait for it.
    pub(crate) async fn unlock(&self) -> Result<(), Failure> {
        let usable = self.store.ensure_usable(&self.client, self.context.sink).await;
        usable.map(drop).map_err(|error| self.failed(&error))
    }

    /// Removes the secret from its store, and says whether there was one. A command's secret is left alone.
    pub(crate) async fn remove(&self, held: &mut ConfigLock) -> Result<bool, Failure> {
        if self.kind.command().is_some() {
            return Ok(false);
        }
        self.withdraw(held)?;
        self.store.delete(&self.client).await.map_err(|error| self.change_failed(&error, "removed"))
    }

    /// Takes the secret's id and the time of its verification out of the configuration: from here on, wherever the command is
    /// killed, no cached token is found for a secret that was replaced or removed.
    fn withdraw(&self, held: &mut ConfigLock) -> Result<(), Failure> {
        held.config.set_credential(&self.client, &self.kind, None);
        held.config.set_verified(&self.client, &self.kind, None);
        Ok(held.save()?)
    }

    /// Adds the profile where it is new. Another process may have changed the configuration since this one read it.
    fn name_profile(&self, config: &mut Config) -> Result<(), Failure> {
        let is_unchanged = match config.profiles().get(&self.name) {
            Some(profile) => profile.client == self.client && profile.store.as_str() == self.kind.as_str(),
            None => self.is_new,
        };
        if !is_unchanged {
            return Err(Failure::changed_meanwhile(&self.name));
        }
        // A profile gets another secret command, and nothing else.
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

/// The time now, to the second: the file stays readable.
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

/// A client whose secret is stored.
pub(crate) struct LoggedIn {
    profile: ProfileName,
    client: Client,
    store: StoreKind,
    place: String,
    pub(crate) verified: bool,
    is_default: bool,
    /// Whether a variable that names a client is used rather than the default profile.
    is_hidden: bool,
}

impl LoggedIn {
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

    /// The same for a person, below what was `done`.
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

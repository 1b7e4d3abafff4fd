//! What every command works with: the host, the global options, the configuration.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use secrecy::SecretString;

use crate::domain::client::config::{Config, Profile};
use crate::domain::client::identity::{ProfileName, TENANT_HINT, Tenant};
use crate::domain::client::invalid::Invalid;
use crate::domain::client::resolve::{self, Flags, Plan, ResolveError};
use crate::domain::client::store_kind::StoreKind;
use crate::domain::client::variable::{self, Variables};
use crate::domain::text::event::{Event, Sink};
use crate::domain::text::shell::{Shell, quote};
use crate::domain::token::reuse::{CacheMode, CachePolicy};
use crate::edge::age_file::AgeFiles;
use crate::edge::config_file::{ConfigFile, ConfigFileError};
use crate::edge::host::Host;
use crate::edge::http::{Http, HttpOptions};
use crate::edge::keyring::Keyring;
use crate::edge::prompt::Questions;
use crate::edge::store::Store;
use crate::failure::{Failure, Kind, mounting};

/// The options that every command takes, as given on the command line.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) profile: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) json: bool,
    /// The only member of the JSON object to print.
    pub(crate) field: Option<String>,
    pub(crate) no_input: bool,
    pub(crate) quiet: bool,
    /// How long one request may take.
    pub(crate) timeout: Duration,
    pub(crate) ca_cert: Option<PathBuf>,
    pub(crate) config_dir: Option<PathBuf>,
}

/// What every command works with.
#[derive(Clone)]
pub(crate) struct Context<'a> {
    pub(crate) host: &'a Host,
    pub(crate) options: &'a Options,
    pub(crate) sink: &'a dyn Sink,
    /// Read once, so that its warnings come once.
    flags: OnceCell<Flags>,
    variables: OnceCell<Variables>,
    config: OnceCell<Config>,
    /// `false` while a program that `exec` started uses the terminal.
    owns_terminal: bool,
    /// Shared by all stores that the command opens.
    keyring: Keyring,
    /// The passphrase of encrypted files, asked for once.
    passphrase: Rc<OnceCell<SecretString>>,
}

impl<'a> Context<'a> {
    /// Refuses variables that are not UTF-8 text.
    pub(crate) fn new(host: &'a Host, options: &'a Options, sink: &'a dyn Sink) -> Result<Self, Failure> {
        if let Some(name) = host.env.first_not_text() {
            return Err(Failure::new(Kind::Configuration, format!("the value of {name} is not UTF-8 text"))
                .hint(Shell::HERE.unset(&[&name])));
        }
        Ok(Self {
            host,
            options,
            sink,
            flags: OnceCell::new(),
            variables: OnceCell::new(),
            config: OnceCell::new(),
            owns_terminal: true,
            keyring: Keyring::new(prompts_allowed(host, options)),
            passphrase: Rc::default(),
        })
    }

    /// The same while a program that `exec` started uses the terminal: nobody is asked anything, and events go to `sink`.
    pub(crate) fn without_terminal<'b>(&'b self, sink: &'b dyn Sink) -> Context<'b> {
        Context { sink, owns_terminal: false, keyring: Keyring::new(false), ..self.clone() }
    }

    /// Shows progress.
    pub(crate) fn note(&self, text: impl Into<String>) {
        self.sink.event(Event::Note(text.into()));
    }

    /// Shows a warning, and a command that may help.
    pub(crate) fn warn(&self, text: impl Into<String>, hint: Option<&str>) {
        self.sink.event(Event::Warning(text.into(), hint.map(str::to_owned)));
    }

    /// Whether the result is wanted as a JSON object, or as a member of it.
    pub(crate) fn asks_for_json(&self) -> bool {
        self.options.json || self.options.field.is_some()
    }

    /// Whether a person can be asked.
    pub(crate) fn may_ask(&self) -> bool {
        self.owns_terminal && prompts_allowed(self.host, self.options)
    }

    /// Asks a person. Call it only if [`Self::may_ask`].
    pub(crate) fn questions(&self) -> Questions {
        Questions { plain: self.host.env.has_plain_terminal() }
    }

    /// The flags, parsed.
    pub(crate) fn flags(&self) -> Result<&Flags, Failure> {
        cached(&self.flags, || {
            let Options { profile, environment, tenant, .. } = self.options;
            let hint = "corti-auth doctor --environment eu";
            let environment = environment.as_deref().map(str::parse).transpose();
            Ok(Flags {
                profile: profile.as_deref().map(profile_name).transpose()?,
                environment: environment
                    .map_err(|error: Invalid| Failure::new(Kind::Configuration, error).hint(hint))?,
                tenant: tenant.as_deref().map(parse_tenant).transpose()?,
            })
        })
    }

    /// ` --profile NAME` if one was given: a hint without it would be about another client.
    pub(crate) fn profile_option(&self) -> String {
        let name = self.options.profile.as_deref();
        name.map(|name| format!(" --profile {}", quote(name))).unwrap_or_default()
    }

    /// The environment variables, parsed. Warns about misspelt names.
    pub(crate) fn variables(&self) -> Result<&Variables, Failure> {
        cached(&self.variables, || {
            for (wrong, right) in variable::near_misses() {
                if self.host.env.get(wrong).is_some() {
                    self.warn(misspelt(wrong, right), None);
                }
            }
            let variables = Variables::read(|name| self.host.env.get(name), Path::exists)?;
            variables.secrets().for_each(|secret| self.sink.redactor().add(secret));
            Ok(variables)
        })
    }

    /// Where `config.toml` is.
    pub(crate) fn config_file(&self) -> Result<ConfigFile, Failure> {
        Ok(ConfigFile::locate(self.options.config_dir.as_deref(), &self.host.env)?)
    }

    /// The configuration, read once. It is empty without a home folder, as in some containers. Warns about unknown keys.
    pub(crate) fn config(&self) -> Result<&Config, Failure> {
        cached(&self.config, || {
            let config = match ConfigFile::locate(self.options.config_dir.as_deref(), &self.host.env) {
                Err(ConfigFileError::NoHome) => Config::default(),
                file => file?.load()?,
            };
            for key in config.unknown_keys() {
                self.warn(unknown_key(key), None);
            }
            Ok(config)
        })
    }

    /// The profile that the flags, the variable or the configuration name.
    pub(crate) fn chosen_profile(&self) -> Result<&ProfileName, Failure> {
        let (variables, config) = (self.variables()?, self.config()?);
        let chosen = resolve::chosen_profile(self.flags()?, variables, config);
        // Only a profile will do here, also in CI.
        let none = ResolveError::NoClient { has_profiles: !config.profiles().is_empty(), in_ci: false };
        Ok(chosen.map(|(name, _)| name).ok_or(none)?)
    }

    /// The profile of this name.
    pub(crate) fn profile(&self, name: &ProfileName) -> Result<&Profile, Failure> {
        Ok(resolve::find_profile(name, self.config()?)?)
    }

    /// Which client is used, and where its secret is.
    pub(crate) fn plan(&self) -> Result<Plan, Failure> {
        let plan = resolve::resolve(self.flags()?, self.variables()?, self.config()?);
        let plan = plan.map_err(|error| {
            let is_login_missing = error == ResolveError::NoClient { has_profiles: false, in_ci: false };
            let empty = self.empty_variables(&error);
            let failure = Failure::from(error);
            let failure = match empty {
                Some(message) => {
                    failure.hints.into_iter().fold(Failure::new(failure.kind, message), Failure::hint)
                }
                None => failure,
            };
            if is_login_missing && !self.may_ask() { failure.hint(mounting()) } else { failure }
        })?;
        if let Some(message) = plan.client.environment.warning() {
            self.warn(message, Some("the documented ones are eu and us: corti-auth doctor --environment eu"));
        }
        Ok(plan)
    }

    /// Says that the variables of the missing client are set, but empty.
    fn empty_variables(&self, error: &ResolveError) -> Option<String> {
        if !matches!(error, ResolveError::NoClient { .. } | ResolveError::IncompleteClient { .. }) {
            return None;
        }
        let names = [variable::CLIENT_ID, variable::CLIENT_SECRET, variable::CLIENT_SECRET_FILE];
        let empty: Vec<_> = names.into_iter().filter(|name| self.host.env.is_empty(name)).collect();
        let are = match empty.len() {
            0 => return None,
            1 => "is",
            _ => "are",
        };
        let in_ci = self.variables().is_ok_and(|variables| variables.in_ci);
        let why = if in_ci { " (pull requests from forks get no secrets)" } else { "" };
        Some(format!("{} {are} set but empty{why}", empty.join(" and ")))
    }

    /// The cache policy of a command that has no options for it.
    pub(crate) fn cache_policy(&self) -> CachePolicy {
        let is_off = self.host.env.get(variable::NO_CACHE).is_some_and(|value| variable::is_on(&value));
        CachePolicy::new(if is_off { CacheMode::Bypass } else { CacheMode::Use })
    }

    /// The HTTP client.
    pub(crate) fn http(&self) -> Http<'a> {
        let options = HttpOptions {
            timeout: self.options.timeout,
            ca_cert: self.options.ca_cert.clone(),
            trust_file: self.host.env.path("SSL_CERT_FILE"),
            clock: self.host.clock,
            env: self.host.env.clone(),
        };
        Http::new(options, self.sink)
    }

    /// A store of client secrets.
    pub(crate) fn store(&self, kind: &StoreKind) -> Result<Store, Failure> {
        Ok(match kind {
            StoreKind::Keyring => Store::Keyring(self.keyring.clone()),
            StoreKind::File => Store::File(AgeFiles {
                folder: self.config_file()?.secrets_folder(),
                passphrase_file: self.host.env.path(variable::PASSPHRASE_FILE),
                attended: self.may_ask(),
                known: Rc::clone(&self.passphrase),
            }),
            StoreKind::Command(command) => Store::Command(command.clone(), self.host.env.clone()),
        })
    }
}

fn prompts_allowed(host: &Host, options: &Options) -> bool {
    let is_on = |name| host.env.get(name).is_some_and(|value| variable::is_on(&value));
    let forbidden = options.no_input || is_on(variable::NO_INPUT) || is_on(variable::CI);
    !forbidden && host.terminal.stdin && host.terminal.stderr
}

/// The warning about a variable with a name that is not read.
pub(crate) fn misspelt(wrong: &str, right: &str) -> String {
    format!("{wrong} is ignored; did you mean {right}?")
}

/// The warning about a key in `config.toml`.
pub(crate) fn unknown_key(key: &str) -> String {
    format!("unknown key `{key}` in config.toml")
}

fn cached<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T, Failure>) -> Result<&T, Failure> {
    match cell.get() {
        Some(value) => Ok(value),
        None => make().map(|value| cell.get_or_init(|| value)),
    }
}

pub(crate) fn profile_name(text: &str) -> Result<ProfileName, Failure> {
    text.parse().map_err(|error| {
        Failure::new(Kind::Configuration, error)
            .hint("corti-auth profile list")
            .hint("for a new profile: corti-auth login --profile acme-eu")
    })
}

pub(crate) fn parse_tenant(text: &str) -> Result<Tenant, Failure> {
    text.parse().map_err(|error| Failure::new(Kind::Configuration, error).hint(TENANT_HINT))
}

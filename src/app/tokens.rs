//! From a plan to a token that may have been minted before: the cache, one mint for all who need the same token, and what
//! takes cached tokens away again.
//!
//! A cache that does not work is none: nothing of it is ever an error.

use std::path::PathBuf;
use std::time::Duration;

use crate::app::context::Context;
use crate::app::interrupt::interruptible;
use crate::app::minting::Minter;
use crate::app::runtime::block_on;
use crate::domain::client::identity::Client;
use crate::domain::client::resolve::{Plan, SecretSource};
use crate::domain::client::secret::ClientSecret;
use crate::domain::client::store_kind::StoreKind;
use crate::domain::client::variable::{self, GivenSecret};
use crate::domain::token::cache_key::{CacheKey, Credential, Owner, SealKey, Selection};
use crate::domain::token::grant::Token;
use crate::domain::token::reuse::{Entry, Mode, Reuse};
use crate::domain::token::scope::Ask;
use crate::edge::mint_lock::Turn;
use crate::edge::token_cache::Cache;
use crate::failure::{Failure, Kind};

/// How long whoever has the turn may take beyond its request: for the keyring, and for the others in the queue.
const PATIENCE: Duration = Duration::from_secs(5);

/// A token, for a command that waits for nothing else: where a cached one will do there is nothing to wait for, and no
/// runtime. Not to be called within one: [`Minter::lease`] is for that.
///
/// # Errors
/// Where there is no secret, or no token for it.
pub(crate) fn lease(context: &Context<'_>, plan: &Plan, ask: &Ask, reuse: Reuse) -> Result<Token, Failure> {
    let order = Order { context, plan, ask, reuse };
    match order.at_once() {
        Some(token) => Ok(token),
        None => block_on(interruptible(context, order.fill(&Minter::new(context)))),
    }
}

/// What is to be had.
#[derive(Clone, Copy)]
struct Order<'a> {
    context: &'a Context<'a>,
    plan: &'a Plan,
    ask: &'a Ask,
    reuse: Reuse,
}

impl Minter<'_> {
    /// A token for the plan's client: one that was minted before where `reuse` allows it, else a new one.
    ///
    /// # Errors
    /// Where there is no secret, or no token for it.
    pub(crate) async fn lease(&self, plan: &Plan, ask: &Ask, reuse: Reuse) -> Result<Token, Failure> {
        let order = Order { context: self.context, plan, ask, reuse };
        match order.at_once() {
            Some(token) => Ok(token),
            None => order.fill(self).await,
        }
    }
}

impl Order<'_> {
    /// A cached token, where neither a keyring nor another program nor anybody else has to be asked.
    fn at_once(&self) -> Option<Token> {
        if self.reuse.mode != Mode::Cached {
            return None;
        }
        let cache = self.context.cache();
        match (self.id(), &self.plan.source) {
            (Some(credential), _) => self.judge(&cache.in_kernel(&self.key(credential))?, credential),
            (None, SecretSource::Given(GivenSecret::Value(secret))) => self.cached(&cache, secret),
            _ => None,
        }
    }

    /// The stored secret's id. A command's secret has none: what another program keeps may change behind our back.
    fn id(&self) -> Option<Credential<'_>> {
        let SecretSource::Store(_, profile) = &self.plan.source else { return None };
        let id = profile.credential.as_ref().filter(|_| !matches!(profile.store, StoreKind::Command(_)))?;
        Some(Credential::Stored(&profile.store, id))
    }

    fn key(&self, credential: Credential<'_>) -> CacheKey {
        let owner = Owner::new(&self.context.home(), &self.plan.client);
        CacheKey::new(&owner, self.ask, credential)
    }

    fn judge(&self, bytes: &[u8], credential: Credential<'_>) -> Option<Token> {
        let entry = Entry::from_bytes(bytes, &self.key(credential))?;
        let token = entry.decide(self.ask, &self.context.host.clock.moment()?, self.reuse)?;
        self.context.sink.redactor().add(token.access_token.secret());
        Some(token)
    }

    /// A cached token, with the secret at hand.
    fn cached(&self, cache: &Cache, secret: &ClientSecret) -> Option<Token> {
        let credential = self.id().unwrap_or(Credential::AtHand(secret));
        let key = self.key(credential);
        let in_kernel = cache.in_kernel(&key).and_then(|bytes| self.judge(&bytes, credential));
        in_kernel.or_else(|| {
            let bytes = cache.has_file(&key).then(|| cache.in_file(&key, &SealKey::new(secret, &key)))??;
            self.judge(&bytes, credential)
        })
    }

    /// A token, with whatever has to be asked for it.
    async fn fill(&self, minter: &Minter<'_>) -> Result<Token, Failure> {
        let token = match self.reuse.mode {
            Mode::NoCache => minter.mint(self.plan, self.ask).await?,
            Mode::Refresh => {
                let secret = minter.secret(self.plan).await?;
                self.mint(minter, &secret).await?
            }
            Mode::Cached => self.take_turns(minter).await?,
        };
        // A cached token was compared with it already.
        match self.reuse.missing_lifetime(&token).filter(|_| !token.cached) {
            Some(asked) => Err(too_short(&token, asked)),
            None => Ok(token),
        }
    }

    /// Of all processes that need this token one mints it, and the others find it in the cache.
    async fn take_turns(&self, minter: &Minter<'_>) -> Result<Token, Failure> {
        let (cache, mut secret) = (self.context.cache(), None);
        // The secret is the last thing to ask for: it may be behind a keyring, which somebody may have to unlock.
        let known = match self.id() {
            Some(credential) if !cache.has_file(&self.key(credential)) => Some(self.key(credential)),
            _ => None,
        };
        let key = if let Some(key) = known {
            key
        } else {
            let at_hand = minter.secret(self.plan).await?;
            if let Some(token) = self.cached(&cache, &at_hand) {
                return Ok(token);
            }
            let key = self.key(self.id().unwrap_or(Credential::AtHand(&at_hand)));
            secret = Some(at_hand);
            key
        };
        let limit = self.context.options.timeout + PATIENCE;
        let turn = Turn::take(&self.context.host.env, cache.folder(), key.name(), limit);
        let _turn = self.context.waiting("waiting for another process that mints the same", turn).await;
        if let Some(token) = self.at_once() {
            return Ok(token);
        }
        let secret = match secret {
            Some(secret) => secret,
            None => minter.secret(self.plan).await?,
        };
        match self.cached(&cache, &secret) {
            Some(token) => Ok(token),
            None => self.mint(minter, &secret).await,
        }
    }

    /// A new token, which is put into the cache.
    async fn mint(&self, minter: &Minter<'_>, secret: &ClientSecret) -> Result<Token, Failure> {
        let begin = self.context.host.clock.moment();
        let token = minter.mint_with(secret, &self.plan.client, self.plan.origin(), self.ask).await?;
        if let Some(begin) = begin {
            self.keep(&Entry::new(&token, begin), secret);
        }
        Ok(token)
    }

    fn keep(&self, entry: &Entry, secret: &ClientSecret) -> Option<()> {
        let now = self.context.host.clock.now();
        let expires_at = entry.expires_at()?;
        // Nothing would ever find it good, by this machine's clock.
        let seconds = usize::try_from(expires_at.duration_since(now).as_secs()).ok().filter(|it| *it > 0)?;
        let key = self.key(self.id().unwrap_or(Credential::AtHand(secret)));
        let (seal, bytes) = (SealKey::new(secret, &key), entry.to_bytes(&key));
        let kept = self.context.cache().write(&key, &seal, &bytes, expires_at, seconds);
        kept.then_some(())
    }
}

fn too_short(token: &Token, asked: Duration) -> Failure {
    let (life, asked) = (token.expires_in, asked.as_secs_f64());
    let message = format!("a new token lives {life} s, and --min-ttl requires {asked} s");
    Failure::new(Kind::Check, message).hint(format!("ask for less: --min-ttl {life}s"))
}

impl Context<'_> {
    /// Whether cached tokens will do, for a command that has no options for it.
    pub(crate) fn default_reuse(&self) -> Reuse {
        let off = self.host.env.get(variable::NO_CACHE).is_some_and(|value| variable::is_on(&value));
        Reuse { min_ttl: None, preferred_ttl: None, mode: if off { Mode::NoCache } else { Mode::Cached } }
    }

    /// The cache of tokens.
    pub(crate) fn cache(&self) -> Cache {
        Cache::locate(&self.host.env)
    }

    /// What parts the users of one kernel keyring: the configuration folder.
    fn home(&self) -> Vec<u8> {
        let folder = self.config_file().map_or_else(|_| PathBuf::new(), |file| file.path());
        // However it was named.
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        folder.into_os_string().into_encoded_bytes()
    }

    /// Removes every token that was cached under this configuration folder, and says how many there were.
    pub(crate) fn remove_all_tokens(&self) -> usize {
        self.cache().remove(&Selection::home(&self.home()))
    }

    /// Removes every cached token of `client`, and says how many there were.
    pub(crate) fn remove_tokens(&self, client: &Client) -> usize {
        self.cache().remove(&Selection::client(client))
    }
}

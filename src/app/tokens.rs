//! Gets a token, for every command: from the cache, else under a lock, from the cache or newly minted.
//!
//! Cache errors are ignored: if the cache does not work, a token is minted.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::app::caller::Caller;
use crate::app::context::Context;
use crate::app::spinner;
use crate::domain::client::api_client::Client;
use crate::domain::client::resolve::{Plan, SecretOrigin, SecretSource};
use crate::domain::client::secret::{AccessToken, ClientSecret, MAX_SECRET_FILE_BYTES, Secret};
use crate::domain::client::store_kind::StoreKind;
use crate::domain::client::variable::{CLIENT_SECRET, GivenSecret};
use crate::domain::text::duration::seconds;
use crate::domain::text::redactor::Redactor;
use crate::domain::token::cache_key::{CacheKey, Credential, SealKey, Tag, lock_name};
use crate::domain::token::grant::{self, Token};
use crate::domain::token::reuse::{CacheMode, CachePolicy, CachedToken};
use crate::domain::token::scope::{ScopeRequest, ScopeSet};
use crate::edge::http::Http;
use crate::edge::token_cache::Cache;
use crate::edge::{mounted_secret, thread};
use crate::failure::{Failure, Kind, for_mounted};

/// How long to wait for another process that mints, beyond its request: it may wait for the keyring, too.
const SLACK: Duration = Duration::from_secs(5);

/// Gets tokens, over one HTTP client.
pub(crate) struct Tokens<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) http: Http<'a>,
    cache: Cache,
    /// The secret that was read last, if one was needed so far.
    pub(crate) secret_read: RefCell<Option<ClientSecret>>,
}

/// A cached token that was found without unlocking anything.
pub(crate) enum FoundToken {
    /// It was read.
    Read(Token),
    /// It is in an encrypted file since this time, and only the client's secret opens it.
    Sealed(Timestamp),
}

/// The token to get.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    plan: &'a Plan,
    requested: &'a ScopeRequest,
    policy: CachePolicy,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(context: &'a Context<'a>) -> Self {
        let cache = Cache::locate(&context.host.env);
        Self { context, http: context.http(), cache, secret_read: RefCell::default() }
    }

    /// A token for the plan's client: a cached one if `policy` accepts it, else a new one. Fails if a new one lives shorter than
    /// `policy` requires.
    pub(crate) async fn get(
        &self,
        plan: &Plan,
        requested: &ScopeRequest,
        policy: CachePolicy,
    ) -> Result<Token, Failure> {
        let wanted = Wanted { plan, requested, policy };
        let token = if policy.mode == CacheMode::Use {
            self.cached_or_new(wanted).await?
        } else {
            self.mint_for(wanted, &self.secret(plan).await?).await?
        };
        if let Some(required) = policy.unmet_min_ttl(&token).filter(|_| !token.cached) {
            let (life, required) = (token.expires_in, seconds(required));
            let message = format!("a new token lives {life} s, and --min-ttl requires {required}");
            return Err(Failure::new(Kind::Check, message).hint(format!("ask for less: --min-ttl {life}s")));
        }
        Ok(token)
    }

    /// A token for `caller`: the ready one, or as [`Self::get`].
    pub(crate) async fn get_for(
        &self,
        caller: &Caller,
        requested: &ScopeRequest,
        policy: CachePolicy,
    ) -> Result<AccessToken, Failure> {
        match caller {
            Caller::Ready(ready) => Ok(ready.token.clone()),
            Caller::Client(plan) => Ok(self.get(plan, requested, policy).await?.access_token),
        }
    }

    /// The cached tokens of the plan's client with the usual scopes and the profile's default. No store is asked for the
    /// secret.
    pub(crate) async fn cached(&self, plan: &Plan) -> Vec<(ScopeRequest, FoundToken)> {
        if self.context.cache_policy().mode == CacheMode::Bypass {
            return Vec::new();
        }
        let given = match &plan.source {
            SecretSource::Given(_) => self.secret(plan).await.ok(),
            SecretSource::Store(..) | SecretSource::Withheld(..) => None,
        };
        // However short it lives.
        let policy = CachePolicy { preferred_ttl: Some(Duration::ZERO), ..CachePolicy::new(CacheMode::Use) };
        let scopes = |set: ScopeSet| ScopeRequest::scopes(set).ok();
        let usual =
            ["transcribe", "streams", "transcribe streams"].map(|words| scopes(ScopeSet::from_wire(words)));
        let default =
            plan.default_scope().cloned().and_then(scopes).filter(|it| !usual.contains(&Some(it.clone())));
        let all = [Some(ScopeRequest::Full)].into_iter().chain(usual).chain([default]).flatten();
        let found = |requested: ScopeRequest| {
            let wanted = Wanted { plan, requested: &requested, policy };
            let read = match &given {
                Some(secret) => self.cached_by_secret(wanted, secret),
                None => self.cached_by_id(wanted),
            };
            let sealed = || {
                let key = self.key(wanted, stored_credential(plan)?);
                Timestamp::try_from(self.cache.written(&key)?).ok().map(FoundToken::Sealed)
            };
            let found = read.map(FoundToken::Read).or_else(sealed)?;
            Some((requested, found))
        };
        all.filter_map(found).collect()
    }

    /// If several processes need the same token at once, one mints it and the others find it in the cache.
    async fn cached_or_new(&self, wanted: Wanted<'_>) -> Result<Token, Failure> {
        if let Some(token) = self.cached_by_id(wanted) {
            return Ok(token);
        }
        let mut secret = None;
        if self.needs_secret(wanted) {
            let read = self.secret(wanted.plan).await?;
            if let Some(token) = self.cached_by_secret(wanted, &read) {
                return Ok(token);
            }
            secret = Some(read);
        }
        let name = lock_name(&Tag::client(&wanted.plan.client), wanted.requested);
        let limit = self.context.options.timeout + SLACK;
        // `None` after that time: mint without the lock.
        let lock = self.cache.lock(&name, limit);
        let what = "waiting for another process that is minting the same token";
        let _lock = spinner::show_long(self.context, what, limit, lock).await;
        // The other process may have cached one.
        if let Some(token) = self.cached_by_id(wanted) {
            return Ok(token);
        }
        let secret = match secret {
            Some(secret) => secret,
            None => self.secret(wanted.plan).await?,
        };
        match self.cached_by_secret(wanted, &secret) {
            Some(token) => Ok(token),
            None => self.mint_for(wanted, &secret).await,
        }
    }

    /// A good token that the kernel keeps, found by the id of the stored secret: somebody may have to unlock a keyring for the
    /// secret itself.
    fn cached_by_id(&self, wanted: Wanted<'_>) -> Option<Token> {
        let key = self.key(wanted, stored_credential(wanted.plan)?);
        self.good(&self.cache.in_kernel(&key)?, &key, wanted)
    }

    /// Whether only the secret can tell if a token is cached.
    fn needs_secret(&self, wanted: Wanted<'_>) -> bool {
        // No file either: reading the secret would find nothing.
        stored_credential(wanted.plan).is_none_or(|id| self.cache.has_file(&self.key(wanted, id)))
    }

    /// A good token from the kernel, or from a file that the secret decrypts.
    fn cached_by_secret(&self, wanted: Wanted<'_>, secret: &ClientSecret) -> Option<Token> {
        let key = self.key(wanted, credential(wanted.plan, secret));
        let in_kernel = self.cache.in_kernel(&key).and_then(|bytes| self.good(&bytes, &key, wanted));
        in_kernel.or_else(|| {
            let bytes = self.cache.in_file(&key, &SealKey::new(secret, &key))?;
            self.good(&bytes, &key, wanted)
        })
    }

    fn good(&self, bytes: &[u8], key: &CacheKey, wanted: Wanted<'_>) -> Option<Token> {
        let now = self.context.host.clock.now();
        let token = CachedToken::from_bytes(bytes, key)?.usable(wanted.requested, now, wanted.policy)?;
        self.context.sink.redactor().add(token.access_token.secret());
        Some(token)
    }

    fn key(&self, wanted: Wanted<'_>, credential: Credential<'_>) -> CacheKey {
        let client = Tag::client(&wanted.plan.client);
        CacheKey::new(&folder_tag(self.context), &client, wanted.requested, credential)
    }

    /// A new token, which is cached if the policy says so.
    async fn mint_for(&self, wanted: Wanted<'_>, secret: &ClientSecret) -> Result<Token, Failure> {
        let Wanted { plan, requested, policy } = wanted;
        let asked_at = self.context.host.clock.now();
        let token = self.mint_with(secret, &plan.client, plan.origin(), requested).await?;
        if policy.mode != CacheMode::Bypass {
            let key = self.key(wanted, credential(plan, secret));
            let cached = CachedToken::new(&token, asked_at, &key);
            let left =
                cached.expires_at().map(|end| end.duration_since(self.context.host.clock.now()).as_secs());
            // A token that has expired by this machine's clock would never be used.
            if let Some(seconds) = left.and_then(|it| usize::try_from(it).ok()).filter(|it| *it > 0) {
                self.cache.write(&key, &SealKey::new(secret, &key), &cached.to_bytes(), seconds);
            }
        }
        Ok(token)
    }

    /// A new token for a secret that need not be stored; `origin` says in messages where it came from.
    pub(crate) async fn mint_with(
        &self,
        secret: &ClientSecret,
        client: &Client,
        origin: SecretOrigin<'_>,
        requested: &ScopeRequest,
    ) -> Result<Token, Failure> {
        // The time before the request: the token must not seem to live longer than it does.
        let (request, now) = (grant::request(client, secret, requested), self.context.host.clock.now());
        let redactor = self.context.sink.redactor();
        redactor.add(secret.secret());
        let sent = self.http.send(&request);
        let limit = seconds(self.context.options.timeout);
        let what = format!("waiting for the authorization server (up to {limit})");
        let response = spinner::show(self.context, what, sent).await?;
        for token in grant::tokens(&response) {
            redactor.add(&token);
        }
        let token =
            grant::refuse_repeated(secret, &response).and_then(|()| grant::parse(&response, requested, now));
        token.map_err(|error| Failure::grant(&error, client, origin))
    }

    /// The secret of the plan's client.
    pub(crate) async fn secret(&self, plan: &Plan) -> Result<ClientSecret, Failure> {
        let secret = match &plan.source {
            SecretSource::Given(GivenSecret::Value(secret)) => secret.clone(),
            SecretSource::Given(GivenSecret::File(variable, path)) => {
                read_mounted(variable, path, self.context.sink.redactor()).await?
            }
            SecretSource::Store(name, profile) => {
                let store = self.context.store(&profile.store)?;
                let read = store.read(&profile.client, self.context.sink);
                let read = spinner::show_store(self.context, &store, read).await;
                read.map_err(|error| Failure::store(&error, &profile.client, name))?
            }
            SecretSource::Withheld(name, profile, overriding) => {
                return Err(Failure::withheld(name, &profile.client, &plan.client, overriding));
            }
        };
        self.secret_read.replace(Some(secret.clone()));
        Ok(secret)
    }
}

/// Removes every token cached under this configuration folder, and returns how many there were.
pub(crate) fn forget_cached_in_folder(context: &Context<'_>) -> usize {
    Cache::locate(&context.host.env).remove(&folder_tag(context))
}

/// Removes every cached token of `client`, and returns how many there were.
pub(crate) fn forget_cached_of(client: &Client, context: &Context<'_>) -> usize {
    Cache::locate(&context.host.env).remove(&Tag::client(client))
}

/// Separates the cache entries of configuration folders.
fn folder_tag(context: &Context<'_>) -> Tag {
    let path = context.config_file().map_or_else(|_| PathBuf::new(), |file| file.path());
    // A relative path gives the same tag.
    let path = std::path::absolute(&path).unwrap_or(path);
    Tag::folder(path.as_os_str().as_encoded_bytes())
}

/// Finds the cached tokens of this secret.
fn credential<'a>(plan: &'a Plan, secret: &'a ClientSecret) -> Credential<'a> {
    stored_credential(plan).unwrap_or(Credential::Secret(secret))
}

/// The id of a stored secret. A command's secret has none: another program may change it at any time.
fn stored_credential(plan: &Plan) -> Option<Credential<'_>> {
    let SecretSource::Store(_, profile) = &plan.source else { return None };
    let id = profile.credential.as_ref().filter(|_| !matches!(profile.store, StoreKind::Command(_)))?;
    Some(Credential::Stored(&profile.store, id))
}

/// The secret in the mounted file that `variable` names.
pub(crate) async fn read_mounted(
    variable: &'static str,
    path: &Path,
    redactor: &Redactor,
) -> Result<ClientSecret, Failure> {
    let failed = |reason: String| {
        let message = format!("{variable}: the secret in `{}` cannot be used: {reason}", path.display());
        Failure::new(Kind::Configuration, message)
    };
    let failure = |reason: String| {
        let hint = for_mounted(path, &reason);
        failed(reason).hint(hint)
    };
    let file = path.to_owned();
    let bytes = thread::files(move || mounted_secret::read(&file, MAX_SECRET_FILE_BYTES)).await;
    let bytes = zeroize::Zeroizing::new(bytes.map_err(|error| {
        if error.kind() != ErrorKind::NotFound || path.components().nth(1).is_some() {
            return failure(error.to_string());
        }
        // It may be the secret itself.
        redactor.add(&Secret::new(path.display().to_string()));
        failed(error.to_string()).hint(format!(
            "{variable} names a file, such as /run/secrets/corti; the secret itself goes into {CLIENT_SECRET}"
        ))
    })?);
    ClientSecret::from_bytes(&bytes).map_err(|error| {
        failed(error.to_string()).hint("the file must hold the secret and nothing else, in one line")
    })
}

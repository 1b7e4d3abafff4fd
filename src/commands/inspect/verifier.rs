//! The keys that tokens are verified by: out of a file, or as the realm publishes them. Never those that a token names.

use std::path::Path;

use crate::app::context::Context;
use crate::app::spinner;
use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::client::resolve::{self, ResolveError};
use crate::domain::corti::request::Request;
use crate::domain::explain::discovery::{self, RealmError};
use crate::domain::text::shell::quote;
use crate::domain::token::inspection::Inspection;
use crate::domain::token::jwks::{Freshness, KeySet, MAX_KEY_SET_BYTES};
use crate::domain::token::verification::{Policy, Verification};
use crate::edge::http::Http;
use crate::edge::input;
use crate::failure::{Failure, Kind};

use super::InspectArgs;

/// Verifies tokens of one issuer.
pub(super) struct Verifier<'a> {
    context: &'a Context<'a>,
    policy: Policy,
    keys: Keys<'a>,
}

enum Keys<'a> {
    File(KeySet),
    Realm(Box<Realm<'a>>),
}

/// A realm, and its keys once they were fetched.
struct Realm<'a> {
    http: Http<'a>,
    environment: Environment,
    tenant: Tenant,
    fetched: Option<(KeySet, Freshness)>,
}

impl<'a> Verifier<'a> {
    /// # Errors
    /// Where no environment is known, or the file of keys cannot be used.
    pub(super) fn new(args: &InspectArgs, context: &'a Context<'a>) -> Result<Self, Failure> {
        let place = resolve::resolve_target(context.flags()?, context.variables()?, context.config()?);
        let place = match place {
            Err(ResolveError::NoTarget) => None,
            place => Some(place?),
        };
        let issuer = place.as_ref().map(|(environment, tenant)| environment.issuer(tenant));
        let (audiences, leeway, redact) = (args.audience.clone(), args.leeway, args.redact);
        let policy = |keys| Policy { keys, issuer, audiences, leeway, redact };
        if let Some(path) = &args.jwks {
            // A path may name its user.
            let policy = policy(if args.redact { "a file".to_owned() } else { path.display().to_string() });
            return Ok(Self { context, policy, keys: Keys::File(from_file(path)?) });
        }
        let Some((environment, tenant)) = place else {
            let message = "no environment is known whose keys could verify the token: what the token says is not followed";
            return Err(Failure::new(Kind::Configuration, message)
                .hint("corti-auth inspect --verify --environment eu, or name a file of keys: --jwks FILE"));
        };
        let policy = policy(environment.issuer(&tenant));
        let realm = Realm { http: context.http(), environment, tenant, fetched: None };
        Ok(Self { context, policy, keys: Keys::Realm(Box::new(realm)) })
    }

    /// Whether no environment is known that must have issued them.
    pub(super) fn takes_any_issuer(&self) -> bool {
        self.policy.issuer.is_none()
    }

    /// # Errors
    /// Where the realm's keys cannot be had.
    pub(super) async fn verify(&mut self, token: &str, it: &Inspection) -> Result<Verification, Failure> {
        let clock = self.context.host.clock;
        let verified =
            |keys: &KeySet, policy: &Policy| Verification::of(token, it, keys, policy, clock.now());
        let realm = match &mut self.keys {
            Keys::File(keys) => return Ok(verified(keys, &self.policy)),
            Keys::Realm(realm) => realm,
        };
        let (keys, freshness) = match realm.fetched.take() {
            Some((keys, freshness)) if !freshness.is_over(clock.now()) => (keys, Some(freshness)),
            _ => (realm.fetch(self.context).await?, None),
        };
        let verification = verified(&keys, &self.policy);
        // Keys that were fetched for this very token are the newest there are.
        if let Some(asked) = freshness
            && verification.lacks_key
            && asked.may_ask(clock.now())
        {
            let (keys, freshness, verification) = match realm.fetch(self.context).await {
                Ok(newer) => {
                    let verification = verified(&newer, &self.policy);
                    (newer, Freshness::at(clock.now()), verification)
                }
                // The keys at hand judge the others, until they are too old.
                Err(failure) => {
                    let reason = failure.in_one_line();
                    self.context.warn(format!("no newer keys could be had: {reason}"), None);
                    (keys, asked, verification)
                }
            };
            realm.fetched = Some((keys, freshness.asked(clock.now())));
            return Ok(verification);
        }
        realm.fetched = Some((keys, freshness.unwrap_or(Freshness::at(clock.now()))));
        Ok(verification)
    }

    /// The keys, where they can be had without the network.
    pub(super) fn known(&self) -> Option<&KeySet> {
        match &self.keys {
            Keys::File(keys) => Some(keys),
            Keys::Realm(realm) => realm.fetched.as_ref().map(|(keys, _)| keys),
        }
    }
}

impl Realm<'_> {
    /// Asks the realm where its keys are, and for them.
    async fn fetch(&self, context: &Context<'_>) -> Result<KeySet, Failure> {
        let Self { http, environment, tenant, .. } = self;
        let failed = |failure: Failure| {
            failure.context(format!("cannot get the keys of `{}`", environment.issuer(tenant)))
        };
        let discovery = Request::public(environment.discovery_url(tenant));
        let response = spinner::show(context, "asking the realm for its keys", http.send(&discovery)).await;
        let response = response.map_err(|error| failed(error.into()))?;
        let url =
            discovery::keys_url(&response, environment, tenant).map_err(|error| failed(error.into()))?;
        let request = Request::public(url.into());
        let response = spinner::show(context, "asking the realm for its keys", http.send(&request)).await;
        let response = response.map_err(|error| failed(error.into()))?;
        if !response.is_success() {
            let status = response.status;
            let error = match status {
                429 | 500.. => RealmError::Unavailable(status),
                _ => RealmError::NotTheProtocol { status, what: response.appearance() },
            };
            return Err(failed(error.into()));
        }
        KeySet::parse(&response.body).map_err(|error| {
            failed(
                Failure::caused(Kind::Network, error)
                    .hint("corti-auth doctor, or name a file of keys: --jwks FILE"),
            )
        })
    }
}

fn from_file(path: &Path) -> Result<KeySet, Failure> {
    let name = path.display().to_string();
    let failed = |kind, reason: String| {
        Failure::new(kind, format!("cannot use the keys in `{name}`: {reason}"))
            .hint(format!("ls -l {}", quote(&name)))
    };
    // Without the network there is no runtime.
    let bytes = input::read_here(Some(path), MAX_KEY_SET_BYTES)
        .map_err(|error| failed(Kind::Usage, error.to_string()))?;
    KeySet::parse(&bytes).map_err(|error| {
        let failure = failed(Kind::Configuration, error.to_string());
        failure
            .hint("a realm's keys: curl https://auth.eu.corti.app/realms/base/protocol/openid-connect/certs")
    })
}

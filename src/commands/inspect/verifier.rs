//! Verifies tokens with the keys of a file or of the realm, never with keys that a token names.

use std::path::Path;

use crate::app::context::Context;
use crate::app::spinner;
use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::client::resolve::{self, ResolveError};
use crate::domain::corti::request::Request;
use crate::domain::explain::discovery::{self, RealmError};
use crate::domain::text::shell::Shell;
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
    pub(super) fn new(args: &InspectArgs, context: &'a Context<'a>) -> Result<Self, Failure> {
        let place = resolve::resolve_target(context.flags()?, context.variables()?, context.config()?);
        let place = match place {
            Err(ResolveError::NoTarget) => None,
            place => Some(place?),
        };
        let issuer = place.as_ref().map(|(environment, tenant)| environment.issuer(tenant));
        let (audiences, leeway, redact) = (args.audience.clone(), args.leeway, args.redact);
        if let Some(path) = &args.jwks {
            let keys = Keys::File(from_file(path)?);
            if context.options.field.is_some() && issuer.is_none() {
                let message = "the issuer is not checked: no environment is known";
                context.warn(message, Some("add --environment eu"));
            }
            // A path may contain the user's name.
            let source = if redact { "a file".to_owned() } else { path.display().to_string() };
            let policy = Policy { keys: source, issuer, audiences, leeway, redact };
            return Ok(Self { context, policy, keys });
        }
        let Some((environment, tenant)) = place else {
            let message = "--verify needs an environment, to fetch its keys";
            return Err(Failure::new(Kind::Configuration, message)
                .hint("corti-auth inspect --verify --environment eu"));
        };
        let policy = Policy { keys: environment.issuer(&tenant), issuer, audiences, leeway, redact };
        let realm = Realm { http: context.http(), environment, tenant, fetched: None };
        Ok(Self { context, policy, keys: Keys::Realm(Box::new(realm)) })
    }

    pub(super) async fn verify(&mut self, token: &str, it: &Inspection) -> Result<Verification, Failure> {
        let now = self.context.host.clock.now();
        let verified = |keys: &KeySet| Verification::of(token, it, keys, &self.policy, now);
        let realm = match &mut self.keys {
            Keys::File(keys) => return Ok(verified(keys)),
            Keys::Realm(realm) => realm,
        };
        let known = realm.fetched.take().filter(|(_, freshness)| !freshness.is_over(now));
        let was_known = known.is_some();
        let (mut keys, mut freshness) = match known {
            Some(known) => known,
            None => (realm.fetch(self.context).await?, Freshness::at(now)),
        };
        let mut verification = verified(&keys);
        // The token's key may be newer than the keys that were fetched earlier.
        if was_known && verification.lacks_key && freshness.may_ask(now) {
            match realm.fetch(self.context).await {
                Ok(newer) => {
                    verification = verified(&newer);
                    (keys, freshness) = (newer, Freshness::at(now));
                }
                Err(failure) => {
                    let reason = failure.in_one_line();
                    self.context.warn(format!("cannot fetch newer keys: {reason}"), None);
                }
            }
            freshness = freshness.asked(now);
        }
        realm.fetched = Some((keys, freshness));
        Ok(verification)
    }

    /// The keys, if they were read or fetched already.
    pub(super) fn known(&self) -> Option<&KeySet> {
        match &self.keys {
            Keys::File(keys) => Some(keys),
            Keys::Realm(realm) => realm.fetched.as_ref().map(|(keys, _)| keys),
        }
    }
}

impl Realm<'_> {
    /// Asks the realm where its keys are, and fetches them.
    async fn fetch(&self, context: &Context<'_>) -> Result<KeySet, Failure> {
        let Self { http, environment, tenant, .. } = self;
        let failed = |failure: Failure| {
            failure.context(format!("cannot get the keys of `{}`", environment.issuer(tenant)))
        };
        let get = async |url: String| {
            let request = Request::public(url);
            let response = spinner::show(context, "fetching the realm's keys", http.send(&request)).await;
            response.map_err(|error| failed(error.into()))
        };
        let discovery = get(environment.discovery_url(tenant)).await?;
        let url = discovery::keys_url(&discovery, environment, tenant);
        let response = get(url.map_err(|error| failed(error.into()))?.into()).await?;
        if !response.is_success() {
            let status = response.status;
            let error = match status {
                429 | 500.. => RealmError::Unavailable(status),
                _ => RealmError::NotTheProtocol { status, what: response.appearance() },
            };
            return Err(failed(error.into()));
        }
        KeySet::parse(&response.body)
            .map_err(|error| failed(Failure::caused(Kind::Network, error).hint("corti-auth doctor")))
    }
}

fn from_file(path: &Path) -> Result<KeySet, Failure> {
    let name = path.display().to_string();
    let failed =
        |kind, reason: String| Failure::new(kind, format!("cannot use the keys in `{name}`: {reason}"));
    let bytes = input::read_on_this_thread(Some(path), MAX_KEY_SET_BYTES)
        .map_err(|error| failed(Kind::Usage, error.to_string()).hint(Shell::HERE.show_rights("-l", path)))?;
    KeySet::parse(&bytes).map_err(|error| {
        let failure = failed(Kind::Configuration, error.to_string());
        let curl = Shell::HERE.curl("https://auth.eu.corti.app/realms/base/protocol/openid-connect/certs");
        failure.hint(format!("a realm's keys: {curl}"))
    })
}

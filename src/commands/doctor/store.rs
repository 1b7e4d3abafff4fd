//! Checks whether the store keeps secrets: writes a test entry, reads it and deletes it.
//!
//! The entry has the same name for every doctor of one configuration folder, and one of them runs at a time: the next
//! one overwrites and deletes the entry that a killed one left.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::app::credentials;
use crate::app::spinner;
use crate::domain::client::api_client::Client;
use crate::domain::client::resolve::{Plan, SecretSource};
use crate::domain::client::secret::{ClientSecret, fingerprint};
use crate::edge::lock::Lock;
use crate::edge::store::{Store, StoreError};
use crate::failure::{Failure, Kind};

use super::configuration::Configuration;
use super::{Checks, Context};

/// No host is ever named `.invalid` (RFC 2606, section 2), so entries for it belong to no client.
const TEST_ENVIRONMENT: &str = "https://corti-auth.invalid";

const TEST_ENTRY: &str = "written by corti-auth doctor, which removes it";

/// How long to wait for another doctor of the same configuration folder.
const LOCK_LIMIT: Duration = Duration::from_secs(60);

/// Waits until no other doctor of this configuration folder tests the store. One that cannot lock the folder goes on: at worst
/// two doctors delete each other's entry.
pub(super) async fn lock(context: &Context<'_>) -> Option<Lock> {
    let folder = folder(context);
    let lock = Lock::take_folder(&folder, LOCK_LIMIT);
    spinner::show_long(context, "waiting for another corti-auth doctor", LOCK_LIMIT, lock)
        .await
        .ok()
        .flatten()
}

/// Checks `store`, and says whether secrets can be read from it. Not to be interrupted: the entry would stay.
pub(super) async fn examine(
    context: &Context<'_>,
    configuration: &Configuration,
    checks: &mut Checks<'_>,
) -> bool {
    let mut skip = |reason: &str| checks.skip("store", reason);
    let kind = match configuration.plan.as_ref().map(|plan| &plan.source) {
        Some(SecretSource::Given(secret)) => {
            skip(&format!("the secret is in {}", secret.place()));
            return true;
        }
        Some(SecretSource::Store(_, profile) | SecretSource::Withheld(_, profile, _)) => {
            Ok(profile.store.clone())
        }
        // Before the first login: the store that it would use.
        None if configuration.is_new => credentials::named_store(None, None, None, context)
            .map(|named| credentials::store_kind(named.as_ref(), None)),
        None => {
            skip("no client is known");
            return false;
        }
    };
    let store = kind.and_then(|kind| context.store(&kind));
    let tested = match &store {
        Ok(Store::Command(..)) => {
            skip("the secret command is run by the token check");
            return true;
        }
        Ok(Store::File(files)) if files.attended && files.passphrase_file.is_none() => {
            skip("the passphrase is asked for once, by the token check");
            return true;
        }
        Ok(store) => spinner::show(context, "testing the store", test(context, configuration, store)).await,
        Err(_) => Ok(()),
    };
    match store.and_then(|store| tested.map(|()| store.name())) {
        Ok(name) => {
            checks.ok("store", format!("wrote, read and deleted a test entry in {name}"));
            true
        }
        Err(failure) => {
            checks.fail("store", failure);
            false
        }
    }
}

async fn test(context: &Context<'_>, configuration: &Configuration, store: &Store) -> Result<(), Failure> {
    let (client, sink) = (test_client(&folder(context))?, context.sink);
    let profile = configuration.plan.as_ref().and_then(Plan::profile).cloned().unwrap_or_default();
    let own = configuration.plan.as_ref().map(|plan| &plan.client);
    let failed = |what: &'static str| {
        let (client, profile) = (&client, &profile);
        move |error: StoreError| Failure::store_of_test(&error, client, profile, own).context(what)
    };
    let entry = ClientSecret::parse(TEST_ENTRY).map_err(|error| Failure::new(Kind::Unexpected, error))?;
    // Never prompts: a locked store is reported.
    store.probe(&client).await.map_err(failed("cannot use the store"))?;
    store.write(&client, &entry).await.map_err(failed("cannot write a test entry"))?;
    let read = store.read(&client, sink).await;
    let deleted = store.delete(&client).await;
    match read {
        Ok(secret) if secret.secret().is_same(entry.secret()) => {}
        Ok(_) | Err(StoreError::Missing) => return Err(unreliable(store, "lost a test entry")),
        Err(error) => return Err(failed("cannot read the test entry that was just written")(error)),
    }
    deleted.map_err(failed("cannot delete the test entry"))?;
    match store.read(&client, sink).await {
        Err(StoreError::Missing) => Ok(()),
        Ok(_) => Err(unreliable(store, "still has the test entry that was deleted")),
        Err(error) => Err(failed("cannot see whether the test entry is gone")(error)),
    }
}

fn folder(context: &Context<'_>) -> PathBuf {
    context.config_file().map(|file| file.folder().to_owned()).unwrap_or_default()
}

/// The client of the test entry. Doctors of two configuration folders, which cannot lock each other out, use two entries.
fn test_client(folder: &Path) -> Result<Client, Failure> {
    let id = fingerprint(&folder.to_string_lossy()).replace(':', "-");
    let (environment, tenant, id) = (TEST_ENVIRONMENT.parse(), "doctor".parse(), id.parse());
    match (environment, tenant, id) {
        (Ok(environment), Ok(tenant), Ok(id)) => Ok(Client { environment, tenant, id }),
        _ => Err(Failure::new(Kind::Unexpected, "the test entry has no valid name")),
    }
}

fn unreliable(store: &Store, what: &str) -> Failure {
    Failure::new(Kind::Credential, format!("{} {what}", store.name()))
        .hint("use another store: corti-auth login --profile NAME --store file")
}

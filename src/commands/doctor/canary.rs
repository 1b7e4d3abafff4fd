//! Whether the store keeps what it is given: an entry is written, read and removed again.

use std::pin::Pin;
use std::time::Duration;

use uuid::Uuid;

use crate::domain::event::Sink;
use crate::domain::identity::{Client, ProfileName};
use crate::domain::resolve::SecretSource;
use crate::domain::secret::ClientSecret;
use crate::domain::store_kind::StoreKind;
use crate::edge::keyring::State;
use crate::edge::store::{Store, StoreError};
use crate::failure::{Failure, Kind};

use super::super::interruption;
use super::setting::Setting;
use super::{Context, Findings};

/// `.invalid` has no hosts and never will (RFC 2606, section 2), so entries below it are no client's.
const NOWHERE: &str = "https://corti-auth.invalid";

/// What is written.
const CANARY: &str = "written by corti-auth doctor, which removes it";

/// How long the entry's removal may take after Ctrl-C: twice the second that an encrypted file takes, and some.
const GRACE: Duration = Duration::from_secs(3);

/// Judges `store`, and says whether secrets can be read from it.
///
/// # Errors
/// When `stop` completes.
pub(super) async fn examine(
    context: &Context<'_>,
    setting: &Setting,
    stop: Pin<&mut impl Future<Output = ()>>,
    findings: &mut Findings<'_>,
) -> Result<bool, Failure> {
    let kind = match setting.plan.as_ref().map(|plan| &plan.source) {
        Some(SecretSource::Given(_)) => {
            findings.skip("store", "the secret comes from the environment, and no store is used");
            return Ok(true);
        }
        Some(SecretSource::Store(_, profile)) => &profile.store,
        // Before the first login: the store that it would use.
        None if setting.is_new => &StoreKind::Keyring,
        None => {
            findings.skip("store", "no client is known, so no store is");
            return Ok(false);
        }
    };
    let store = match context.store(kind) {
        Ok(store) => store,
        Err(failure) => {
            findings.fail("store", "", &failure);
            return Ok(false);
        }
    };
    if let Some(reason) = untried(&store) {
        findings.skip("store", reason);
        return Ok(true);
    }
    let mut work = std::pin::pin!(context.waiting("trying the store", keeps(&store, context.sink)));
    let kept = tokio::select! {
        kept = &mut work => kept,
        () = stop => {
            // Not given up half-way: the entry would stay.
            drop(tokio::time::timeout(GRACE, work).await);
            return Err(interruption());
        }
    };
    match &kept {
        Ok(()) => findings.ok("store", format!("{} keeps what it is given", store.name())),
        Err(failure) => findings.fail("store", "", failure),
    }
    Ok(kept.is_ok())
}

/// Why nothing is written to a store that works all the same.
fn untried(store: &Store) -> Option<&'static str> {
    match store {
        Store::Command(_) => Some("a secret command can only be read, which is done to mint"),
        Store::File(files) if files.attended && files.passphrase_file.is_none() => {
            Some("its passphrase is asked for once, to mint")
        }
        Store::Keyring(_) | Store::File(_) | Store::Memory(_) => None,
    }
}

async fn keeps(store: &Store, sink: &dyn Sink) -> Result<(), Failure> {
    let nobody = nobody()?;
    let failed = |error: StoreError| Failure::store(&error, &nobody, &ProfileName::default());
    let canary = ClientSecret::parse(CANARY).map_err(|error| Failure::new(Kind::Unexpected, error))?;
    // Never prompts: where it is locked, that is the finding.
    store.probe(&nobody).await.and_then(State::usable).map_err(failed)?;
    store.write(&nobody, &canary).await.map_err(failed)?;
    let read = store.read(&nobody, sink).await;
    let removed = store.delete(&nobody, sink).await;
    let came_back = match read {
        Ok(secret) => secret.secret().fingerprint() == canary.secret().fingerprint(),
        Err(StoreError::Missing) => false,
        Err(error) => return Err(failed(error)),
    };
    if !came_back {
        return Err(unreliable(store, "does not give back what it was given"));
    }
    removed.map_err(failed)?;
    match store.read(&nobody, sink).await {
        Err(StoreError::Missing) => Ok(()),
        Ok(_) => Err(unreliable(store, "keeps what was removed from it")),
        Err(error) => Err(failed(error)),
    }
}

/// A client that is nobody's, and of this run alone: two doctors do not get into each other's way.
fn nobody() -> Result<Client, Failure> {
    let unexpected = |error: String| Failure::new(Kind::Unexpected, error);
    Ok(Client {
        environment: NOWHERE.parse().map_err(|error| unexpected(format!("{error}")))?,
        tenant: "doctor".parse().map_err(|error| unexpected(format!("{error}")))?,
        id: Uuid::new_v4().to_string().parse().map_err(|error| unexpected(format!("{error}")))?,
    })
}

fn unreliable(store: &Store, what: &str) -> Failure {
    Failure::new(Kind::Credential, format!("{} {what}", store.name()))
        .hint("run it again; if it stays so, use another store: corti-auth login --store file")
}

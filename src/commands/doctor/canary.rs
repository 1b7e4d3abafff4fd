//! Whether the store keeps what it is given: an entry is written, read and removed again.
//!
//! Its name is always the same for one configuration folder, and one doctor at a time uses it: what a killed one leaves
//! behind is overwritten and removed by the next.

use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::app::credentials;
use crate::app::interrupt::interruption;
use crate::app::spinner;
use crate::domain::client::identity::{Client, ProfileName};
use crate::domain::client::resolve::{Plan, SecretSource};
use crate::domain::client::secret::ClientSecret;
use crate::domain::text::event::Sink;
use crate::edge::config_file::ConfigFile;
use crate::edge::lock::Lock;
use crate::edge::store::{State, Store, StoreError};
use crate::failure::{Failure, Kind};

use super::setting::Setting;
use super::{Context, Findings};

/// `.invalid` has no hosts and never will (RFC 2606, section 2), so entries below it are no client's.
const NOWHERE: &str = "https://corti-auth.invalid";

/// What is written.
const CANARY: &str = "written by corti-auth doctor, which removes it";

/// How long the entry's removal may take after Ctrl-C: twice the second that an encrypted file takes, and some.
const GRACE: Duration = Duration::from_secs(3);

/// How long other doctors may take: an encrypted file's take some seconds each.
const OTHERS: Duration = Duration::from_secs(60);

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
        Some(SecretSource::Store(_, profile) | SecretSource::Withheld(_, profile, _)) => {
            Ok(profile.store.clone())
        }
        // Before the first login: the store that it would use.
        None if setting.is_new => credentials::named_store(None, None, None, context)
            .map(|named| credentials::store_kind(named.as_ref(), None)),
        None => {
            findings.skip("store", "no client is known, so no store is");
            return Ok(false);
        }
    };
    let store = match kind.and_then(|kind| context.store(&kind)) {
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
    let Some(kept) = tried(context, setting, &store, stop).await? else {
        findings.skip("store", format!("another doctor has been trying it for {} s", OTHERS.as_secs()));
        return Ok(true);
    };
    match &kept {
        Ok(()) => findings.ok("store", format!("wrote, read and deleted a test entry in {}", store.name())),
        Err(failure) => findings.fail("store", "", failure),
    }
    Ok(kept.is_ok())
}

/// Tries the store once no other doctor does; `None` where one does for too long.
///
/// # Errors
/// When `stop` completes.
async fn tried(
    context: &Context<'_>,
    setting: &Setting,
    store: &Store,
    mut stop: Pin<&mut impl Future<Output = ()>>,
) -> Result<Option<Result<(), Failure>>, Failure> {
    let file = context.config_file().ok();
    let folder = file.as_ref().map_or(Path::new(""), ConfigFile::folder);
    let alone = tokio::select! {
        alone = spinner::show(context, "waiting for another doctor", alone(folder)) => alone,
        () = &mut stop => return Err(interruption()),
    };
    let Some(_lock) = alone else {
        return Ok(None);
    };
    let name = setting.plan.as_ref().and_then(Plan::profile).cloned().unwrap_or_default();
    let trial = Trial { store, nobody: nobody(folder)?, name, sink: context.sink };
    let mut work = std::pin::pin!(spinner::show(context, "trying the store", trial.keeps()));
    tokio::select! {
        kept = &mut work => Ok(Some(kept)),
        () = stop => {
            // Not given up half-way: the entry would stay until the next doctor.
            drop(tokio::time::timeout(GRACE, work).await);
            Err(interruption())
        }
    }
}

/// Why nothing is written to a store that works all the same.
fn untried(store: &Store) -> Option<&'static str> {
    match store {
        Store::Command(..) => Some("a secret command can only be read, which is done to mint"),
        Store::File(files) if files.attended && files.passphrase_file.is_none() => {
            Some("its passphrase is asked for once, to mint")
        }
        Store::Keyring(_) | Store::File(_) | Store::Memory(_) => None,
    }
}

/// Waits until no other doctor of the same folder is at it; `None` where that takes too long. Where the folder cannot be
/// locked, nobody is waited for: the worst that comes of it is a store that seems to forget.
async fn alone(folder: &Path) -> Option<Option<Lock>> {
    match Lock::take_folder(folder, OTHERS).await {
        Ok(lock) => lock.map(Some),
        Err(_) => Some(None),
    }
}

/// A store under trial.
struct Trial<'a> {
    store: &'a Store,
    nobody: Client,
    /// The profile that the store was chosen by.
    name: ProfileName,
    sink: &'a dyn Sink,
}

impl Trial<'_> {
    async fn keeps(&self) -> Result<(), Failure> {
        let Self { store, nobody, sink, .. } = self;
        let canary = ClientSecret::parse(CANARY).map_err(|error| Failure::new(Kind::Unexpected, error))?;
        // Never prompts: where it is locked, that is the finding.
        let state = store.probe(nobody).await.and_then(State::usable);
        state.map_err(|error| self.failed("cannot use the store", &error))?;
        let written = store.write(nobody, &canary).await;
        written.map_err(|error| self.failed("cannot write a test entry", &error))?;
        let read = store.read(nobody, *sink).await;
        let removed = store.delete(nobody).await;
        let came_back = match read {
            Ok(secret) => secret.secret().fingerprint() == canary.secret().fingerprint(),
            Err(StoreError::Missing) => false,
            Err(error) => return Err(self.failed("cannot read the test entry that was just written", &error)),
        };
        if !came_back {
            return Err(unreliable(store, "does not give back what it was given"));
        }
        removed.map_err(|error| self.failed("cannot remove the test entry", &error))?;
        match store.read(nobody, *sink).await {
            Err(StoreError::Missing) => Ok(()),
            Ok(_) => Err(unreliable(store, "keeps what was removed from it")),
            Err(error) => Err(self.failed("cannot see whether the test entry is gone", &error)),
        }
    }

    fn failed(&self, what: &'static str, error: &StoreError) -> Failure {
        Failure::store(error, &self.nobody, &self.name).context(what)
    }
}

/// A client that is nobody's, the same for every doctor of this configuration folder: those of two folders, which cannot
/// see each other, do not get into each other's way in one keyring.
fn nobody(folder: &Path) -> Result<Client, Failure> {
    let unexpected = |error: String| Failure::new(Kind::Unexpected, error);
    let digest = Sha256::digest(folder.as_os_str().as_encoded_bytes());
    let id: Vec<String> = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Ok(Client {
        environment: NOWHERE.parse().map_err(|error| unexpected(format!("{error}")))?,
        tenant: "doctor".parse().map_err(|error| unexpected(format!("{error}")))?,
        id: id.concat().parse().map_err(|error| unexpected(format!("{error}")))?,
    })
}

fn unreliable(store: &Store, what: &str) -> Failure {
    Failure::new(Kind::Credential, format!("{} {what}", store.name()))
        .hint("run it again; if it stays so, use another store: corti-auth login --profile NAME --store file")
}

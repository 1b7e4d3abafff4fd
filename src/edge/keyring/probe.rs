//! Asks the Secret Service for its state, and to unlock its default collection. Only unlocking prompts. No secret is sent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, mpsc};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use zbus::blocking::{Connection, Proxy};
use zbus::zvariant::{DynamicType, OwnedObjectPath, OwnedValue, Type};

use crate::edge::store_error::StoreError;
use crate::edge::thread;

use super::SERVICE;

const NAME: &str = "org.freedesktop.secrets";
const ROOT: &str = "/org/freedesktop/secrets";
const SERVICE_INTERFACE: &str = "org.freedesktop.Secret.Service";

/// How often to ask for the default collection. The answer `/` means that there is none, but gnome-keyring 42 also gives it
/// while other processes connect: two of its threads use the table of aliases without a lock.
const ATTEMPTS: usize = 3;

/// The default collection, once it is found.
#[derive(Clone, Debug, Default)]
pub(super) struct Probe(Arc<Mutex<Option<Found>>>);

#[derive(Clone, Debug)]
struct Found {
    bus: Connection,
    collection: OwnedObjectPath,
}

/// The answer of `Unlock`: what is unlocked, and the prompt that comes first (`/` for none).
#[derive(Deserialize, Type)]
struct Unlocking {
    _unlocked: Vec<OwnedObjectPath>,
    prompt: OwnedObjectPath,
}

/// The answer of `SearchItems`.
#[derive(Deserialize, Type)]
struct Items {
    unlocked: Vec<OwnedObjectPath>,
    locked: Vec<OwnedObjectPath>,
}

impl Probe {
    /// Whether the entry of `user` exists now.
    pub(super) fn look(&self, user: &str) -> Result<bool, StoreError> {
        self.found()?.look(user).unwrap_or_else(|error| Err(failed(&error)))
    }

    /// Unlocks the collection. A person may be asked for its password: waits for the answer.
    pub(super) fn unlock(&self) -> Result<(), StoreError> {
        self.found()?.unlock().map_err(|error| failed(&error))
    }

    /// The collection. Looks for it until it is found.
    fn found(&self) -> Result<Found, StoreError> {
        let mut known = thread::lock(&self.0);
        if let Some(found) = &*known {
            return Ok(found.clone());
        }
        let bus = Connection::session().map_err(|_| StoreError::NoBus)?;
        let collection = default_collection(&bus).map_err(|_| StoreError::NoService)?;
        let collection = collection.ok_or(StoreError::NoCollection)?;
        Ok(known.insert(Found { bus, collection }).clone())
    }
}

impl Found {
    fn look(&self, user: &str) -> zbus::Result<Result<bool, StoreError>> {
        if self.property(&self.collection, "org.freedesktop.Secret.Collection", "Locked")? {
            return Ok(Err(StoreError::Locked));
        }
        let attributes = HashMap::from([("service", SERVICE), ("username", user)]);
        let Items { unlocked, locked } =
            call(&self.bus, ROOT, SERVICE_INTERFACE, "SearchItems", &attributes)?;
        let items: Vec<_> = unlocked.iter().chain(&locked).collect();
        if items.len() < 2 {
            return Ok(Ok(!items.is_empty()));
        }
        let label = |item| self.property::<String>(item, "org.freedesktop.Secret.Item", "Label");
        let labels = items.into_iter().map(|item| Ok(format!("`{}`", label(item)?)));
        Ok(Err(StoreError::Ambiguous(labels.collect::<zbus::Result<Vec<_>>>()?.join(", "))))
    }

    fn unlock(&self) -> zbus::Result<()> {
        let collections = [&self.collection];
        let Unlocking { prompt, .. } =
            call(&self.bus, ROOT, SERVICE_INTERFACE, "Unlock", &collections.as_slice())?;
        if prompt.as_str() == "/" {
            return Ok(());
        }
        // Subscribes before the prompt begins: an answer may come at once.
        let proxy = Proxy::new(&self.bus, NAME, prompt.into_inner(), "org.freedesktop.Secret.Prompt")?;
        let (mut completed, mut owners) =
            (proxy.receive_signal("Completed")?, proxy.receive_owner_changed()?);
        // The empty text is no parent window.
        proxy.call::<_, _, ()>("Prompt", &"")?;
        let (done, over) = mpsc::channel();
        let gone = done.clone();
        // Waits for an answer, or until the service is gone. The other thread ends with the process.
        thread::start(move || {
            let _ = completed.next().map(|_| done.send(()));
        });
        thread::start(move || {
            let _ = owners.find(Option::is_none).map(|_| gone.send(()));
        });
        let _ = over.recv();
        Ok(())
    }

    fn property<T>(&self, object: &OwnedObjectPath, interface: &str, name: &str) -> zbus::Result<T>
    where
        T: TryFrom<OwnedValue, Error: Into<zbus::Error>>,
    {
        let get = "org.freedesktop.DBus.Properties";
        let value: OwnedValue = call(&self.bus, object.as_str(), get, "Get", &(interface, name))?;
        value.try_into().map_err(Into::into)
    }
}

/// The default collection, if there is one.
fn default_collection(bus: &Connection) -> zbus::Result<Option<OwnedObjectPath>> {
    for _ in 0..ATTEMPTS {
        let path: OwnedObjectPath = call(bus, ROOT, SERVICE_INTERFACE, "ReadAlias", &"default")?;
        if path.as_str() != "/" {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn call<T: DeserializeOwned + Type>(
    bus: &Connection,
    object: &str,
    interface: &str,
    method: &str,
    arguments: &(impl serde::Serialize + DynamicType),
) -> zbus::Result<T> {
    bus.call_method(Some(NAME), object, Some(interface), method, arguments)?.body().deserialize()
}

/// [`StoreError::NoService`] if the service has ended since the collection was found.
fn failed(error: &zbus::Error) -> StoreError {
    let gone = ["org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner"];
    match error {
        zbus::Error::MethodError(name, _, _) if gone.contains(&name.as_str()) => StoreError::NoService,
        error => StoreError::Failed(error.to_string()),
    }
}

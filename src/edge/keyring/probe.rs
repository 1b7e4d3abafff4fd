//! The Secret Service, asked for its state, and to be unlocked. Only the latter can prompt, and nothing here opens a
//! session: no secret travels, and the sessions of the keyring's own client are left alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use zbus::blocking::{Connection, Proxy};
use zbus::zvariant::{DynamicType, OwnedObjectPath, OwnedValue, Type};

use crate::edge::store_state::{State, StoreError};
use crate::edge::thread;

use super::SERVICE;

const NAME: &str = "org.freedesktop.secrets";
const ROOT: &str = "/org/freedesktop/secrets";
const SERVICE_INTERFACE: &str = "org.freedesktop.Secret.Service";
const COLLECTION_INTERFACE: &str = "org.freedesktop.Secret.Collection";
const ITEM_INTERFACE: &str = "org.freedesktop.Secret.Item";
const PROMPT_INTERFACE: &str = "org.freedesktop.Secret.Prompt";

/// How often the default collection is asked for. `/` means that there is none, and gnome-keyring 42 also answers it for a
/// moment while other processes connect: two of its threads use the table of aliases without a lock.
const ATTEMPTS: usize = 3;

/// The way to the default collection, once it is found.
#[derive(Clone, Debug, Default)]
pub(super) struct Probe(Arc<Mutex<Option<Found>>>);

#[derive(Clone, Debug)]
struct Found {
    bus: Connection,
    collection: OwnedObjectPath,
}

/// What `Unlock` answers: what is unlocked, and what has to be asked first (`/` for nothing).
#[derive(Deserialize, Type)]
struct Unlocking {
    _unlocked: Vec<OwnedObjectPath>,
    prompt: OwnedObjectPath,
}

/// What `SearchItems` answers.
#[derive(Deserialize, Type)]
struct Items {
    unlocked: Vec<OwnedObjectPath>,
    locked: Vec<OwnedObjectPath>,
}

impl Probe {
    /// The state of the collection and of the entry of `user`, as they are now.
    pub(super) fn look(&self, user: &str) -> Result<State, StoreError> {
        let found = match self.found() {
            Ok(found) => found,
            Err(state) => return Ok(state),
        };
        match found.look(user) {
            Err(error) if is_gone(&error) => Ok(State::NoService),
            looked => looked.map_err(|error| StoreError::Failed(error.to_string())),
        }
    }

    /// Has the collection unlocked, where there is one: a person may be asked, and is waited for. Whether it is unlocked
    /// then, [`Probe::look`] tells.
    pub(super) fn unlock(&self) -> Result<(), StoreError> {
        let Ok(found) = self.found() else { return Ok(()) };
        found.unlock().map_err(|error| StoreError::Failed(error.to_string()))
    }

    /// The collection, or the state that there is none in. A collection is looked for until there is one.
    fn found(&self) -> Result<Found, State> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = &*known {
            return Ok(found.clone());
        }
        let Ok(bus) = Connection::session() else { return Err(State::NoBus) };
        let Ok(collection) = default_collection(&bus) else { return Err(State::NoService) };
        let Some(collection) = collection else { return Err(State::NoCollection) };
        Ok(known.insert(Found { bus, collection }).clone())
    }
}

impl Found {
    fn look(&self, user: &str) -> zbus::Result<State> {
        if self.property(&self.collection, COLLECTION_INTERFACE, "Locked")? {
            return Ok(State::Locked);
        }
        let attributes = HashMap::from([("service", SERVICE), ("username", user)]);
        let Items { unlocked, locked } =
            call(&self.bus, ROOT, SERVICE_INTERFACE, "SearchItems", &attributes)?;
        Ok(match unlocked.len() + locked.len() {
            0 => State::Missing,
            1 => State::Present,
            _ => {
                let items = unlocked.iter().chain(&locked);
                let labels = items.map(|item| self.property(item, ITEM_INTERFACE, "Label"));
                State::Ambiguous(labels.collect::<zbus::Result<_>>()?)
            }
        })
    }

    fn unlock(&self) -> zbus::Result<()> {
        let collections = [&self.collection];
        let Unlocking { prompt, .. } =
            call(&self.bus, ROOT, SERVICE_INTERFACE, "Unlock", &collections.as_slice())?;
        if prompt.as_str() == "/" {
            return Ok(());
        }
        // Listened for before it is begun: an answer may come at once.
        let proxy = Proxy::new(&self.bus, NAME, prompt.into_inner(), PROMPT_INTERFACE)?;
        let (mut completed, mut owners) =
            (proxy.receive_signal("Completed")?, proxy.receive_owner_changed()?);
        let no_window = "";
        proxy.call::<_, _, ()>("Prompt", &no_window)?;
        let (done, over) = mpsc::channel();
        let gone = done.clone();
        // Answered, or the service is gone, and its prompt with it. Whichever is waited for in vain ends with the process.
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

/// Whether the service was there and is not any more.
fn is_gone(error: &zbus::Error) -> bool {
    let gone = ["org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner"];
    matches!(error, zbus::Error::MethodError(name, _, _) if gone.contains(&name.as_str()))
}

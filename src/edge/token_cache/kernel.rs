//! Tokens in the Linux kernel's keyring of this user (`@u`): never on disk, and removed by the kernel when they expire.
//!
//! Only a process that possesses `@u` can read its keys, and not every session does. So `@u` is linked to the keyring of a
//! thread, which ends with the thread (keyrings(7)).

use std::{fs, thread};

use linux_keyutils::{
    Key, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, KeySerialId, Permission,
};
use zeroize::Zeroizing;

use crate::domain::token::cache_key::Tag;

/// Every key's description begins with this.
const PREFIX: &str = "corti-auth:";

/// The most that a key of this type can hold (keyrings(7)).
const LIMIT: usize = 32_767;

/// The keyring of this user.
fn user() -> Result<KeyRing, KeyError> {
    KeyRing::from_special_id(KeyRingIdentifier::User, true)
}

/// Runs `work` in a thread that possesses the keyring of this user. The thread's keyring counts against the user's limit of
/// keys; a process keyring would count for as long as the process runs.
fn possessing<T: Send>(work: impl FnOnce(KeyRing) -> Option<T> + Send) -> Option<T> {
    let work = || {
        let user = user().ok()?;
        // The link is refused at the user's limit of keys, but the session may possess the keyring anyway.
        let own = KeyRing::from_special_id(KeyRingIdentifier::Thread, true);
        let _ = own.and_then(|own| own.link_keyring(user));
        work(user)
    };
    thread::scope(|scope| thread::Builder::new().spawn_scoped(scope, work).ok()?.join().ok().flatten())
}

/// The content of the key `name`.
pub(super) fn read(name: &str) -> Option<Zeroizing<Vec<u8>>> {
    match find(user().ok()?, name) {
        // Usually the session possesses the keyring. Without that, only the existence of a key can be seen.
        Ok(found) => found,
        Err(KeyError::KeyDoesNotExist) => None,
        Err(_) => possessing(|user| find(user, name).ok()?),
    }
}

fn find(user: KeyRing, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
    let key = user.search(&format!("{PREFIX}{name}"))?;
    let mut bytes = Zeroizing::new(vec![0; LIMIT]);
    let length = key.read(&mut *bytes)?;
    if length > LIMIT {
        return Ok(None);
    }
    bytes.truncate(length);
    Ok(Some(bytes))
}

/// Keeps `bytes` under `name` for some seconds, and returns whether it could. If not, nothing is left.
pub(super) fn write(name: &str, bytes: &[u8], seconds: usize) -> bool {
    possessing(|user| add(user, name, bytes, seconds)).is_some()
}

fn add(user: KeyRing, name: &str, bytes: &[u8], seconds: usize) -> Option<()> {
    let key = user.add_key(&format!("{PREFIX}{name}"), bytes).ok()?;
    // Lets the owner remove the key without possessing it: at the limit of keys no thread can possess it.
    let of_its_owner = Permission::VIEW | Permission::SEARCH | Permission::SETATTR;
    let permissions = KeyPermissionsBuilder::builder().posessor(Permission::ALL).user(of_its_owner).build();
    let _ = key.set_perms(permissions);
    // `logout` finds keys by the list in /proc, which some containers hide.
    let kept =
        key.set_timeout(seconds).is_ok() && listed().iter().any(|(id, _)| *id == key.get_id().as_raw_id());
    if !kept {
        remove_key(key);
    }
    kept.then_some(())
}

/// Removes the keys with this tag, and returns how many there were.
pub(super) fn remove(tag: &Tag) -> usize {
    let ours: Vec<i32> = listed().into_iter().filter(|(_, name)| tag.is_in(name)).map(|(id, _)| id).collect();
    let remove_all = || ours.iter().filter(|id| remove_key(Key::from_id(KeySerialId::new(**id)))).count();
    // Without a thread that possesses them the owner can still remove them.
    possessing(|_| Some(remove_all())).unwrap_or_else(remove_all)
}

/// An invalidated key is gone at once for everybody. Kernels before 3.5 can only revoke it.
fn remove_key(key: Key) -> bool {
    key.invalidate().is_ok() || key.revoke().is_ok()
}

/// This user's keys of ours by their number and name, as proc(5) lists them: number, flags, usage, timeout, permissions,
/// owner, group, type, and the description up to a colon and the size.
fn listed() -> Vec<(i32, String)> {
    let me = rustix::process::geteuid().as_raw().to_string();
    let bytes = fs::read("/proc/keys").unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let ours = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [id, flags, _, timeout, _, owner, _, "user", description, ..] = words.as_slice() else {
            return None;
        };
        let gone = flags.contains(['R', 'D', 'N', 'i']) || *timeout == "expd";
        if *owner != me || gone {
            return None;
        }
        let name = description.strip_prefix(PREFIX)?.trim_end_matches(':');
        Some((i32::from_str_radix(id, 16).ok()?, name.to_owned()))
    };
    text.lines().filter_map(ours).collect()
}

//! Tokens in the Linux kernel's keyring of this user (`@u`): never on disk, and gone when they expire.
//!
//! `@u` is found by its user, but its keys can be read only by who possesses it, which a session's keyring need not
//! convey: it is linked to the keyring of a thread first, and that ends with the thread (keyrings(7)).

use std::{fs, thread};

use linux_keyutils::{
    Key, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, KeySerialId, Permission,
};
use zeroize::Zeroizing;

/// What every key's description begins with.
const PREFIX: &str = "corti-auth:";

/// What the kernel lets a key of this type hold (keyrings(7)), and so what is read of one.
const LIMIT: usize = 32_767;

/// The keyring of this user.
fn user() -> Result<KeyRing, KeyError> {
    KeyRing::from_special_id(KeyRingIdentifier::User, true)
}

/// Runs `work` on the keyring of this user, possessed by a thread of its own. The keyring that conveys it counts against
/// the user's limit: that of a process would count for as long as the process waits for another, or stays beside a
/// program.
fn possessing<T: Send>(work: impl FnOnce(KeyRing) -> Option<T> + Send) -> Option<T> {
    let work = || {
        let user = user().ok()?;
        // At the user's limit a link is refused, too: the session may convey its keys even so.
        let own = KeyRing::from_special_id(KeyRingIdentifier::Thread, true);
        let _ = own.and_then(|own| own.link_keyring(user));
        work(user)
    };
    thread::scope(|scope| thread::Builder::new().spawn_scoped(scope, work).ok()?.join().ok().flatten())
}

/// What is kept under `name`.
pub(super) fn read(name: &str) -> Option<Zeroizing<Vec<u8>>> {
    match find(user().ok()?, name) {
        // Mostly the session conveys the keys, and whether there is one can be told in any case.
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

/// Keeps `bytes` under `name` for some seconds, and says whether it could. Where it could not, nothing is left.
pub(super) fn write(name: &str, bytes: &[u8], seconds: usize) -> bool {
    possessing(|user| add(user, name, bytes, seconds)).is_some()
}

fn add(user: KeyRing, name: &str, bytes: &[u8], seconds: usize) -> Option<()> {
    let key = user.add_key(&format!("{PREFIX}{name}"), bytes).ok()?;
    // Its owner may end it without possessing it, which needs a link, and so memory that may be used up by then.
    let of_its_owner = Permission::VIEW | Permission::SEARCH | Permission::SETATTR;
    let permissions = KeyPermissionsBuilder::builder().posessor(Permission::ALL).user(of_its_owner).build();
    let _ = key.set_perms(permissions);
    // What could not be found again could not be removed by `logout` either: some containers hide the list.
    let kept =
        key.set_timeout(seconds).is_ok() && listed().iter().any(|(id, _)| *id == key.get_id().as_raw_id());
    if !kept {
        take_away(key);
    }
    kept.then_some(())
}

/// Removes the entries whose name `selected` picks, and says how many there were.
pub(super) fn remove(selected: impl Fn(&str) -> bool) -> usize {
    let ours: Vec<i32> = listed().into_iter().filter(|(_, name)| selected(name)).map(|(id, _)| id).collect();
    let take_all = || ours.iter().filter(|id| take_away(Key::from_id(KeySerialId::new(**id)))).count();
    // Its owner may end a key without possessing it, where there is no thread to possess it by.
    possessing(|_| Some(take_all())).unwrap_or_else(take_all)
}

/// An invalidated key is gone at once for everybody. Kernels before 3.5 do not know that, and revoke it.
fn take_away(key: Key) -> bool {
    key.invalidate().is_ok() || key.revoke().is_ok()
}

/// This user's keys of ours by their number and name, as proc(5) lists them: number, flags, usage, timeout, permissions,
/// owner, group, type, and the description up to a colon and the size. Asking for the keys of `@u` one by one would also
/// meet those of other programs.
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

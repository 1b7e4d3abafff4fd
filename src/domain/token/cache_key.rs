//! What a cached token is found by: the client, the scopes, and the credential that minted it. All of it is hashed, so
//! that a name says nothing to whoever lists names.
//!
//! A wrong or rotated secret never leads to the token of another one: the key holds a keyed hash of the secret, or an id
//! that is renewed with the secret it stands for.

use std::fmt::Write as _;
use std::str::FromStr;

use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::domain::client::identity::Client;
use crate::domain::client::secret::ClientSecret;
use crate::domain::client::store_kind::StoreKind;

use super::scope::Ask;

/// Parts these hashes from all others, and from those of another layout.
const CONTEXT: &str = "corti-auth/cache/1";

/// Stands in `config.toml` for a stored secret, and is renewed with it: 32 hexadecimal digits, which say nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialId(String);

/// A text that is no [`CredentialId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is made by `login` and `rotate`, and has 32 hexadecimal digits")]
pub struct CredentialIdError;

impl FromStr for CredentialId {
    type Err = CredentialIdError;

    fn from_str(text: &str) -> Result<Self, CredentialIdError> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_one = text.len() == 32 && text.bytes().all(digit);
        if is_one { Ok(Self(text.to_owned())) } else { Err(CredentialIdError) }
    }
}

impl CredentialId {
    /// The id of these random bytes.
    pub fn of(random: [u8; 16]) -> Self {
        Self(hex(&random))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What mints the token.
#[derive(Clone, Copy, Debug)]
pub enum Credential<'a> {
    /// A stored secret, by its id: it need not be read.
    Stored(&'a StoreKind, &'a CredentialId),
    /// A secret that is at hand.
    AtHand(&'a ClientSecret),
}

/// The owner of cached tokens: one configuration folder, and one client in it. Tokens are removed by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    home: String,
    client: String,
}

impl Owner {
    /// `client` under the configuration folder `home`, which parts the users of one kernel keyring.
    pub fn new(home: &[u8], client: &Client) -> Self {
        Self { home: home_digest(home), client: client_digest(client) }
    }
}

/// Which cached tokens are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of this configuration folder.
    Home(String),
    /// All of this client, whatever the folder.
    Client(String),
}

impl Selection {
    /// All that were cached under the configuration folder `home`.
    pub fn home(home: &[u8]) -> Self {
        Self::Home(home_digest(home))
    }

    /// All of `client`.
    pub fn client(client: &Client) -> Self {
        Self::Client(client_digest(client))
    }

    /// Whether the token of this name is one of them.
    pub fn has(&self, name: &str) -> bool {
        let parts: Vec<&str> = name.split('-').collect();
        match (self, parts.as_slice()) {
            (Self::Home(home), [first, _, _]) => home == first,
            (Self::Client(client), [_, second, _]) => client == second,
            _ => false,
        }
    }
}

/// What one cached token is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheKey(String);

impl CacheKey {
    /// The key of what `credential` mints for the client of `owner` when it is asked for `ask`.
    pub fn new(owner: &Owner, ask: &Ask, credential: Credential<'_>) -> Self {
        let scopes = ask.to_wire();
        let Owner { home, client } = owner;
        let kind = match credential {
            Credential::Stored(store, id) => format!("{} {}", store.as_str(), id.as_str()),
            Credential::AtHand(secret) => {
                let mut hash = [0; 16];
                derive(secret, &["credential", client], &mut hash);
                format!("secret {}", hex(&hash))
            }
        };
        Self(format!("{home}-{client}-{}", hex(&digest::<16>(&[client, &scopes], kind.as_bytes()))))
    }

    /// The name of its entry, its file and its lock: hashes in hexadecimal.
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// Encrypts one cached token on disk.
pub struct SealKey(Zeroizing<[u8; 32]>);

impl SealKey {
    /// The key for the entry of `key`, derived from the secret that minted it (HKDF, RFC 5869), wherever that is kept: who
    /// has not the secret cannot read the token, and of two secrets neither opens what the other sealed. It stretches
    /// nothing: a secret is as hard to guess from a file as it is long and random.
    pub fn new(secret: &ClientSecret, key: &CacheKey) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        derive(secret, &["seal", key.name()], bytes.as_mut_slice());
        Self(bytes)
    }

    /// The key itself.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

fn home_digest(home: &[u8]) -> String {
    hex(&digest::<8>(&["home"], home))
}

fn client_digest(client: &Client) -> String {
    hex(&digest::<8>(&["client"], client.store_user().as_bytes()))
}

/// The first bytes of a SHA-256. 64 bits are plenty for owners, which only decide what is removed; and every byte of a
/// name counts against what the kernel lets a user keep.
fn digest<const N: usize>(context: &[&str], bytes: &[u8]) -> [u8; N] {
    let mut hash = Sha256::new();
    for part in [CONTEXT].iter().chain(context) {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.update(bytes);
    let hash = hash.finalize();
    std::array::from_fn(|index| hash.get(index).copied().unwrap_or_default())
}

fn derive(secret: &ClientSecret, context: &[&str], output: &mut [u8]) {
    let hkdf = Hkdf::<Sha256>::new(Some(CONTEXT.as_bytes()), secret.secret().expose().as_bytes());
    // It fails for outputs of more than 8,160 bytes only.
    let expanded = hkdf.expand(context.join("\0").as_bytes(), output);
    debug_assert!(expanded.is_ok());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;

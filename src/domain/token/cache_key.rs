//! Names the entries of the token cache, and derives the keys that encrypt them.
//!
//! An entry belongs to one client, one set of scopes and one credential, so a wrong or rotated secret never finds a token of
//! the right one. The names are hashes and reveal nothing.

use std::fmt::Write as _;
use std::str::FromStr;

use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::domain::client::api_client::Client;
use crate::domain::client::invalid::Invalid;
use crate::domain::client::secret::ClientSecret;
use crate::domain::client::store_kind::StoreKind;

use super::scope::ScopeRequest;

/// Separates these hashes from all others. Change the number with the layout.
const CONTEXT: &str = "corti-auth/cache/1";

/// The id of a stored secret in `config.toml`: 32 random hexadecimal digits, new for each secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialId(String);

impl FromStr for CredentialId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == 32 && text.bytes().all(is_digit) {
            return Ok(Self(text.to_owned()));
        }
        Err(Invalid::new("not a credential id (32 hexadecimal digits, written by `login`): delete the line"))
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

/// The credential that mints the token.
#[derive(Clone, Copy, Debug)]
pub enum Credential<'a> {
    /// The id of a stored secret, which is then not read.
    Stored(&'a StoreKind, &'a CredentialId),
    /// The secret itself.
    Secret(&'a ClientSecret),
}

/// The part of an entry's name that all tokens of one configuration folder, or of one client, share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(String);

impl Tag {
    /// All tokens cached under the configuration folder at `path`.
    pub fn folder(path: &[u8]) -> Self {
        Self(hex(&digest::<8>(&["home"], path)))
    }

    /// All tokens of `client`.
    pub fn client(client: &Client) -> Self {
        Self(hex(&digest::<8>(&["client"], client.store_user().as_bytes())))
    }

    /// Whether the name of an entry contains the tag.
    pub fn is_in(&self, name: &str) -> bool {
        name.split('-').any(|part| part == self.0)
    }
}

/// The name of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheKey(String);

impl CacheKey {
    /// The entry for the token that `credential` mints for a client under a configuration folder.
    pub fn new(folder: &Tag, client: &Tag, requested: &ScopeRequest, credential: Credential<'_>) -> Self {
        let (Tag(folder), Tag(client), scopes) = (folder, client, requested.to_wire());
        let credential = match credential {
            Credential::Stored(store, id) => format!("{} {}", store.as_str(), id.as_str()),
            Credential::Secret(secret) => {
                let mut hash = [0; 16];
                derive(secret, &["credential", client], &mut hash);
                format!("secret {}", hex(&hash))
            }
        };
        let hash = digest::<16>(&[client, &scopes], credential.as_bytes());
        Self(format!("{folder}-{client}-{}", hex(&hash)))
    }

    /// The name: hashes in hexadecimal.
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// The file that is locked while a token is minted for `client`. There are only 256 such files, so none is ever removed. Two
/// clients with the same file wait for each other.
pub fn lock_name(client: &Tag, requested: &ScopeRequest) -> String {
    let hash = digest::<1>(&["lock", &client.0], requested.to_wire().as_bytes());
    format!("mint-{}.lock", hex(&hash))
}

/// Encrypts one entry on disk.
pub struct SealKey(Zeroizing<[u8; 32]>);

impl SealKey {
    /// Derives the key from the secret that minted the token (HKDF, RFC 5869). Without that secret nobody can read the token,
    /// not even with a new secret of the client. A short secret stays easy to guess.
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

/// The first bytes of a SHA-256. 64 bits are enough for a tag, because it only decides which entries are removed. The kernel
/// counts every byte of a name against the user's limit.
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
    // It fails only for outputs of more than 8,160 bytes.
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
